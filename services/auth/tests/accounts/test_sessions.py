"""Login sessions: how they end, and that nothing else lets anybody in."""

from __future__ import annotations

import asyncio
import json
from typing import Any, TypeAlias

import asyncpg
import pytest
from razvilka.auth.v1 import account_pb2 as pb

from servicekit.errors import ErrorReason
from servicekit.testing.sampled import sampled
from services.auth.shared.cache.revocation_channel import REVOCATIONS_KEY
from services.auth.tests.accounts.conftest import ELSEWHERE, EMAIL, PASSWORD, People, StartPeople
from services.auth.tests.conftest import settings_for

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
HOUR = 3600


async def revoked(redis: Any) -> set[tuple[str, str]]:
    """Return what the gateways were told: kind and id."""
    entries = [json.loads(str(entry, "utf-8")) for entry in await redis.zrange(REVOCATIONS_KEY, 0, -1)]
    return {(entry["kind"], entry["id"]) for entry in entries}


@pytest.mark.parametrize("secret", ["", "x", "\0", "сеанс", "x" * 100_000, "*", "auth:session:*"])
async def test_garbage_is_no_session(people: People, secret: str) -> None:
    """Whatever a cookie holds, the answer is that nobody is logged in."""
    await people.seed()
    await people.log_in()

    refusal = await people.refused(pb.GetSessionRequest(session_id=secret))

    assert refusal.reason is ErrorReason.INVALID_TOKEN
    await people.call(pb.LogoutRequest(session_id=secret))


async def test_the_public_id_and_what_redis_holds_open_nothing(people: People, redis_client: Any) -> None:
    """Redis knows a session by the hash of its secret only."""
    await people.seed()
    login = await people.log_in()
    keys = [key.decode() for key in await redis_client.keys("*")]
    stolen = [login.session.id, *keys, *(key.rpartition(":")[2] for key in keys)]

    opened = [await people.is_logged_in(secret) for secret in stolen]

    assert not any(opened)
    assert not any(login.session_id in key for key in keys)
    for key in keys:
        if await redis_client.type(key) == b"hash":
            assert login.session_id.encode() not in (await redis_client.hgetall(key)).values()


async def test_every_session_key_expires(people: People, redis_client: Any) -> None:
    """Redis does not fill up with what is over."""
    await people.seed()
    await people.log_in()

    lives = {key: await redis_client.ttl(key) for key in await redis_client.keys("auth:*session*:*")}

    assert len(lives) == 2
    assert all(0 < seconds <= 14 * 24 * HOUR for seconds in lives.values())


async def test_a_session_that_is_not_used_ends(people: People) -> None:
    """Idle: 12 hours."""
    await people.seed()
    secret = (await people.log_in()).session_id
    people.clock.advance(12 * HOUR - 1)
    used = await people.is_logged_in(secret)
    people.clock.advance(12 * HOUR)

    left_alone = await people.is_logged_in(secret)

    assert (used, left_alone) == (True, False)


async def test_a_session_is_fresh_for_ten_minutes_and_again_after_the_password(people: People) -> None:
    """An unattended screen is not."""
    await people.seed()
    asked = pb.GetSessionRequest(session_id=(await people.log_in()).session_id)
    people.clock.advance(600)
    within = (await people.call(asked)).fresh
    people.clock.advance(1)
    beyond = (await people.call(asked)).fresh

    await people.call(pb.ReauthenticateRequest(session_id=asked.session_id, password=PASSWORD))

    assert (within, beyond, (await people.call(asked)).fresh) == (True, False, True)


async def test_a_busy_session_ends_too(people: People) -> None:
    """Absolute: 14 days, however often it is used."""
    await people.seed()
    secret = (await people.log_in()).session_id
    alive = []
    for _ in range(28):
        people.clock.advance(12 * HOUR - 1)
        alive.append(await people.is_logged_in(secret))
    people.clock.advance(60)

    over = await people.is_logged_in(secret)

    assert all(alive)
    assert not over


async def test_last_use_is_written_once_a_minute(people: People) -> None:
    """Reading a session does not write at each request."""
    await people.seed()
    login = await people.log_in()
    seen = []
    for seconds in (59, 1, 30):
        people.clock.advance(seconds)
        answer = await people.call(pb.GetSessionRequest(session_id=login.session_id))
        seen.append(answer.session.last_seen_at.seconds - login.session.created_at.seconds)

    assert seen == [0, 60, 60]


