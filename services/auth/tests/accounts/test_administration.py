"""An administrator shuts accounts and opens them again."""

from __future__ import annotations

import asyncio
import json

import asyncpg
import pytest
from razvilka.auth.v1 import account_pb2 as pb
from razvilka.auth.v1 import auth_pb2

from servicekit.errors import ErrorReason, ServiceError, Unauthenticated
from services.auth.tests.accounts.conftest import People, audit_actions

ADMIN = "admin@example.ru"
INSERT_CLIENT = """
INSERT INTO auth.oauth_clients (id, owner_user_id, name, auth_methods, redirect_uris, scopes, grant_types, created_at)
VALUES ($1, $2, 'App', '{none}', '{}', '{}', '{}', now())
"""
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
OFF = "SELECT DISTINCT subject FROM auth.disabled_credentials ORDER BY subject"


async def test_only_an_administrator_shuts_an_account(people: People) -> None:
    """Whose own account is open; not their own; and only one that is there."""
    admin, user, other = await people.seed(ADMIN, admin=True), await people.seed(), await people.seed("o@example.ru")

    refusals = [
        await people.refused(pb.SetUserDisabledRequest(admin_user_id=asker, user_id=about, disabled=True))
        for asker, about in ((other, user), ("nobody", user), (admin, admin), (admin, "nobody"))
    ]

    assert [refusal.reason for refusal in refusals] == [
        ErrorReason.PERMISSION_DENIED,
        ErrorReason.NOT_FOUND,
        ErrorReason.INVALID_PARAMETERS,
        ErrorReason.NOT_FOUND,
    ]


async def test_two_administrators_who_shut_each_other_out_leave_one(
    people: People, auth_pool: asyncpg.Pool[asyncpg.Record]
) -> None:
    """Both were administrators when they asked; the second to be served is none any more."""
    first, second = await people.seed(ADMIN, admin=True), await people.seed("second@example.ru", admin=True)
    orders = [
        pb.SetUserDisabledRequest(admin_user_id=asker, user_id=about, disabled=True)
        for asker, about in ((first, second), (second, first))
    ]

    async with auth_pool.acquire() as other, other.transaction():
        await other.execute("SELECT FROM auth.users FOR UPDATE")
        asking = [asyncio.create_task(people.call(order)) for order in orders]
        async with asyncio.timeout(60):
            while await auth_pool.fetchval(WAITING) < len(asking):
                await asyncio.sleep(0.01)
    answers = await asyncio.gather(*asking, return_exceptions=True)

    refused = [answer for answer in answers if isinstance(answer, ServiceError)]
    assert [refusal.reason for refusal in refused] == [ErrorReason.PERMISSION_DENIED]
    assert await auth_pool.fetchval("SELECT count(*) FROM auth.users WHERE disabled_at IS NULL AND is_admin") == 1


async def test_a_shut_account_is_shut_everywhere(people: People, auth_pool: asyncpg.Pool[asyncpg.Record]) -> None:
    """Keys, sessions and logins; the gateways are told. Opened again its keys work, its sessions stay over."""
    admin, user = await people.seed(ADMIN, admin=True), await people.seed()
    session, key = (await people.log_in()).session_id, await people.auth.new_key(user)

    await people.call(pb.SetUserDisabledRequest(admin_user_id=admin, user_id=user, disabled=True))

    with pytest.raises(Unauthenticated):
        await people.auth.verify(key.secret)
    # Nor does what was ordered with it go on, as a batch.
    with pytest.raises(Unauthenticated):
        await people.auth.call(auth_pb2.GetKeyHolderRequest(user_id=user, key_id=key.key.id))
    assert not await people.is_logged_in(session)
    assert (await people.refused_login(password="rowan-17 under Sampo")).reason is ErrorReason.INVALID_CREDENTIALS
    told = await auth_pool.fetch("SELECT kind FROM auth.revocations WHERE subject_id = $1", user)
    assert [row["kind"] for row in told] == ["user"]
    await people.call(pb.SetUserDisabledRequest(admin_user_id=admin, user_id=user, disabled=False))
    assert (await people.auth.verify(key.secret)).user_id == user
    assert not await people.is_logged_in(session)
    assert (await audit_actions(auth_pool, user))[-2:] == ["user.disabled", "user.enabled"]


