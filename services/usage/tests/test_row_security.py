"""The second wall: PostgreSQL itself keeps one user's rows from a session that is another's."""

from dataclasses import replace
from datetime import UTC, datetime

import asyncpg
import pytest

from services.usage.store.connection import NAME_USER
from services.usage.store.usage_store import UsageStore
from services.usage.tests.records import record
from tools.testing.plugin import MakeDatabaseDsn

TABLES = (
    *("usage.usage", "usage.usage_default", "usage.rollup_day", "usage.rollup_hour_user", "usage.rollup_day_user"),
    *("usage.rollup_day_user_model", "usage.rollup_day_key", "usage.rollup_week_key"),
    *("usage.rollup_day_tag", "usage.rollup_tag_days"),
    *("usage.notification_channels", "usage.notification_rules", "usage.notification_events"),
    *("usage.notification_deliveries", "usage.notification_attempts", "usage.notification_people"),
    *("usage.notification_outbox", "usage.shut_accounts"),
    *("usage.reports", "usage.report_pieces", "usage.report_schedules", "usage.forecasts"),
    *("usage.insight_users", "usage.incidents", "usage.recommendations"),
)


@pytest.fixture
async def session(make_database_dsn: MakeDatabaseDsn):
    """A connection of the service's role that has not said whose rows it is for; two users have one request each."""
    dsn = await make_database_dsn("usage")
    async with asyncpg.create_pool(dsn, min_size=0, max_size=1) as pool:
        async with UsageStore(pool).transaction() as writing:
            await writing.insert([replace(record(1), user_id="alice"), replace(record(2), user_id="bob")])
        async with pool.acquire() as connection:
            yield connection


async def users_seen(session: asyncpg.Connection) -> list[str]:
    return [row["user_id"] for row in await session.fetch("SELECT user_id FROM usage.usage ORDER BY user_id")]


async def test_a_session_that_names_nobody_sees_nothing(session):
    """What is forgotten fails closed."""
    assert await users_seen(session) == []


@pytest.mark.parametrize(("named", "seen"), [("alice", ["alice"]), ("*", ["alice", "bob"]), ("", []), ("eve", [])])
async def test_a_session_sees_the_rows_of_whom_it_names(session, named, seen):
    """A query without WHERE, or with another's id, brings nothing of others."""
    await session.execute(NAME_USER, named)

    assert await users_seen(session) == seen
    assert await session.fetchval("SELECT count(*) FROM usage.usage WHERE user_id = 'bob'") == seen.count("bob")


async def test_a_session_of_one_user_cannot_change_or_add_rows_of_another(session):
    """Nor take them over."""
    await session.execute(NAME_USER, "alice")

    assert await session.execute("UPDATE usage.usage SET cost = 0 WHERE user_id = 'bob'") == "UPDATE 0"
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await session.execute("UPDATE usage.usage SET user_id = 'bob'")


async def test_a_connection_that_comes_back_to_the_pool_names_nobody(make_database_dsn: MakeDatabaseDsn):
    """The next borrower must say it again."""
    async with asyncpg.create_pool(await make_database_dsn("usage"), min_size=0, max_size=1) as pool:
        async with pool.acquire() as connection:
            await connection.execute(NAME_USER, "*")

        async with pool.acquire() as connection:
            assert not await connection.fetchval("SELECT current_setting('razvilka.user', true)")


async def test_every_table_with_a_user_has_the_wall(session):
    """A new table of somebody's rows must not be forgotten."""
    rows = await session.fetch(
        """
        SELECT format('%s.%s', n.nspname, c.relname) AS name, c.relrowsecurity AS guarded
        FROM pg_class AS c
        JOIN pg_namespace AS n ON n.oid = c.relnamespace
        JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'user_id'
        WHERE n.nspname = 'usage' AND c.relkind IN ('r', 'p') AND c.relname !~ '^usage_[0-9]{4}_[0-9]{2}$'
        """
    )

    assert {row["name"] for row in rows} == set(TABLES)
    assert all(row["guarded"] for row in rows)


async def test_a_months_partition_cannot_be_asked_directly(session):
    """It has no policy of its own, so nobody but the owner may touch it."""
    month = datetime.now(UTC).date().replace(day=1)
    assert await session.fetchval("SELECT usage.ensure_month($1)", month)

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await session.fetch(f"SELECT * FROM usage.usage_{month:%Y_%m}")
