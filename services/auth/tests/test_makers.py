"""How it stands with credentials by which something was made that another service keeps."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from razvilka.auth.v1 import auth_pb2, owners_pb2
from razvilka.auth.v1.auth_pb2_grpc import AuthServiceStub
from razvilka.auth.v1.owners_pb2_grpc import OwnerServiceStub

from servicekit.errors import InvalidRequest
from servicekit.rpc_client import unary
from servicekit.testing import FakeClock
from servicekit.testing.ready_channel import ready_channel
from services.auth.server import running
from services.auth.settings import AuthSettings
from services.auth.tests.conftest import AuthCaller

LONG_S = 60.0
LIVE, DISABLED, ENDED = owners_pb2.STANDING_LIVE, owners_pb2.STANDING_DISABLED, owners_pb2.STANDING_ENDED
BOTH = ["notifications:write", "usage:read"]
INSERT_CLIENT = """
INSERT INTO auth.oauth_clients (id, name, auth_methods, redirect_uris, scopes, grant_types, created_at)
VALUES ($1, 'app', '{none}', '{}', '{}', '{authorization_code}', $2)
"""
INSERT_GRANT = """
INSERT INTO auth.oauth_grants
    (id, kind, client_id, user_id, consent_id, scopes, created_at, last_used_at, expires_at, revoked_at)
