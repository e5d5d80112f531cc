"""Rotation: a new key beside the old one, which ends when the overlap is over."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from razvilka.auth.v1 import auth_pb2 as pb

from servicekit.errors import ErrorReason, InvalidRequest, NotFound, PermissionDenied, Unauthenticated
from servicekit.testing import FakeClock
from services.auth.tests.conftest import AuthCaller


async def test_both_keys_work_until_the_overlap_is_over(auth: AuthCaller, clock: FakeClock) -> None:
    """Programs have time to change; then the old key is worth nothing."""
    user = await auth.new_user()
    old = await auth.new_key(user, scopes=["models:read"], models=["gigachat-pro"], budget_micro_rub=5, budget_period=1)

    new = await auth.call(pb.RotateApiKeyRequest(user_id=user, key_id=old.key.id, overlap_s=60, by_operator=True))

    callers = [await auth.verify(old.secret), await auth.verify(new.secret)]
    assert [list(caller.models) for caller in callers] == [["gigachat-pro"], ["gigachat-pro"]]
    assert (new.key.name, list(new.key.scopes), new.key.budget_micro_rub) == ("laptop", ["models:read"], 5)
    assert new.key.id != old.key.id
    assert not new.key.HasField("expires_at")
    clock.advance(61)
    with pytest.raises(Unauthenticated):
        await auth.verify(old.secret)
    assert (await auth.verify(new.secret)).key_id == new.key.id


async def test_a_successor_spends_on_from_the_budget_of_the_first_key(auth: AuthCaller) -> None:
    """However often a key is rotated: its budget is counted under the first of the line, so nothing is renewed."""
    user = await auth.new_user()
    issued = first = await auth.new_key(user, budget_micro_rub=5, budget_period=3)

    for _ in range(2):
        issued = await auth.call(
            pb.RotateApiKeyRequest(user_id=user, key_id=issued.key.id, overlap_s=60, by_operator=True)
        )

    caller = await auth.verify(issued.secret)
    assert caller.key_id == issued.key.id != first.key.id
    assert caller.lineage_id == first.key.id
    assert [budget.subject for budget in caller.budgets] == [f"key:{first.key.id}", f"user:{user}"]


@pytest.mark.parametrize("ttl_s", [None, 0, 600, 31 * 86_400])
async def test_a_key_says_whether_answers_to_it_are_cached(auth: AuthCaller, ttl_s: int | None) -> None:
    """To its owner, to the gateway, and so does its successor; a key that was made without is none of the cache's."""
    user = await auth.new_user()
    old = await auth.new_key(user, cache_ttl_s=ttl_s)

    new = await auth.call(pb.RotateApiKeyRequest(user_id=user, key_id=old.key.id, overlap_s=60, by_operator=True))

    listed = await auth.call(pb.ListApiKeysRequest(user_id=user))
    callers = [await auth.verify(old.secret), await auth.verify(new.secret)]
    told = [old.key, new.key, *listed.keys, *callers]
    assert [each.cache_ttl_s if each.HasField("cache_ttl_s") else None for each in told] == [ttl_s] * 6


async def test_a_key_that_is_inserted_without_a_line_begins_its_own(auth: AuthCaller, auth_dsn: str) -> None:
    """Rows brought over from release 1.0 name none."""
    user = await auth.new_user()
    key = await auth.new_key(user, budget_micro_rub=5, budget_period=3)
    connection = await asyncpg.connect(auth_dsn)
    try:
        await connection.execute(
            "INSERT INTO auth.api_keys (id, user_id, key_hash) VALUES ('old-1', $1, repeat('0', 64))", user
        )
        lines = await connection.fetch("SELECT id, lineage_id FROM auth.api_keys WHERE user_id = $1", user)
    finally:
        await connection.close()

    assert {row["id"]: row["lineage_id"] for row in lines} == {"old-1": "old-1", key.key.id: key.key.id}


async def test_a_caller_comes_with_the_time_zone_of_its_account(auth: AuthCaller, auth_dsn: str) -> None:
    """Budget periods follow it."""
    user = await auth.new_user()
    key = await auth.new_key(user)
    connection = await asyncpg.connect(auth_dsn)
    try:
        await connection.execute("UPDATE auth.users SET time_zone = 'Asia/Omsk' WHERE id = $1", user)
    finally:
        await connection.close()

    assert (await auth.verify(key.secret)).time_zone == "Asia/Omsk"


