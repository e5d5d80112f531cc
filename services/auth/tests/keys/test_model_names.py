"""Names of models over the real server and database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg
import pytest
from razvilka.auth.v1 import auth_pb2 as pb

from servicekit.errors import InvalidRequest, NotFound
from services.auth.shared.domain.model_names import joined

if TYPE_CHECKING:
    from services.auth.tests.conftest import AuthCaller


async def test_a_key_has_its_user_s_names_and_its_own_and_keeps_them_when_rotated(auth: AuthCaller) -> None:
    """Its own count first."""
    user = await auth.new_user()
    issued = await auth.new_key(user)
    other = await auth.new_key(user)
    await auth.call(pb.SetModelNamesRequest(user_id=user, names={"gpt-4o": "pro", "default": "lite"}))
    await auth.call(pb.SetModelNamesRequest(user_id=user, key_id=issued.key.id, names={"gpt-4o": "max"}))

    caller = await auth.verify(issued.secret)
    assert dict(caller.model_names) == {"gpt-4o": "max", "default": "lite"}
    assert dict((await auth.verify(other.secret)).model_names) == {"gpt-4o": "pro", "default": "lite"}
    told = await auth.call(pb.GetModelNamesRequest(user_id=user, key_id=issued.key.id))
    assert dict(told.names) == {"gpt-4o": "max"}

    maker = pb.Authority(scopes=caller.scopes, subject=f"key:{other.key.id}")
    rotated = await auth.call(pb.RotateApiKeyRequest(user_id=user, key_id=issued.key.id, overlap_s=0, maker=maker))
    assert dict((await auth.verify(rotated.secret)).model_names) == {"gpt-4o": "max", "default": "lite"}
    # An empty set is a set: nothing is meant by anything any more.
    await auth.call(pb.SetModelNamesRequest(user_id=user))
    assert dict((await auth.verify(other.secret)).model_names) == {}


async def test_nobody_names_models_for_another_s_key(auth: AuthCaller, auth_pool: asyncpg.Pool[asyncpg.Record]) -> None:
    """It answers as a key that is not there; what was set is in the audit log."""
    owner, thief = await auth.new_user("owner@x.ru"), await auth.new_user("thief@x.ru")
    issued = await auth.new_key(owner)
    for request in (
        pb.SetModelNamesRequest(user_id=thief, key_id=issued.key.id, names={"*": "dear"}),
        pb.GetModelNamesRequest(user_id=thief, key_id=issued.key.id),
    ):
        with pytest.raises(NotFound):
            await auth.call(request)
    await auth.call(pb.SetModelNamesRequest(user_id=owner, key_id=issued.key.id, names={"*": "pro"}))

    assert dict((await auth.verify(issued.secret)).model_names) == {"*": "pro"}
    logged = await auth_pool.fetch("SELECT actor, subject FROM auth.audit_log WHERE action = 'models.named'")
    assert [tuple(row) for row in logged] == [(f"user:{owner}", f"key:{issued.key.id}")]


@pytest.mark.parametrize(
    "names", [{"": "pro"}, {"a": ""}, {"a\n": "pro"}, {"a" * 257: "pro"}, {str(at): "pro" for at in range(51)}]
)
async def test_names_that_are_none_are_refused(auth: AuthCaller, names: dict[str, str]) -> None:
    """Before anything is stored."""
    user = await auth.new_user()

    with pytest.raises(InvalidRequest) as caught:
        await auth.call(pb.SetModelNamesRequest(user_id=user, names=names))

    assert (caught.value.param or "").startswith("names")


def test_a_pin_of_the_key_counts_before_all_names_of_its_user() -> None:
    """ "This key always 5.1" is no suggestion."""
    assert joined({"gpt-4o": "pro"}, {"*": "5.1"}) == {"*": "5.1"}
    assert joined({"*": "pro"}, {"gpt-4o": "max"}) == {"*": "pro", "gpt-4o": "max"}
