"""The process: it starts without PostgreSQL, recovers by itself, and loses nothing when it is killed."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import grpc
import pytest
from razvilka.usage.v1 import usage_pb2 as pb
from razvilka.usage.v1.usage_pb2_grpc import UsageServiceStub

from servicekit.clock import SystemClock
from servicekit.errors import ServiceError, Unavailable
from servicekit.rpc_client import is_serving, open_channel, unary
from servicekit.testing.accepting import accepting
from servicekit.testing.ready_channel import ready_channel
from services.usage.rpc import record_to_proto
from services.usage.server import running
from services.usage.settings import UsageSettings
from services.usage.store import UsageStore
from services.usage.tests.records import LONG_S, record
from tools.testing.databases import Databases
from tools.testing.patience import patient_variables, postgres_settings
from tools.testing.plugin import EVERYBODY, MakeDatabaseDsn

Process: TypeAlias = asyncio.subprocess.Process


def batch_of(count: int) -> pb.RecordRequest:
    """Return records of the last minute: these tests run by the machine's own clock."""
    now = datetime.now(UTC)
    return pb.RecordRequest(
        records=[record_to_proto(record(number, now - timedelta(milliseconds=number))) for number in range(count)]
    )


@asynccontextmanager
async def forwarded(port: int, dsn: str) -> AsyncIterator[None]:
    """Forward a local port to the PostgreSQL of the DSN while the block lasts."""
    target = urlsplit(dsn)

    async def forward(client_in: asyncio.StreamReader, client_out: asyncio.StreamWriter) -> None:
        server_in, server_out = await asyncio.open_connection(target.hostname, target.port)
        await asyncio.gather(pump(client_in, server_out), pump(server_in, client_out), return_exceptions=True)

    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            sink.write(data)
        sink.close()

    async with accepting(forward, port):
        yield


async def wait_until_serving(channel: grpc.aio.Channel) -> None:
    """Return when the service says that it is ready."""
    async with asyncio.timeout(LONG_S):
        while not await is_serving(channel):
            await asyncio.sleep(0.05)


async def test_starts_while_postgresql_is_down_and_recovers(make_database_dsn: MakeDatabaseDsn, free_port: int) -> None:
    """Up but not ready, an outage to whoever calls; ready by itself when PostgreSQL comes."""
    dsn = await make_database_dsn("usage")
    parts = urlsplit(dsn)
    detour = urlunsplit(parts._replace(netloc=f"{parts.username}:{parts.password}@127.0.0.1:{free_port}"))
    settings = UsageSettings(postgres=postgres_settings(detour))
    async with running(settings, clock=SystemClock()) as port, ready_channel(port) as channel:
        stub: Any = UsageServiceStub(channel)
        with pytest.raises(Unavailable):
            await unary(stub.Record, batch_of(1), deadline_s=LONG_S, wait_for_ready=True)
        ready_before = await is_serving(channel)

        async with forwarded(free_port, dsn):
            await wait_until_serving(channel)
            answer = await unary(stub.Record, batch_of(1), deadline_s=LONG_S)

    assert not ready_before
    assert answer.inserted == 1


async def test_a_database_without_tables_is_not_ready(postgres_admin_dsn: str) -> None:
    """A service whose migrations have not run must get no traffic."""
    async with asyncpg.create_pool(postgres_admin_dsn, min_size=0) as pool:
        assert not await UsageStore(pool).is_ready()


@asynccontextmanager
async def process(dsn: str, port: int, **environment: str) -> AsyncIterator[Process]:
    """Run `python -m services.usage serve` and leave no process behind."""
    variables = {"USAGE_POSTGRES_DSN": dsn, "USAGE_GRPC_PORT": str(port), **patient_variables("usage", redis=False)}
    started = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.usage",
        "serve",
        env=os.environ | variables | environment,
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        yield started
    finally:
        if started.returncode is None:
            started.terminate()
        await asyncio.wait_for(started.wait(), LONG_S)


@pytest.mark.parametrize(
    ("failpoint", "stored"), [("usage.in_transaction", 0), ("usage.after_commit", 30)], ids=["in", "after"]
)
async def test_killed_around_the_commit_a_batch_sent_again_is_stored_once(
    make_database_dsn: MakeDatabaseDsn, free_port: int, failpoint: str, stored: int
) -> None:
    """Killed inside: nothing is durable. Killed before the answer: everything is. Sent again: exactly once."""
    dsn = await make_database_dsn("usage")
    batch = batch_of(30)
    async with (
        open_channel(f"127.0.0.1:{free_port}") as channel,
        asyncpg.create_pool(dsn, min_size=0, server_settings=EVERYBODY) as pool,
    ):
        stub: Any = UsageServiceStub(channel)
        permission = {"RAZVILKA_FAILPOINT": failpoint, "RAZVILKA_FAILPOINTS_ALLOWED": "1"}
        async with process(dsn, free_port, **permission) as killed:
            with pytest.raises(ServiceError):
                await unary(stub.Record, batch, deadline_s=LONG_S, wait_for_ready=True)
            await killed.wait()
        after_the_kill = await pool.fetchval("SELECT count(*) FROM usage.usage")

        async with process(dsn, free_port) as restarted:
            answer = await unary(stub.Record, batch, deadline_s=LONG_S, wait_for_ready=True)
            checked = await unary(stub.CheckInvariants, pb.CheckInvariantsRequest(), deadline_s=LONG_S)

    assert killed.returncode == -signal.SIGKILL
    assert restarted.returncode == 0
    assert after_the_kill == stored
    assert (answer.inserted, answer.duplicates) == (30 - stored, stored)
    assert (list(checked.broken), checked.rows_checked) == ([], 30)


async def test_migrating_again_changes_nothing(make_database_dsn: MakeDatabaseDsn, databases: Databases) -> None:
    """The migration job runs before every rollout."""
    dsn = await make_database_dsn("usage")
    owner = databases.dsn("usage", urlsplit(dsn).path.removeprefix("/"), owner=True)

    migrating = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.usage", "migrate", env=os.environ | {"USAGE_MIGRATIONS_DSN": owner}
    )

    assert await asyncio.wait_for(migrating.wait(), LONG_S) == 0