VALUES ($1, 'authorization_code', $2, $3, $1, '{usage:read,notifications:write}', $4, $4, $5, $6)
"""


class Asking:
    """A running auth service, and the question."""

    def __init__(self, auth: AuthCaller, stub: Any, pool: asyncpg.Pool[asyncpg.Record], clock: FakeClock) -> None:
        self.auth = auth
        self.pool = pool
        self.clock = clock
        self._stub = stub

    async def makers(self, *subjects: str) -> dict[str, tuple[int, list[str]]]:
        request = owners_pb2.GetOwnersRequest(makers=subjects)
        answer = await unary(self._stub.GetOwners, request, deadline_s=LONG_S)
        return {each.subject: (each.standing, list(each.scopes)) for each in answer.makers}

    async def key(self, user_id: str, **fields: Any) -> str:
        return f"key:{(await self.auth.new_key(user_id, scopes=BOTH, **fields)).key.id}"

    async def rotate(self, user_id: str, key: str, overlap_s: int = 0) -> str:
        request = auth_pb2.RotateApiKeyRequest(
            user_id=user_id, key_id=key.removeprefix("key:"), overlap_s=overlap_s, by_operator=True
        )
        # Of two keys of one line the younger one is the one that was made later.
        self.clock.advance(1)
        return f"key:{(await self.auth.call(request)).key.id}"

    async def grant(self, user_id: str, id: str, client_id: str = "app", **over: Any) -> str:
        now = self.clock.now()
        row = (id, client_id, user_id, now, over.get("expires_at"), over.get("revoked_at"))
        await self.pool.execute(INSERT_GRANT, *row)
        return f"grant:{id}"

    async def disable(self, subject: str) -> None:
        await self.pool.execute("INSERT INTO auth.disabled_credentials VALUES ($1, $1, now())", subject)


@pytest.fixture
async def asking(
    auth_settings: AuthSettings, auth_pool: asyncpg.Pool[asyncpg.Record], auth_dsn: str, clock: FakeClock
) -> AsyncIterator[Asking]:
    async with running(auth_settings, clock) as port, ready_channel(port) as channel:
        await auth_pool.execute(INSERT_CLIENT, "app", clock.now())
        caller = AuthCaller(AuthServiceStub(channel), auth_dsn)
        yield Asking(caller, OwnerServiceStub(channel), auth_pool, clock)


async def test_keys_live_until_they_are_revoked_or_over(asking: Asking, clock: FakeClock) -> None:
    """With the scopes that they have; one that never was has ended, too."""
    user_id = await asking.auth.new_user()
    end = Timestamp()
    end.FromDatetime(clock.now() + timedelta(days=1))
    there, revoked, over = [await asking.key(user_id, **f) for f in ({}, {}, {"expires_at": end})]
    await asking.auth.revoke(user_id, revoked.removeprefix("key:"))
    before = await asking.makers(over)
    clock.advance(86_400)

    found = await asking.makers(there, revoked, over, "key:nobody")

    assert before == {over: (LIVE, BOTH)}
    assert found == {there: (LIVE, BOTH), revoked: (ENDED, []), over: (ENDED, []), "key:nobody": (ENDED, [])}


async def test_a_rotated_key_stands_as_the_one_that_took_its_place(asking: Asking) -> None:
    """What it made of keys goes on with its successor as well; what that one made does not go back to it."""
    user_id = await asking.auth.new_user()
    first = await asking.key(user_id)
    second = await asking.rotate(user_id, first)
    third = await asking.rotate(user_id, second, overlap_s=3600)
    rotated = await asking.makers(first, second, third)
    await asking.auth.revoke(user_id, third.removeprefix("key:"))

    found = await asking.makers(first, second, third)

    assert rotated == dict.fromkeys((first, second, third), (LIVE, BOTH))
    assert found == {first: (LIVE, BOTH), second: (LIVE, BOTH), third: (ENDED, [])}
    asking.clock.advance(3600)
    assert await asking.makers(first, second) == dict.fromkeys((first, second), (ENDED, []))


async def test_a_narrowed_key_tells_the_scopes_that_are_left(asking: Asking) -> None:
    """By them what it made is judged."""
    user_id = await asking.auth.new_user()
    key = await asking.key(user_id)
    await asking.pool.execute("UPDATE auth.api_keys SET scopes = '{usage:read}' WHERE 'key:' || id = $1", key)

    found = await asking.makers(key)

    assert found == {key: (LIVE, ["usage:read"])}


async def test_grants_live_until_they_are_revoked_or_over_or_their_application_is_deleted(
    asking: Asking, clock: FakeClock
) -> None:
    """All grants of an application go with its row."""
    user_id, now = await asking.auth.new_user(), clock.now()
    await asking.pool.execute(INSERT_CLIENT, "deleted", now)
    there = await asking.grant(user_id, "there", expires_at=now + timedelta(days=1))
    revoked = await asking.grant(user_id, "revoked", revoked_at=now)
    over = await asking.grant(user_id, "over", expires_at=now)
    gone = await asking.grant(user_id, "gone", "deleted")
    await asking.pool.execute("DELETE FROM auth.oauth_clients WHERE id = 'deleted'")

    found = await asking.makers(there, revoked, over, gone)

    assert found == {there: (LIVE, BOTH), **dict.fromkeys((revoked, over, gone), (ENDED, []))}


@pytest.mark.parametrize("of_whom", ["grant:g", "client:app", "key"])
async def test_what_an_administrator_disabled_has_not_ended(asking: Asking, of_whom: str) -> None:
    """It may be enabled again, so it is told with what it may do then."""
    user_id = await asking.auth.new_user()
    maker = await (asking.key(user_id) if of_whom == "key" else asking.grant(user_id, "g"))
    await asking.disable(maker if of_whom == "key" else of_whom)

    found = await asking.makers(maker)

    assert found == {maker: (DISABLED, BOTH)}


async def test_what_is_no_credential_of_ours_is_not_judged(asking: Asking) -> None:
    """A kind of a later release is not told of; a question about too many is refused."""
    with pytest.raises(InvalidRequest, match="500"):
        await asking.makers(*(f"key:{n}" for n in range(501)))

    assert await asking.makers("device:1", "", "key:no\0body") == {}


async def test_a_consent_lives_as_long_as_anything_that_came_of_it(asking: Asking) -> None:
    """An application that was let in again without a question spends, and keeps files, under its first grant."""
    user_id = await asking.auth.new_user()
    now = asking.clock.now()
    await asking.grant(user_id, "first", revoked_at=now)
    await asking.grant(user_id, "again")
    await asking.pool.execute("UPDATE auth.oauth_grants SET consent_id = 'first' WHERE id = 'again'")
    await asking.grant(user_id, "over", expires_at=now)
    asked = ("consent:first", "consent:again", "consent:over", "consent:nobody")

    live = await asking.makers(*asked)
    await asking.disable("grant:again")
    disabled = await asking.makers(*asked)
    await asking.pool.execute("UPDATE auth.oauth_grants SET revoked_at = $1 WHERE id = 'again'", now)

    assert {subject: standing for subject, (standing, _) in live.items()} == dict(
        zip(asked, (LIVE, LIVE, ENDED, ENDED), strict=True)
    )
    assert {subject: standing for subject, (standing, _) in disabled.items()} == dict(
        zip(asked, (DISABLED, DISABLED, ENDED, ENDED), strict=True)
    )
    assert await asking.makers(*asked) == dict.fromkeys(asked, (ENDED, []))
