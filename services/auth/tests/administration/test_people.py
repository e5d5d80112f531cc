"""Administrators find people, and give them a tier."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

import asyncpg
import pytest
from razvilka.auth.v1 import administration_pb2 as pb
from razvilka.auth.v1 import auth_pb2

from servicekit.errors import ErrorReason
from servicekit.testing import FakeClock
from services.auth.administration.store.people import LIST_USERS
from services.auth.tests.administration.conftest import REQUEST_ID, Asking
from tools.testing.bounded_deletes import admin_of
from tools.testing.databases import Databases

DISABLE = "UPDATE auth.users SET disabled_at = now() WHERE id = $1"
TIER_ROWS = "SELECT actor, details FROM auth.audit_log WHERE action = 'user.tier_changed'"


async def emails(asking: Asking, search: str) -> list[str]:
    """Return whom a search finds."""
    return [user.email for user in (await asking.call(pb.ListUsersRequest(search=search))).users]


async def test_people_are_listed_the_newest_first_page_by_page(asking: Asking, clock: FakeClock) -> None:
    """No page repeats or leaves out anybody, also where several came at one moment."""
    made = [await asking.auth.new_user(f"u{number}@example.ru") for number in range(5)]

    seen, after = [], ""
    while True:
        page = await asking.call(pb.ListUsersRequest(page_size=2, after_id=after))
        seen += [user.user_id for user in page.users]
        if not page.has_more:
            break
        after = page.users[-1].user_id

    assert sorted(seen) == sorted([asking.admin, *made])


async def test_a_page_far_down_reads_no_account_of_the_pages_above(
    auth_pool: asyncpg.Pool[asyncpg.Record], databases: Databases
) -> None:
    """All accounts were sorted for each page."""
    await auth_pool.execute(
        "INSERT INTO auth.users (id, email, created_at) "
        "SELECT 'user-' || n, n || '@example.ru', '2026-01-01'::timestamptz + n * interval '1 s' "
        "FROM generate_series(1, 20000) AS n"
    )
    async with admin_of(auth_pool, databases) as admin:
        await admin.execute("ANALYZE auth.users")
    asked = ("", "user-10000", 50, datetime.now(UTC))
    plan = await auth_pool.fetchval("EXPLAIN (ANALYZE, FORMAT json) " + LIST_USERS, *asked)

    read = re.findall(r'"Actual Rows": ([\d.]+)', plan)
    removed = re.findall(r'"Rows Removed by Filter": (\d+)', plan)
    assert max(map(float, [*read, *removed])) <= 50


async def test_a_person_is_found_by_a_part_of_the_address_or_the_whole_id(asking: Asking) -> None:
    """However it is written; what means something to SQL means itself."""
    anna = await asking.auth.new_user("Anna.Petrova@example.ru")
    await asking.auth.new_user("boris@example.ru")

    assert await emails(asking, "PETROVA") == ["Anna.Petrova@example.ru"]
    assert await emails(asking, anna) == ["Anna.Petrova@example.ru"]
    assert await emails(asking, "%") == await emails(asking, anna[:-1] + "_") == []


async def test_an_account_is_shown_with_its_state(asking: Asking, auth_pool: asyncpg.Pool[asyncpg.Record]) -> None:
    """Tier, whether it is shut, and how many keys work."""
    anna = await asking.auth.new_user("anna@example.ru")
    await asking.auth.new_key(anna)
    gone = await asking.auth.new_key(anna, "gone")
    await asking.auth.revoke(anna, gone.key.id)
    await auth_pool.execute(DISABLE, anna)

    (user,) = (await asking.call(pb.ListUsersRequest(search="anna"))).users

    assert (user.tier, user.admin, user.disabled, user.live_keys) == (auth_pb2.TIER_FREE, False, True, 1)


async def test_a_tier_is_given_and_noted_once(asking: Asking, auth_pool: asyncpg.Pool[asyncpg.Record]) -> None:
    """A key of the account has it from the next question on; giving it again changes nothing."""
    anna = await asking.auth.new_user("anna@example.ru")
    key = await asking.auth.new_key(anna)

    for _ in range(2):
        await asking.call(pb.SetTierRequest(user_id=anna, tier=auth_pb2.TIER_PRO))

    (row,) = await auth_pool.fetch(TIER_ROWS)
    assert (await asking.auth.verify(key.secret)).tier == auth_pb2.TIER_PRO
    noted = {"before": "free", "after": "pro", "request_id": REQUEST_ID}
    assert (row["actor"], json.loads(row["details"])) == (f"user:{asking.admin}", noted)


@pytest.mark.parametrize(
    "request_",
    [
        pb.ListUsersRequest(),
        pb.SetTierRequest(tier=auth_pb2.TIER_PRO),
        pb.ListAuditEventsRequest(),
        pb.CheckAuditLogRequest(),
    ],
    ids=lambda request: type(request).__name__,
)
async def test_only_an_administrator_is_answered(asking: Asking, request_: object) -> None:
    """Everybody else is told nothing."""
    request_.admin_user_id = await asking.auth.new_user("anna@example.ru")  # type: ignore[attr-defined]

    assert (await asking.refused(request_)).reason is ErrorReason.PERMISSION_DENIED


async def test_mistakes_are_named(asking: Asking) -> None:
    """Each by its field."""
    anna = await asking.auth.new_user("anna@example.ru")
    mistakes = [
        pb.ListUsersRequest(search="x" * 255),
        pb.ListUsersRequest(after_id="\0"),
        pb.ListUsersRequest(after_id="nobody"),
        pb.ListUsersRequest(after_id="x" * 129),
        pb.SetTierRequest(user_id=anna),
        pb.SetTierRequest(user_id="nobody", tier=auth_pb2.TIER_PRO),
        pb.ListAuditEventsRequest(actor="x" * 257),
        pb.ListAuditEventsRequest(before=-1),
    ]

    refusals = [await asking.refused(each) for each in mistakes]

    assert [(each.reason.value, each.param) for each in refusals] == [
        ("INVALID_PARAMETERS", "search"),
        ("INVALID_PARAMETERS", "cursor"),
        ("INVALID_PARAMETERS", "cursor"),
        ("INVALID_PARAMETERS", "cursor"),
        ("INVALID_PARAMETERS", "tier"),
        ("NOT_FOUND", "user_id"),
        ("INVALID_PARAMETERS", "actor"),
        ("INVALID_PARAMETERS", "before"),
    ]
