"""What a password, a session or an account takes along ends also where it comes about at that very moment."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import asyncpg
import pytest

from servicekit.errors import NotFound
from servicekit.testing import FakeClock
from services.auth.oauth.domain.token import digest
from services.auth.oauth.store.codes import use_code
from services.auth.oauth.store.grant_rows import insert_grant
from services.auth.oauth.store.grants_of_user import OAuthOfUser
from services.auth.shared.store.unit_of_work import UnitOfWork
from services.auth.tests.oauth.flow import Flow
from services.auth.tests.oauth.flows.test_device import decide, poll, start
from services.auth.tests.units import begin

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
Ends: TypeAlias = Callable[[UnitOfWork, Flow], Awaitable[None]]
SET_PASSWORD = "UPDATE auth.users SET session_epoch = session_epoch + 1 WHERE id = $1"
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


async def _of_account(unit: UnitOfWork, flow: Flow) -> None:
    await OAuthOfUser().end_all(unit, flow.user_id, "password_changed")


async def _of_session(unit: UnitOfWork, flow: Flow) -> None:
    await OAuthOfUser().end_of_session(unit, flow.sessions.by_secret[flow.session].id)


async def until_somebody_waits(pool: Pool) -> None:
    """Return when a transaction waits for another."""
    async with asyncio.timeout(60):
        while not await pool.fetchval(WAITING):
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("end", [_of_account, _of_session])
async def test_a_code_that_is_being_redeemed_gives_no_grant_that_outlives_the_end(
    flow: Flow, auth_pool: Pool, clock: FakeClock, end: Ends
) -> None:
    """The grant is committed while its end is under way: it ends as well."""
    app = await flow.app()
    code = await flow.code(app)

    async def end_everything() -> None:
        async with begin(auth_pool, clock) as unit:
            await end(unit, flow)

    async with begin(auth_pool, clock) as unit:
        stored = await use_code(unit.connection, digest(code), app.client_id, unit.at)
        ending = asyncio.create_task(end_everything())
        await until_somebody_waits(auth_pool)
        assert stored is not None
        await insert_grant(unit.connection, stored.becomes(unit.at, None, None))
    await ending

    assert await auth_pool.fetchval("SELECT count(*) FROM auth.oauth_grants") == 1
    assert await auth_pool.fetchval("SELECT count(*) FROM auth.oauth_grants WHERE revoked_at IS NULL") == 0


async def test_a_device_that_was_let_in_with_the_old_password_gets_no_tokens_after_the_new_one(
    flow: Flow, auth_pool: Pool
) -> None:
    """Whoever had the session only has to fetch them later: nothing was there to be ended."""
    app = await flow.app()
    device = await start(flow, app)
    await decide(flow, device["user_code"])
    await auth_pool.execute(SET_PASSWORD, flow.user_id)

    answer = await poll(flow, app, device)

    assert answer.error == "invalid_grant"
    assert await auth_pool.fetchval("SELECT count(*) FROM auth.oauth_grants") == 0


async def test_a_code_that_is_being_given_while_a_password_is_set_is_none(flow: Flow, auth_pool: Pool) -> None:
    """The session was live when it was looked at; the codes were deleted before this one was there."""
    app = await flow.app()
    pending_id = (await flow.authorize(app)).consent.pending_id

    async with auth_pool.acquire() as other, other.transaction():
        await other.execute(SET_PASSWORD, flow.user_id)
        giving = asyncio.create_task(flow.decide(pending_id))
        await asyncio.wait(
            {giving, asyncio.create_task(until_somebody_waits(auth_pool))}, return_when="FIRST_COMPLETED"
        )
    with pytest.raises(NotFound):
        await giving

    assert await auth_pool.fetchval("SELECT count(*) FROM auth.oauth_codes") == 0
