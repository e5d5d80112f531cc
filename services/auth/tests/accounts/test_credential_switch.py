"""An administrator switches keys, applications and grants off and on; what they made goes with them."""

from __future__ import annotations

from typing import TypeAlias

import asyncpg
import pytest
from razvilka.auth.v1 import account_pb2 as pb
from razvilka.auth.v1 import auth_pb2

from servicekit.errors import ErrorReason, ServiceError
from services.auth.tests.accounts.conftest import People
from services.auth.tests.accounts.test_passwords import give_grant

ADMIN = "admin@example.ru"
KEY, CLIENT, GRANT = pb.CREDENTIAL_KIND_KEY, pb.CREDENTIAL_KIND_CLIENT, pb.CREDENTIAL_KIND_GRANT
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


class Switch:
    """An administrator at the switch."""

    def __init__(self, people: People, admin: str) -> None:
        self.people = people
        self.admin = admin

    async def off(self, kind: pb.CredentialKind.ValueType, id: str) -> None:
        await self.people.call(self.order(kind, id, disabled=True))

    async def on(self, kind: pb.CredentialKind.ValueType, id: str) -> None:
        await self.people.call(self.order(kind, id, disabled=False))

    def order(self, kind: pb.CredentialKind.ValueType, id: str, *, disabled: bool) -> pb.SetCredentialDisabledRequest:
        return pb.SetCredentialDisabledRequest(admin_user_id=self.admin, kind=kind, id=id, disabled=disabled)


@pytest.fixture
async def switch(people: People) -> Switch:
    """Return the switch of an administrator."""
    return Switch(people, await people.seed(ADMIN, admin=True))


async def works(people: People, secret: str) -> bool:
    """Tell whether a key is accepted."""
    try:
        await people.auth.verify(secret)
    except ServiceError as exc:
        if exc.reason is not ErrorReason.INVALID_KEY:
            raise
        return False
    return True


async def made_by(people: People, user: str, maker: auth_pb2.CreateApiKeyResponse) -> auth_pb2.CreateApiKeyResponse:
    """Return a key that another key made."""
    authority = auth_pb2.Authority(subject=f"key:{maker.key.id}", scopes=maker.key.scopes)
    request = auth_pb2.CreateApiKeyRequest(user_id=user, name="child", scopes=["models:read"], maker=authority)
    answer: auth_pb2.CreateApiKeyResponse = await people.auth.call(request)
    return answer


async def told(pool: Pool) -> list[str]:
    """Return what the gateways were told to ask about again."""
    rows = await pool.fetch("SELECT subject_id FROM auth.revocations WHERE kind = 'changed' ORDER BY number")
    return [row["subject_id"] for row in rows]


async def test_a_disabled_key_works_again_when_it_is_enabled(people: People, switch: Switch, auth_pool: Pool) -> None:
    """It is not revoked: the same secret counts again. Gateways are told both times, and the log has it."""
    user = await people.seed()
    key, other = await people.auth.new_key(user), await people.auth.new_key(user, "other")

    await switch.off(KEY, key.key.id)
    while_off = await works(people, key.secret), await works(people, other.secret)
    listed = await people.auth.call(auth_pb2.ListApiKeysRequest(user_id=user))
    await switch.on(KEY, key.key.id)

    assert while_off == (False, True)
    assert {each.id: each.disabled for each in listed.keys} == {key.key.id: True, other.key.id: False}
    assert await works(people, key.secret)
    assert await told(auth_pool) == [f"key:{key.key.id}"] * 2
    rows = await auth_pool.fetch(
        "SELECT action, actor FROM auth.audit_log WHERE subject = $1 ORDER BY seq", f"key:{key.key.id}"
    )
    assert [(row["action"], row["actor"]) for row in rows][-2:] == [
        ("key.disabled", f"user:{switch.admin}"),
        ("key.enabled", f"user:{switch.admin}"),
    ]


async def test_doing_it_again_changes_nothing(people: People, switch: Switch, auth_pool: Pool) -> None:
    """No second audit row, nothing told."""
    key = await people.auth.new_key(await people.seed())
    await switch.off(KEY, key.key.id)

    await switch.off(KEY, key.key.id)

    assert await told(auth_pool) == [f"key:{key.key.id}"]


