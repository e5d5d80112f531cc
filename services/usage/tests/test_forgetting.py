"""What is kept for so long goes then, whatever there is of it: in statements of some rows, for each has ten seconds."""

from __future__ import annotations

from datetime import UTC, date, datetime

import asyncpg
import pytest

from servicekit.postgres import MOST_DELETED
from servicekit.trust.sealing import Sealer
from services.usage.forecasting.store import ForecastStore
from services.usage.notifications.store.events import EventStore
from services.usage.notifications.store.people import Outbox, PeopleStore
from services.usage.notifications.store.sessions import Sessions
from services.usage.reports.store.forgetting import forgetting_reports
from services.usage.reports.store.report_store import DELETED_AT_ONCE, ReportStore
from services.usage.store.connection import EVERYBODY, NAME_USER
from tools.testing.bounded_deletes import admin_of, bound_deletes
from tools.testing.databases import Databases

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
EVENTS = """
INSERT INTO usage.notification_events (id, user_id, rule_id, kind, dedupe_key, facts, occurred_at)
SELECT gen_random_uuid(), 'user-1', gen_random_uuid(), 'test', n::text, '{}', '2025-01-01' FROM generate_series(1, $1) n
"""
FORECASTS = """
INSERT INTO usage.forecasts (user_id, day, zone, method, p10_micro_rub, p50_micro_rub, p90_micro_rub, asked)
SELECT 'user-' || n, '2025-01-01', 'UTC', 'trend', 1, 2, 3, true FROM generate_series(1, $1) n
"""
REPORTS = """
INSERT INTO usage.reports (id, user_id, ordered, status, link_key, created_at, expires_at, period_since, told)
SELECT gen_random_uuid(), 'user-1', '{}', 'queued', '', now(), '2025-01-01', now(), false FROM generate_series(1, $1) n
"""
MAILS = """
INSERT INTO usage.notification_outbox (id, user_id, email, subject, text, sent_at)
SELECT gen_random_uuid(), 'user-1', 'vera@example.ru', '', '', '2025-01-01' FROM generate_series(1, $1) n
"""


async def forget(pool: asyncpg.Pool[asyncpg.Record], table: str) -> None:
    match table:
        case "notification_events":
            await EventStore(Sessions(pool), lambda: pytest.fail("no event is made")).forget_before(NOW)
        case "forecasts":
            await ForecastStore(pool).forget(date(2026, 1, 1))
        case "notification_outbox":
            await Outbox(Sessions(pool)).forget_before(NOW)
        case _:
            await ReportStore(pool).delete_expired(NOW)


@pytest.mark.parametrize(
    ("table", "plant", "most"),
    [
        ("notification_events", EVENTS, MOST_DELETED),
        ("forecasts", FORECASTS, MOST_DELETED),
        ("notification_outbox", MAILS, MOST_DELETED),
        ("reports", REPORTS, DELETED_AT_ONCE),
    ],
)
async def test_much_that_is_over_goes_in_statements_of_some(
    pool: asyncpg.Pool[asyncpg.Record], databases: Databases, table: str, plant: str, most: int
) -> None:
    """As when its time was made shorter: one statement for all came to no end, hour after hour."""
    async with admin_of(pool, databases) as admin:
        await bound_deletes(admin, f"usage.{table}", most)
    async with pool.acquire() as connection:
        await connection.execute(NAME_USER, EVERYBODY)
        await connection.execute(plant, 2 * most + 1)

    await forget(pool, table)

    async with pool.acquire() as connection:
        await connection.execute(NAME_USER, EVERYBODY)
        assert await connection.fetchval(f"SELECT count(*) FROM usage.{table}") == 0


async def forget_person(pool: asyncpg.Pool[asyncpg.Record], table: str) -> None:
    if table == "reports":
        await forgetting_reports(pool)(["user-1"])
    else:
        await PeopleStore(Sessions(pool), Sealer(["s" * 32], b"test")).forget(["user-1"])


@pytest.mark.parametrize(
    ("table", "plant", "most"),
    [
        ("notification_events", EVENTS, MOST_DELETED),
        ("notification_outbox", MAILS, MOST_DELETED),
        ("reports", REPORTS, DELETED_AT_ONCE),
    ],
)
async def test_all_that_is_kept_of_a_deleted_account_goes_in_statements_of_some(
    pool: asyncpg.Pool[asyncpg.Record], databases: Databases, table: str, plant: str, most: int
) -> None:
    """Of one who had much nothing was ever forgotten, and those in the same batch were told of nothing any more."""
    async with admin_of(pool, databases) as admin:
        await bound_deletes(admin, f"usage.{table}", most)
    async with pool.acquire() as connection:
        await connection.execute(NAME_USER, EVERYBODY)
        await connection.execute(plant, 2 * most + 1)

    await forget_person(pool, table)

    async with pool.acquire() as connection:
        await connection.execute(NAME_USER, EVERYBODY)
        assert await connection.fetchval(f"SELECT count(*) FROM usage.{table}") == 0
