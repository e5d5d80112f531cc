"""SIGKILL between the use of a code or refresh token and its answer: no grant is lost, none is made twice."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import asyncpg
import pytest
from razvilka.auth.v1.oauth_pb2_grpc import OAuthServiceStub

from servicekit import rpc_client
from servicekit.clock import SystemClock
from servicekit.errors import Unavailable
from servicekit.testing.ready_channel import ready_channel
from services.auth.server import running
from services.auth.settings import AuthSettings
from services.auth.tests.conftest import PEPPER
from services.auth.tests.oauth.conftest import ISSUER
from services.auth.tests.oauth.flow import Flow, MemorySessions
from tools.testing.patience import patient_variables


@pytest.fixture
async def survivor(
    oauth_settings: Callable[..., AuthSettings],
    sessions: MemorySessions,
    auth_pool: asyncpg.Pool[asyncpg.Record],
    auth_dsn: str,
) -> AsyncIterator[Flow]:
    """Return a server that lives, on the machine's own time."""
    clock = SystemClock()
    await auth_pool.execute("UPDATE auth.oauth_signing_keys SET created_at = $1, signs_from = $1", clock.now())
    async with (
        running(oauth_settings(code_ttl_s=600, refresh_grace_s=60), clock, sessions=sessions) as port,
        ready_channel(port) as channel,
    ):
        flow = Flow(auth_dsn, OAuthServiceStub(channel), sessions, clock.now)
        await flow.log_in()
        yield flow


@asynccontextmanager
async def doomed(
    settings: AuthSettings, port: int, failpoint: str
) -> AsyncIterator[tuple[Flow, asyncio.subprocess.Process]]:
    """Run a server as a process of its own that kills itself at a failpoint."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AUTH_")} | {
        "AUTH_POSTGRES_DSN": settings.postgres.dsn.get_secret_value(),
        "AUTH_REDIS_URL": settings.redis.url.get_secret_value(),
        **patient_variables("auth"),
        "AUTH_KEY_PEPPER": PEPPER,
        "AUTH_GRPC_PORT": str(port),
        "AUTH_OAUTH_ISSUER": ISSUER,
        "RAZVILKA_FAILPOINT": failpoint,
        "RAZVILKA_FAILPOINTS_ALLOWED": "1",
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.auth", "serve"), env=environment, stdout=-3, stderr=-3
    )
    try:
        async with rpc_client.open_channel(f"127.0.0.1:{port}") as channel, asyncio.timeout(60):
            while not await rpc_client.is_serving(channel):
                await asyncio.sleep(0.05)
            yield Flow("", OAuthServiceStub(channel), MemorySessions(), None), process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_killed_before_the_commit_nothing_has_happened(
    survivor: Flow, oauth_settings: Callable[..., AuthSettings], free_port: int, auth_pool: asyncpg.Pool[asyncpg.Record]
) -> None:
    """The code is as good as before, at another replica; it makes one grant."""
    app = await survivor.app()
    code = await survivor.code(app)

    async with doomed(oauth_settings(), free_port, "auth.code_redeemed_before_commit") as (victim, process):
        with pytest.raises(Unavailable):
            await victim.redeem(app, code)
        killed_by = await process.wait()
    token = await survivor.redeem(app, code)

    assert killed_by == -signal.SIGKILL
    assert token.access_token
    assert await auth_pool.fetchval("SELECT count(*) FROM auth.oauth_grants") == 1


async def test_killed_after_the_commit_nothing_happens_twice(
    survivor: Flow, oauth_settings: Callable[..., AuthSettings], free_port: int, auth_pool: asyncpg.Pool[asyncpg.Record]
) -> None:
    """The code is used up and made one grant; presented again it is a replay, which ends that grant."""
    app = await survivor.app()
    code = await survivor.code(app)

    async with doomed(oauth_settings(), free_port, "auth.code_redeemed") as (victim, process):
        with pytest.raises(Unavailable):
            await victim.redeem(app, code)
        await process.wait()
    live = await auth_pool.fetchval("SELECT count(*) FROM auth.oauth_grants WHERE revoked_at IS NULL")
    again = await survivor.redeem(app, code)

    assert live == 1
    assert again.error == "invalid_grant"
    assert await auth_pool.fetchval("SELECT count(*) FROM auth.oauth_grants") == 1
    assert await auth_pool.fetchval("SELECT count(*) FROM auth.oauth_grants WHERE revoked_at IS NULL") == 0


async def test_killed_in_a_refresh_the_token_is_used_or_not(
    survivor: Flow, oauth_settings: Callable[..., AuthSettings], free_port: int, auth_pool: asyncpg.Pool[asyncpg.Record]
) -> None:
    """Before the commit the refresh token is as good as before: its client tries again and is not taken for a thief."""
    app = await survivor.app()
    token = await survivor.tokens(app)

    async with doomed(oauth_settings(), free_port, "auth.refresh_rotated_before_commit") as (victim, process):
        with pytest.raises(Unavailable):
            await victim.refresh(app, token.refresh_token)
        await process.wait()
    again = await survivor.refresh(app, token.refresh_token)

    assert again.access_token
    assert await auth_pool.fetchval("SELECT count(*) FROM auth.oauth_refresh_tokens") == 2


async def test_a_lost_answer_of_a_refresh_comes_again(
    survivor: Flow, oauth_settings: Callable[..., AuthSettings], free_port: int, auth_pool: asyncpg.Pool[asyncpg.Record]
) -> None:
    """Killed after the commit: the client that tries again at once is told the successor and stays in."""
    app = await survivor.app()
    token = await survivor.tokens(app)

    async with doomed(oauth_settings(), free_port, "auth.refresh_rotated") as (victim, process):
        with pytest.raises(Unavailable):
            await victim.refresh(app, token.refresh_token)
        await process.wait()
    again = await survivor.refresh(app, token.refresh_token)

    assert (await survivor.refresh(app, again.refresh_token)).access_token
    assert await auth_pool.fetchval("SELECT count(*) FROM auth.oauth_refresh_tokens") == 3