async def test_what_a_disabled_key_made_is_off_with_it(people: People, switch: Switch) -> None:
    """To the last generation; and nothing new can be made or rotated while it is off."""
    user = await people.seed()
    scopes = ["keys:write", "models:read"]
    top = await people.auth.new_key(user, scopes=scopes)
    child = await made_by(people, user, top)

    await switch.off(KEY, top.key.id)

    assert not await works(people, child.secret)
    with pytest.raises(ServiceError) as making:
        await made_by(people, user, top)
    with pytest.raises(ServiceError) as rotating:
        await people.auth.call(auth_pb2.RotateApiKeyRequest(user_id=user, key_id=child.key.id, by_operator=True))
    assert (making.value.reason, rotating.value.reason) == (ErrorReason.INVALID_KEY, ErrorReason.NOT_FOUND)
    await switch.on(KEY, top.key.id)
    assert await works(people, child.secret)


async def test_what_was_disabled_for_itself_stays_so(people: People, switch: Switch) -> None:
    """Enabling its maker does not enable it; enabling it does not while its maker is off."""
    user = await people.seed()
    top = await people.auth.new_key(user, scopes=["keys:write", "models:read"])
    child = await made_by(people, user, top)
    await switch.off(KEY, top.key.id)
    await switch.off(KEY, child.key.id)

    await switch.on(KEY, top.key.id)
    by_the_maker = await works(people, child.secret)
    await switch.off(KEY, top.key.id)
    await switch.on(KEY, child.key.id)
    by_itself = await works(people, child.secret)
    await switch.on(KEY, top.key.id)

    assert (by_the_maker, by_itself) == (False, False)
    assert await works(people, child.secret)


async def test_who_may_switch_and_what(people: People, switch: Switch) -> None:
    """Administrators; what is there, not revoked, and of a kind."""
    user = await people.seed()
    live, revoked = await people.auth.new_key(user), await people.auth.new_key(user, "old")
    await people.auth.revoke(user, revoked.key.id)
    by_nobody = Switch(people, user)
    orders = [
        by_nobody.order(KEY, live.key.id, disabled=True),
        switch.order(KEY, "nothing", disabled=True),
        switch.order(CLIENT, "nothing", disabled=True),
        switch.order(GRANT, "nothing", disabled=False),
        switch.order(KEY, revoked.key.id, disabled=True),
        switch.order(pb.CREDENTIAL_KIND_UNSPECIFIED, live.key.id, disabled=True),
    ]

    reasons = [(await people.refused(order)).reason for order in orders]

    assert reasons == [
        ErrorReason.PERMISSION_DENIED,
        ErrorReason.NOT_FOUND,
        ErrorReason.NOT_FOUND,
        ErrorReason.NOT_FOUND,
        ErrorReason.CONFLICT,
        ErrorReason.INVALID_PARAMETERS,
    ]
    assert await works(people, live.secret)


async def test_a_revoked_key_stays_revoked(people: People, switch: Switch) -> None:
    """Its owner may end a key that is off; enabling finds nothing to enable."""
    user = await people.seed()
    key = await people.auth.new_key(user)
    await switch.off(KEY, key.key.id)

    await people.auth.revoke(user, key.key.id)

    refused = await people.refused(switch.order(KEY, key.key.id, disabled=False))
    assert refused.reason is ErrorReason.CONFLICT
    assert not await works(people, key.secret)


async def test_a_grant_that_ended_while_it_was_off_can_be_switched_on(
    people: People, switch: Switch, auth_pool: Pool
) -> None:
    """It bars what would take its place until then; one that simply ended has nothing to switch."""
    user = await people.seed()
    for grant_id in ("barred", "ended"):
        await give_grant(auth_pool, grant_id, user)
    await switch.off(GRANT, "barred")
    await auth_pool.execute("UPDATE auth.oauth_grants SET revoked_at = now()")

    await switch.on(GRANT, "barred")

    left = await auth_pool.fetchval("SELECT count(*) FROM auth.disabled_credentials")
    for grant_id, disabled in (("barred", False), ("barred", True), ("ended", False), ("ended", True)):
        refused = await people.refused(switch.order(GRANT, grant_id, disabled=disabled))
        assert refused.reason is ErrorReason.CONFLICT
    assert left == await auth_pool.fetchval("SELECT count(*) FROM auth.disabled_credentials") == 0
