"""What a key may do, changed: by credentials to less, by its owner in person to more."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from razvilka.auth.v1 import auth_pb2 as pb

from servicekit.errors import ErrorReason, InvalidRequest, NotFound, PermissionDenied, Unauthenticated
from servicekit.testing import FakeClock
from services.auth.tests.conftest import AuthCaller


async def change(auth: AuthCaller, user_id: str, key_id: str, **fields: Any) -> pb.ApiKey:
    """Change a key as its owner who stands at an operator's tool, or by the maker among the fields."""
    asked = {
        name: value for name, value in fields.items() if name not in ("maker", "by_operator") and value is not None
    }
    by = {"maker": fields["maker"]} if "maker" in fields else {"by_operator": True}
    changed = [name for name in fields if name not in ("maker", "by_operator")]
    answer = await auth.call(pb.ChangeApiKeyRequest(user_id=user_id, key_id=key_id, changed=changed, **asked, **by))
    found: pb.ApiKey = answer.key
    return found


def maker(key_id: str) -> pb.Authority:
    """Return the key that asks."""
    return pb.Authority(scopes=["keys:write", "models:read", "completions:write"], subject=f"key:{key_id}")


async def test_what_is_left_out_stays_and_the_key_goes_on_working(auth: AuthCaller, clock: FakeClock) -> None:
    """Its secret, its line and its budget are the same; gateways learn of it when they verify it next."""
    user = await auth.new_user()
    made = await auth.new_key(user, scopes=["models:read"], models=["gigachat"], budget_micro_rub=5, budget_period=1)
    end = Timestamp()
    end.FromDatetime(clock.now().replace(year=2030))

    changed = await change(auth, user, made.key.id, name=" сервер ", models=[], expires_at=end, cache_ttl_s=60)

    assert (changed.name, list(changed.models), changed.cache_ttl_s) == ("сервер", [], 60)
    assert (list(changed.scopes), changed.budget_micro_rub, changed.lineage_id) == (["models:read"], 5, made.key.id)
    caller = await auth.verify(made.secret)
    assert (caller.key_name, list(caller.models), caller.expires_at) == ("сервер", [], end)
    got = await auth.call(pb.GetApiKeyRequest(user_id=user, key_id=made.key.id))
    assert got.key.name == "сервер"
    assert not (await change(auth, user, made.key.id, expires_at=None)).HasField("expires_at")


@pytest.mark.parametrize("name", ["", "две\nстроки", "n" * 200])
async def test_what_a_key_of_1_0_is_called_stays_whatever_is_changed(
    auth: AuthCaller, auth_pool: asyncpg.Pool[asyncpg.Record], name: str
) -> None:
    """A move brings any name, and none; a leaked key must be narrowed without another one."""
    user = await auth.new_user()
    made = await auth.new_key(user, scopes=["models:read", "completions:write"])
    await auth_pool.execute("UPDATE auth.api_keys SET name = $2 WHERE id = $1", made.key.id, name)

    changed = await change(auth, user, made.key.id, scopes=["models:read"], ip_allow_list=["10.0.0.0/8"])

    assert (changed.name, list(changed.scopes)) == (name, ["models:read"])
    with pytest.raises(InvalidRequest) as caught:
        await change(auth, user, made.key.id, name="")
    assert caught.value.param == "name"


async def test_a_credential_narrows_and_never_widens(auth: AuthCaller) -> None:
    """Not another key, and not itself: in scopes, models, addresses or time."""
    user = await auth.new_user()
    asker = await auth.new_key(user, scopes=["keys:write", "models:read", "completions:write"])
    other = await auth.new_key(
        user,
        scopes=["models:read", "completions:write"],
        models=["gigachat", "yandexgpt"],
        ip_allow_list=["10.0.0.0/8"],
    )
    by = maker(asker.key.id)

    less = await change(
        auth, user, other.key.id, scopes=["models:read"], models=["gigachat"], ip_allow_list=["10.1.0.0/16"], maker=by
    )

    assert (list(less.scopes), list(less.models), list(less.ip_allow_list)) == (
        ["models:read"], ["gigachat"], ["10.1.0.0/16"],
    )  # fmt: skip
    more: list[dict[str, Any]] = [
        {"scopes": ["models:read", "completions:write"]}, {"models": []}, {"models": ["yandexgpt"]},
        {"ip_allow_list": []}, {"ip_allow_list": ["0.0.0.0/0"]},
    ]  # fmt: skip
    for wish in more:
        with pytest.raises(PermissionDenied, match="narrows"):
            await change(auth, user, other.key.id, **wish, maker=by)
    itself = ["keys:write", "models:read", "completions:write", "usage:read"]
    with pytest.raises(PermissionDenied):
        await change(auth, user, asker.key.id, scopes=itself, maker=by)


async def test_what_cannot_be_changed_is_refused_by_name(auth: AuthCaller) -> None:
    """Somebody else's, one that ended, no field, an unknown one, a bad value; and the administrator's scope."""
    user, stranger = await auth.new_user(), await auth.new_user("boris@example.ru")
    made, ended = await auth.new_key(user), await auth.new_key(user)
    await auth.revoke(user, ended.key.id)

    for user_id, key_id in ((stranger, made.key.id), (user, ended.key.id), (user, "nonsense"), ("", made.key.id)):
        with pytest.raises(NotFound):
            await change(auth, user_id, key_id, name="x")
    with pytest.raises(NotFound):
        await auth.call(pb.GetApiKeyRequest(user_id=stranger, key_id=made.key.id))
    past = Timestamp(seconds=1)
    bad: list[dict[str, Any]] = [
        {}, {"lineage": None}, {"name": ""}, {"scopes": []}, {"scopes": ["dance"]}, {"expires_at": past},
        {"ip_allow_list": ["here"]}, {"cache_ttl_s": -1},
    ]  # fmt: skip
    params = []
    for fields in bad:
        with pytest.raises(InvalidRequest) as refused:
            await change(auth, user, made.key.id, **fields)
        params.append(refused.value.param)
    assert params == [
        "changed", "changed", "name", "scopes", "scopes", "expires_at", "ip_allow_list", "cache.ttl_s",
    ]  # fmt: skip
    with pytest.raises(PermissionDenied):
        await change(auth, user, made.key.id, scopes=["admin"])


async def test_nobody_changes_a_key_without_showing_who_asks(auth: AuthCaller, auth_pool: Any) -> None:
    """And each change is in the audit log with the fields, never their values."""
    user = await auth.new_user()
    made = await auth.new_key(user)

    with pytest.raises(Unauthenticated) as refused:
        await auth.call(pb.ChangeApiKeyRequest(user_id=user, key_id=made.key.id, changed=["name"], name="x"))
    await change(auth, user, made.key.id, name="secret-name", models=["gigachat"])

    assert refused.value.reason is ErrorReason.INVALID_CREDENTIALS
    rows: list[asyncpg.Record] = await auth_pool.fetch(
        "SELECT subject, details::jsonb->>'fields' AS fields, details FROM auth.audit_log WHERE action = 'key.changed'"
    )
    assert [(row["subject"], row["fields"]) for row in rows] == [(f"key:{made.key.id}", "models name")]
    assert "secret-name" not in rows[0]["details"]