async def test_applications_are_off_with_their_owner(people: People, auth_pool: asyncpg.Pool[asyncpg.Record]) -> None:
    """And what they made; the gateways are told of each. What was disabled for itself stays so afterwards."""
    admin, user = await people.seed(ADMIN, admin=True), await people.seed()
    for client_id in ("hers", "hers-too"):
        await auth_pool.execute(INSERT_CLIENT, client_id, user)
    app = pb.SetCredentialDisabledRequest(admin_user_id=admin, kind=pb.CREDENTIAL_KIND_CLIENT, id="hers", disabled=True)
    await people.call(app)

    await people.call(pb.SetUserDisabledRequest(admin_user_id=admin, user_id=user, disabled=True))
    off = [row["subject"] for row in await auth_pool.fetch(OFF)]
    await people.call(pb.SetUserDisabledRequest(admin_user_id=admin, user_id=user, disabled=False))
    still_off = [row["subject"] for row in await auth_pool.fetch(OFF)]

    told = await auth_pool.fetch("SELECT subject_id FROM auth.revocations WHERE kind = 'changed'")
    assert (off, still_off) == (["client:hers", "client:hers-too"], ["client:hers"])
    assert [row["subject_id"] for row in told].count("client:hers-too") == 2


def order_of(admin: str, order: str = "provider.drain", **details: str) -> pb.NoteOrderRequest:
    return pb.NoteOrderRequest(admin_user_id=admin, order=order, subject="provider:gigachat", details=details)


async def test_an_order_to_another_service_is_noted(people: People, auth_pool: asyncpg.Pool[asyncpg.Record]) -> None:
    """Who, what, about whom, and every detail."""
    admin = await people.seed(ADMIN, admin=True)

    await people.call(order_of(admin, model="gigachat-pro", reason="costs"))

    row = await auth_pool.fetchrow(
        "SELECT actor, subject, details FROM auth.audit_log WHERE action = 'provider.drain' ORDER BY seq DESC LIMIT 1"
    )
    assert row is not None
    assert (row["actor"], row["subject"]) == (f"user:{admin}", "provider:gigachat")
    details = json.loads(row["details"])
    assert (details["order_model"], details["order_reason"]) == ("gigachat-pro", "costs")


async def test_orders_about_the_catalogue_have_names_too(
    people: People, auth_pool: asyncpg.Pool[asyncpg.Record]
) -> None:
    """Each kind of them."""
    admin = await people.seed(ADMIN, admin=True)
    orders = [f"catalog.{kind}" for kind in ("override_set", "override_removed", "price_added", "channel_moved")]

    for order in orders:
        await people.call(order_of(admin, order))

    rows = await auth_pool.fetch("SELECT action FROM auth.audit_log WHERE action LIKE 'catalog.%' ORDER BY seq")
    assert [row["action"] for row in rows] == orders


async def test_only_an_administrator_gives_orders_and_only_those_that_have_a_name(people: People) -> None:
    """Nothing is written that the log's readers could not tell from an act of auth itself."""
    admin, other = await people.seed(ADMIN, admin=True), await people.seed("o@example.ru")

    refusals = [
        await people.refused(request)
        for request in (
            order_of(other),
            order_of(admin, "user.deleted"),
            order_of(admin, reason="a\0b"),
            order_of(admin, reason="x" * 1001),
            order_of(admin, **{f"d{number}": "" for number in range(17)}),
        )
    ]

    assert [refusal.reason for refusal in refusals] == [
        ErrorReason.PERMISSION_DENIED,
        *[ErrorReason.INVALID_PARAMETERS] * 4,
    ]
