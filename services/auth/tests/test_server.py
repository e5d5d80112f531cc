"""The process: it starts without its stores, recovers, and stops in order."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from typing import Any
from urllib.parse import urlsplit

import pytest
from prometheus_client import REGISTRY
from pydantic import SecretStr
from razvilka.auth.v1.auth_pb2_grpc import AuthServiceStub
from structlog.testing import capture_logs

from servicekit import rpc_client
from servicekit.errors import ErrorReason, Unavailable
from servicekit.postgres import database_errors, open_pool
from servicekit.settings import PostgresSettings
from servicekit.testing import FakeClock
from servicekit.testing.ready_channel import ready_channel
from servicekit.testing.relay import Relay
from services.auth.server import running
from services.auth.shared.upkeep import repeat
from services.auth.tests.conftest import PEPPER, AuthCaller, settings_for
from tools.testing.databases import Databases
from tools.testing.patience import patient_variables

NOBODY = SecretStr("postgresql://nobody@127.0.0.1:1/none")


async def until_readiness_is(channel: Any, serving: bool) -> None:
    """Return when the service's readiness is as wished."""
    async with asyncio.timeout(60):
        while await rpc_client.is_serving(channel) is not serving:
            await asyncio.sleep(0.05)


async def test_starts_without_postgresql_and_redis_and_recovers(
    auth_dsn: str, free_port: int, clock: FakeClock
) -> None:
    """Not ready at first; errors say that the database is gone; ready when it comes, not ready when it goes."""
    address = urlsplit(auth_dsn).netloc.rpartition("@")[2]
    host, _, port_text = address.partition(":")
    relay = Relay(host, int(port_text))
    settings = settings_for(auth_dsn.replace(address, f"127.0.0.1:{free_port}"), "redis://127.0.0.1:1/0")

    async with running(settings, clock) as port, ready_channel(port) as channel:
        auth = AuthCaller(AuthServiceStub(channel), auth_dsn)
        assert not await rpc_client.is_serving(channel)
        with pytest.raises(Unavailable) as refused:
            await auth.verify("sk-any")
        await relay.open(free_port)
        await until_readiness_is(channel, serving=True)
        secret = (await auth.new_key(await auth.new_user())).secret
        relay.shut()
        await until_readiness_is(channel, serving=False)
        with pytest.raises(Unavailable):
            await auth.verify(secret)
        await relay.open(free_port)
        await until_readiness_is(channel, serving=True)
        assert (await auth.verify(secret)).key_name == "laptop"
        relay.shut()

    assert refused.value.reason is ErrorReason.DATABASE_ERROR
    assert refused.value.retry_after_s is not None


async def test_is_not_ready_before_the_migrations(databases: Databases, redis_url: str, clock: FakeClock) -> None:
    """A database without our tables cannot be worked with."""
    elsewhere = await asyncio.to_thread(databases.create, "router")
    dsn = databases.dsn("auth", urlsplit(elsewhere).path[1:])

    async with (
        running(settings_for(dsn, redis_url), clock) as port,
        ready_channel(port) as channel,
    ):
        serving = await rpc_client.is_serving(channel)

    assert serving is False
    await asyncio.to_thread(databases.drop, elsewhere)


