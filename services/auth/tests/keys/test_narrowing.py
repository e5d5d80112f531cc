"""What a key made may no more than the key, also once that may less."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from razvilka.auth.v1 import auth_pb2 as pb

from servicekit.errors import Unauthenticated
from servicekit.testing import FakeClock
from services.auth.tests.conftest import AuthCaller
from services.auth.tests.keys.test_changing import change, maker

SCOPES = ["completions:write", "keys:write", "models:read"]


async def made_by(auth: AuthCaller, user: str, parent: str, **fields: Any) -> pb.CreateApiKeyResponse:
    """Make a key with a key."""
    given = {"scopes": SCOPES} | fields
    request = pb.CreateApiKeyRequest(user_id=user, name="k", maker=maker(parent), **given)
    answer: pb.CreateApiKeyResponse = await auth.call(request)
    return answer


def powers(caller: pb.Caller) -> tuple[list[str], ...]:
    """Return the lists of what a caller may do."""
    return sorted(caller.scopes), list(caller.models), list(caller.ip_allow_list)


async def test_what_a_narrowed_key_made_is_narrowed_to_the_last_generation(
    auth: AuthCaller, auth_pool: asyncpg.Pool[asyncpg.Record]
) -> None:
    """In scopes, models and addresses; what was narrower stays as it was, and the audit log names why."""
    user = await auth.new_user()
    first = await auth.new_key(user, scopes=SCOPES)
    child = await made_by(auth, user, first.key.id, ip_allow_list=["10.0.0.0/8", "192.0.2.0/24"])
    grandchild = await made_by(
        auth, user, child.key.id, models=["gigachat", "yandexgpt"], ip_allow_list=["10.1.2.0/24"]
    )
    narrow = await made_by(auth, user, first.key.id, scopes=["models:read"], models=["gigachat"])

    await change(
        auth,
        user,
        first.key.id,
        scopes=["keys:write", "models:read"],
        models=["gigachat"],
        ip_allow_list=["10.1.0.0/16"],
    )

    cut = ["keys:write", "models:read"], ["gigachat"]
    assert powers(await auth.verify(child.secret)) == (*cut, ["10.1.0.0/16"])
    assert powers(await auth.verify(grandchild.secret)) == (*cut, ["10.1.2.0/24"])
    assert powers(await auth.verify(narrow.secret)) == (["models:read"], ["gigachat"], ["10.1.0.0/16"])
    noted = await auth_pool.fetch("SELECT subject FROM auth.audit_log WHERE details ->> 'reason' = 'maker_narrowed'")
    assert {row["subject"] for row in noted} == {f"key:{each.key.id}" for each in (child, grandchild, narrow)}


async def test_what_a_key_made_ends_at_the_date_that_the_key_got_later(auth: AuthCaller, clock: FakeClock) -> None:
    """A key without an end made others without one; a later change to its name or to more changes none of them."""
    user = await auth.new_user()
    first = await auth.new_key(user, scopes=SCOPES)
    child = await made_by(auth, user, first.key.id)
    end = Timestamp()
    end.FromDatetime(clock.now() + timedelta(hours=1))

    await change(auth, user, first.key.id, name="сервер")
    assert not (await auth.verify(child.secret)).HasField("expires_at")
    await change(auth, user, first.key.id, expires_at=end)
    await change(auth, user, first.key.id, expires_at=None)

    assert (await auth.verify(child.secret)).expires_at == end
    clock.advance(3600)
    with pytest.raises(Unauthenticated):
        await auth.verify(child.secret)


@pytest.mark.parametrize(
    ("of_child", "of_maker"),
    [
        pytest.param({"scopes": ["completions:write"]}, {"scopes": ["models:read", "keys:write"]}, id="scopes"),
        pytest.param({"models": ["gigachat"]}, {"models": ["yandexgpt"]}, id="models"),
        pytest.param({"ip_allow_list": ["10.0.0.0/8"]}, {"ip_allow_list": ["192.0.2.0/24"]}, id="addresses"),
    ],
)
async def test_what_nothing_is_left_of_ends_with_all_that_it_made(
    auth: AuthCaller, of_child: dict[str, Any], of_maker: dict[str, Any]
) -> None:
    """An empty list would allow everything."""
    user = await auth.new_user()
    first = await auth.new_key(user, scopes=SCOPES)
    child = await made_by(auth, user, first.key.id, **{"scopes": SCOPES} | of_child)
    free = await made_by(auth, user, first.key.id)

    await change(auth, user, first.key.id, **of_maker)

    with pytest.raises(Unauthenticated):
        await auth.verify(child.secret)
    assert (await auth.verify(free.secret)).key_id == free.key.id
