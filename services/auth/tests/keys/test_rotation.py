"""Rotation: a new key beside the old one, which ends when the overlap is over."""

from __future__ import annotations

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from razvilka.auth.v1 import auth_pb2 as pb

from servicekit.errors import InvalidRequest, NotFound, Unauthenticated
from servicekit.testing import FakeClock
from services.auth.tests.conftest import AuthCaller


async def test_both_keys_work_until_the_overlap_is_over(auth: AuthCaller, clock: FakeClock) -> None:
    """Programs have time to change; then the old key is worth nothing."""
    user = await auth.new_user()
    old = await auth.new_key(user, scopes=["models:read"], models=["gigachat-pro"], budget_micro_rub=5, budget_period=1)

    new = await auth.call(pb.RotateApiKeyRequest(user_id=user, key_id=old.key.id, overlap_s=60))

    callers = [await auth.verify(old.secret), await auth.verify(new.secret)]
    assert [list(caller.models) for caller in callers] == [["gigachat-pro"], ["gigachat-pro"]]
    assert (new.key.name, list(new.key.scopes), new.key.budget_micro_rub) == ("laptop", ["models:read"], 5)
    assert new.key.id != old.key.id
    assert not new.key.HasField("expires_at")
    clock.advance(61)
    with pytest.raises(Unauthenticated):
        await auth.verify(old.secret)
    assert (await auth.verify(new.secret)).key_id == new.key.id


async def test_without_an_overlap_the_old_key_ends_now(auth: AuthCaller) -> None:
    """It is revoked, so the gateways hear of it."""
    user = await auth.new_user()
    old = await auth.new_key(user)

    await auth.call(pb.RotateApiKeyRequest(user_id=user, key_id=old.key.id))

    listed = await auth.call(pb.ListApiKeysRequest(user_id=user))
    assert {key.id: key.HasField("revoked_at") for key in listed.keys}[old.key.id]
    with pytest.raises(Unauthenticated):
        await auth.verify(old.secret)


async def test_an_overlap_never_prolongs_a_key(auth: AuthCaller, clock: FakeClock) -> None:
    """The old key keeps its own, earlier end; the new one has the same."""
    user = await auth.new_user()
    soon = Timestamp(seconds=int(clock.now().timestamp()) + 30)
    old = await auth.new_key(user, expires_at=soon)

    new = await auth.call(pb.RotateApiKeyRequest(user_id=user, key_id=old.key.id, overlap_s=3600))

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
            await auth.call(pb.RotateApiKeyRequest(user_id=owner, key_id=key_id, overlap_s=60))
    for overlap_s in (-1, 10**9):
        with pytest.raises(InvalidRequest):
            await auth.call(pb.RotateApiKeyRequest(user_id=user, key_id=live.key.id, overlap_s=overlap_s))
    assert len((await auth.call(pb.ListApiKeysRequest(user_id=user))).keys) == 2