async def test_process_migrates_serves_and_stops_on_sigterm(
    auth_dsn: str, databases: Databases, redis_url: str, free_port: int
) -> None:
    """`migrate` is idempotent; `serve` answers on its port and leaves with 0; neither prints a secret."""
    owner_dsn = databases.dsn("auth", urlsplit(auth_dsn).path[1:], owner=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AUTH_")} | {
        "AUTH_MIGRATIONS_DSN": owner_dsn,
        "AUTH_POSTGRES_DSN": auth_dsn,
        "AUTH_REDIS_URL": redis_url,
        **patient_variables("auth"),
        "AUTH_KEY_PEPPER": PEPPER,
        "AUTH_GRPC_PORT": str(free_port),
        "AUTH_TIER_FREE_REQUESTS_PER_MINUTE": "7",
    }

    async def start(command: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.auth", command), env=environment, stdout=-1, stderr=-2
        )

    migrated, _ = await (migration := await start("migrate")).communicate()
    process = await start("serve")
    try:
        async with rpc_client.open_channel(f"127.0.0.1:{free_port}") as channel:
            await until_readiness_is(channel, serving=True)
            auth = AuthCaller(AuthServiceStub(channel), auth_dsn)
            issued = await auth.new_key(await auth.new_user())
            caller = await auth.verify(issued.secret)
    finally:
        process.send_signal(signal.SIGTERM)
        output, _ = await asyncio.wait_for(process.communicate(), timeout=60)

    assert (migration.returncode, process.returncode) == (0, 0)
    assert caller.user_limits.requests_per_minute == 7
    for secret in (PEPPER, issued.secret, urlsplit(auth_dsn).password or "", "anna@example.ru"):
        assert secret.encode() not in output + migrated


@pytest.mark.parametrize(
    ("variables", "complaint"),
    [
        pytest.param({"AUTH_KEY_PEPPER": ""}, "AUTH_KEY_PEPPER", id="empty pepper"),
        pytest.param({"AUTH_KEY_PEPPER": "hunter2"}, "AUTH_KEY_PEPPER", id="short pepper"),
        pytest.param({"AUTH_KEY_PREVIOUS_PEPPERS": "hunter2"}, "AUTH_KEY_PREVIOUS_PEPPERS", id="short earlier pepper"),
        pytest.param({"AUTH_TIER_PRO_REQUESTS_PER_DAY": "-1"}, "AUTH_TIER_PRO_REQUESTS_PER_DAY", id="negative limit"),
    ],
)
async def test_bad_settings_stop_the_start(variables: dict[str, str], complaint: str) -> None:
    """One line names the variable; its value is not repeated."""
    environment = os.environ | {
        "AUTH_POSTGRES_DSN": "postgresql://x",
        "AUTH_REDIS_URL": "redis://x",
        "AUTH_KEY_PEPPER": PEPPER,
        **variables,
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.auth", "serve"), env=environment, stdout=-1, stderr=-2
    )

    output, _ = await asyncio.wait_for(process.communicate(), timeout=60)

    assert process.returncode == 1
    assert re.search(rf"^\s*{complaint}: ", output.decode(), re.MULTILINE)
    assert b"hunter2" not in output


async def test_upkeep_survives_a_job_that_fails(clock: FakeClock) -> None:
    """A failure is counted and the job tried again soon, an hourly one too."""
    runs: list[float] = []

    async def job() -> None:
        runs.append(clock.monotonic())
        if len(runs) == 1:
            raise Unavailable(ErrorReason.DATABASE_ERROR, "gone")
        if len(runs) == 2:
            raise ZeroDivisionError

    task = asyncio.ensure_future(repeat(job, name="test", every_s=3600, clock=clock))
    for seconds in (10, 10, 3600):
        while not clock.sleepers:
            await asyncio.sleep(0)
        clock.advance(seconds)
        await asyncio.sleep(0)
    task.cancel()

    assert runs == [0, 10, 20, 3620]
    assert REGISTRY.get_sample_value("razvilka_auth_upkeep_failures_total", {"task": "test"}) == 2


async def test_an_upkeep_that_is_postponed_says_who_refused_what(clock: FakeClock) -> None:
    """Away, read-only and full are one reason to callers, and three pages to whoever mends it."""

    async def job() -> None:
        async with open_pool(PostgresSettings(dsn=NOBODY)) as pool:
            with database_errors():
                await pool.fetchval("SELECT 1")

    with capture_logs() as logs:
        task = asyncio.ensure_future(repeat(job, name="test", every_s=3600, clock=clock))
        while not clock.sleepers:
            await asyncio.sleep(0)
        task.cancel()

    (line,) = logs
    assert (line["event"], line["cause"]) == ("auth.upkeep_postponed", "ConnectionRefusedError")
    assert "Connect call failed" in line["error"]