async def test_without_an_overlap_the_old_key_ends_now(auth: AuthCaller) -> None:
    """It is revoked, so the gateways hear of it."""
    user = await auth.new_user()
    old = await auth.new_key(user)

    await auth.call(pb.RotateApiKeyRequest(user_id=user, key_id=old.key.id, by_operator=True))

    listed = await auth.call(pb.ListApiKeysRequest(user_id=user))
    assert {key.id: key.HasField("revoked_at") for key in listed.keys}[old.key.id]
    with pytest.raises(Unauthenticated):
        await auth.verify(old.secret)


async def test_an_overlap_never_prolongs_a_key(auth: AuthCaller, clock: FakeClock) -> None:
    """The old key keeps its own, earlier end; the new one has the same."""
    user = await auth.new_user()
    soon = Timestamp(seconds=int(clock.now().timestamp()) + 30)
    old = await auth.new_key(user, expires_at=soon)

    new = await auth.call(pb.RotateApiKeyRequest(user_id=user, key_id=old.key.id, overlap_s=3600, by_operator=True))

    assert new.key.expires_at == soon
    clock.advance(31)
    with pytest.raises(Unauthenticated):
        await auth.verify(old.secret)


async def test_only_a_live_key_of_ones_own_is_rotated(auth: AuthCaller) -> None:
    """Revoked, absent and foreign keys are not there; the overlap has bounds."""
    user, stranger = await auth.new_user(), await auth.new_user("boris@example.ru")
    live, dead = await auth.new_key(user), await auth.new_key(user)
    await auth.revoke(user, dead.key.id)

    for owner, key_id in [(stranger, live.key.id), (user, dead.key.id), (user, "nothing"), (user, "")]:
        with pytest.raises(NotFound):
            await auth.call(pb.RotateApiKeyRequest(user_id=owner, key_id=key_id, overlap_s=60, by_operator=True))
    for overlap_s in (-1, 10**9):
        with pytest.raises(InvalidRequest):
            await auth.call(
                pb.RotateApiKeyRequest(user_id=user, key_id=live.key.id, overlap_s=overlap_s, by_operator=True)
            )
    assert len((await auth.call(pb.ListApiKeysRequest(user_id=user))).keys) == 2


async def test_a_credential_rotates_no_key_that_may_do_more_than_itself(auth: AuthCaller) -> None:
    """It is refused and the key goes on as it was; one that it could have made itself is rotated."""
    user = await auth.new_user()
    strong = await auth.new_key(user, scopes=["models:read", "profile:write"])
    weak = await auth.new_key(user, scopes=["models:read"])
    asking = await auth.new_key(user, scopes=["keys:write", "models:read"])
    maker = pb.Authority(scopes=asking.key.scopes, subject=f"key:{asking.key.id}")

    with pytest.raises(PermissionDenied) as refused:
        await auth.call(pb.RotateApiKeyRequest(user_id=user, key_id=strong.key.id, maker=maker))
    rotated = await auth.call(pb.RotateApiKeyRequest(user_id=user, key_id=weak.key.id, maker=maker))

    assert refused.value.reason is ErrorReason.INSUFFICIENT_SCOPE
    assert refused.value.details == {"required_scope": "profile:write"}
    assert not (await auth.verify(strong.secret)).HasField("expires_at")
    assert list(rotated.key.scopes) == ["models:read"]


async def test_a_key_without_an_overlap_is_replaced_in_one_transaction(
    auth: AuthCaller, auth_pool: asyncpg.Pool[Any]
) -> None:
    """Successor, revocation and both audit rows have one time."""
    user = await auth.new_user()
    old = await auth.new_key(user)

    await auth.call(pb.RotateApiKeyRequest(user_id=user, key_id=old.key.id, by_operator=True))

    events = await auth_pool.fetch(
        "SELECT action FROM auth.audit_log WHERE subject = $1 ORDER BY seq", f"key:{old.key.id}"
    )
    assert [event["action"] for event in events] == ["key.created", "key.rotated", "key.revoked"]
    assert await auth_pool.fetchval("SELECT count(*) FROM auth.revocations WHERE subject_id = $1", old.key.id) == 1