async def test_sessions_are_listed_and_revoked_by_public_id(people: People, redis_client: Any) -> None:
    """The list says which one is this; one ends on every gateway, the other goes on."""
    user_id = await people.seed()
    here = await people.log_in()
    people.clock.advance(5)
    there = await people.log_in(ip=ELSEWHERE)
    listed = await people.call(pb.ListSessionsRequest(user_id=user_id, current_session_id=here.session_id))

    await people.call(pb.RevokeSessionRequest(user_id=user_id, id=there.session.id))

    assert [(session.id, session.ip, session.current) for session in listed.sessions] == [
        (there.session.id, ELSEWHERE, False),
        (here.session.id, "203.0.113.7", True),
    ]
    assert await people.is_logged_in(here.session_id)
    assert not await people.is_logged_in(there.session_id)
    assert await revoked(redis_client) == {("session", there.session.id)}


@pytest.mark.parametrize("how", ["someone else's", "unknown", "ended", "NUL", "empty"])
async def test_only_own_live_sessions_can_be_revoked(people: People, how: str) -> None:
    """Anything else is not there."""
    user_id = await people.seed()
    await people.seed("boris@example.ru")
    other = await people.log_in("boris@example.ru")
    ended = await people.log_in()
    await people.call(pb.LogoutRequest(session_id=ended.session_id))
    ids = {"someone else's": other.session.id, "unknown": "1", "ended": ended.session.id, "NUL": "\0", "empty": ""}

    refusal = await people.refused(pb.RevokeSessionRequest(user_id=user_id, id=ids[how]))

    assert refusal.reason is ErrorReason.NOT_FOUND
    assert await people.is_logged_in(other.session_id)


async def test_logout_ends_the_session_everywhere_and_can_be_repeated(people: People, redis_client: Any) -> None:
    """The gateways are told once."""
    await people.seed()
    login = await people.log_in()

    for _ in range(2):
        await people.call(pb.LogoutRequest(session_id=login.session_id))

    assert not await people.is_logged_in(login.session_id)
    assert await revoked(redis_client) == {("session", login.session.id)}


async def test_losing_redis_logs_everybody_out_and_nobody_in(people: People, redis_client: Any) -> None:
    """What was lost is not made up from the database."""
    await people.seed()
    secret = (await people.log_in()).session_id

    await redis_client.flushdb()

    assert not await people.is_logged_in(secret)


async def test_redis_being_down_is_not_a_logout(start_people: StartPeople, people: People, auth_dsn: str) -> None:
    """An error that says to try again, never "you are not logged in"."""
    await people.seed()
    secret = (await people.log_in()).session_id

    async with start_people(settings_for(auth_dsn, "redis://127.0.0.1:1/0")) as blind:
        refusal = await blind.refused(pb.GetSessionRequest(session_id=secret))

    assert refusal.reason is ErrorReason.CACHE_ERROR
    assert refusal.retry_after_s


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE auth.users SET session_epoch = session_epoch + 1",
        "UPDATE auth.users SET disabled_at = now()",
        "UPDATE auth.users SET deleted_at = now()",
    ],
    ids=["epoch raised", "disabled", "deleted"],
)
async def test_the_database_ends_sessions_that_redis_still_has(people: People, auth_pool: Pool, statement: str) -> None:
    """A process killed between its commit and Redis leaves no session behind."""
    user_id = await people.seed()
    secret = (await people.log_in()).session_id

    await auth_pool.execute(statement)

    assert not await people.is_logged_in(secret)
    assert list((await people.call(pb.ListSessionsRequest(user_id=user_id))).sessions) == []


async def test_live_sessions_are_counted(people: People) -> None:
    """Metrics: those that ended, and those whose time is over, are not among them."""
    await people.seed()
    ended = await people.log_in()
    for _ in range(2):
        await people.log_in(EMAIL)
    await people.call(pb.LogoutRequest(session_id=ended.session_id))

    people.clock.advance(16)

    # The job works beside the test, and may have looked a moment before: it looks again while the seconds pass.
    async with asyncio.timeout(60):
        while sampled("razvilka_auth_active_sessions") != 2:
            await people.is_logged_in("-")
            people.clock.advance(1)


async def test_a_session_is_a_caller_with_what_its_account_may(people: People) -> None:
    """The API is asked by pages within the account's tier and scopes; `admin` only for administrators."""
    await people.seed()
    plain = (await people.call(pb.GetSessionRequest(session_id=(await people.log_in()).session_id))).caller
    await people.seed(email="root@example.com", admin=True)
    root = await people.log_in(email="root@example.com")
    admin = (await people.call(pb.GetSessionRequest(session_id=root.session_id))).caller

    assert (plain.key_id, plain.grant_id, plain.client_id) == ("", "", "")
    assert plain.user_limits.requests_per_minute > 0
    assert {"usage:read", "completions:write", "keys:write"} <= set(plain.scopes)
    assert "openid" not in plain.scopes
    assert set(admin.scopes) - set(plain.scopes) == {"admin"}
