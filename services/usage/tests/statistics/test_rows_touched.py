"""What an answer costs: the rows that PostgreSQL touches for it, however many there are beside them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from itertools import product
from typing import Final, TypeAlias

import asyncpg
import pytest

from servicekit.testing.fake_clock import MIDDAY
from services.usage.domain.record import Status, UsageRecord
from services.usage.ingest import Ingest
from services.usage.statistics.domain.query import Dimension
from services.usage.statistics.domain.request_line import LogQuery
from services.usage.statistics.store.request_log import read_page
from services.usage.store.connection import Connection
from services.usage.tests.records import record
from tools.testing.databases import Databases

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
BEGIN: Final = MIDDAY - timedelta(days=20)
REQUESTS: Final = 3_000
# In all partitions, by this transaction. Where a user has two of three requests, the index of everybody's is as good.
TOUCHED: Final = """
    SELECT coalesce(sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), 0)::int
    FROM pg_stat_xact_user_tables
    WHERE schemaname = 'usage'
        AND relname LIKE 'usage_2%'
"""


def requests() -> list[UsageRecord]:
    """Return requests of two users over twenty days, the newest ones without a failure."""
    return [
        replace(each, status=Status.FAILED, error_code="provider_error")
        if number % 50 == 0 and number < 2_000
        else each
        for number in range(REQUESTS)
        for each in [replace(record(number, BEGIN + number * timedelta(minutes=9)), user_id=f"user-{number % 3 == 0}")]
    ]


@pytest.fixture
async def connection(pool: Pool, ingest: Ingest, databases: Databases) -> AsyncIterator[Connection]:
    """Yield a connection that sees everybody's requests, of which PostgreSQL knows how many there are."""
    await ingest.record(requests())
    database = await pool.fetchval("SELECT current_database()")
    owner = await asyncpg.connect(databases.dsn("usage", database, owner=True))
    await owner.execute("ANALYZE usage.usage")
    await owner.close()
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        await connection.execute("SELECT set_config('razvilka.user', '*', true)")
        yield connection


async def test_a_page_touches_no_more_requests_than_it_shows(connection: Connection) -> None:
    """Whatever the planner expects row security to leave: it read the whole period for a page, and sorted it."""
    for user_id, oldest_first in product((None, "user-False"), (False, True)):
        before = await connection.fetchval(TOUCHED)

        lines = await read_page(connection, LogQuery(user_id, BEGIN, MIDDAY, oldest_first=oldest_first, limit=200))

        assert len(lines) == 200
        assert await connection.fetchval(TOUCHED) - before <= 350


async def test_failures_are_not_looked_for_among_the_others(connection: Connection) -> None:
    """A thousand requests that ended well are newer than those that are asked for; who asks for both has both."""
    # What PostgreSQL plans from the sixth time on: it does not see the parameters then.
    await connection.execute("SET LOCAL plan_cache_mode = force_generic_plan")
    failed: list[dict[Dimension, tuple[str, ...]]] = [
        {Dimension.STATUS: ("failed",)},
        {Dimension.ERROR: ("provider_error", "other")},
    ]
    for user_id, filters in product((None, "user-False"), failed):
        before = await connection.fetchval(TOUCHED)

        lines = await read_page(connection, LogQuery(user_id, BEGIN, MIDDAY, filters, limit=10))

        assert [line.error_code for line in lines] == ["provider_error"] * 10
        assert await connection.fetchval(TOUCHED) - before <= 20

    for dimension, values in ((Dimension.STATUS, ("failed", "completed")), (Dimension.ERROR, ("",))):
        lines = await read_page(connection, LogQuery(None, BEGIN, MIDDAY, {dimension: values}, limit=900))
        assert len(lines) == 900
