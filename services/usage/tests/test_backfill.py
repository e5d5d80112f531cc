"""Rollups that a migration counts anew are the sums of the rows that are there."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Final

import asyncpg
import pytest

import services.usage
from servicekit.testing.fake_clock import MIDDAY
from services.usage.domain.record import Status
from services.usage.ingest import Ingest
from services.usage.tests.records import record
from services.usage.upkeep import Upkeep
from tools.testing.databases import Databases

MIGRATION: Final = Path(services.usage.__file__).parent / "migrations" / "0006_statistics.sql"
# Its statements that count: between what changes tables before and after them.
_COUNTING: Final = "INSERT INTO usage.rollup_day ("
COUNT_ANEW: Final = _COUNTING + MIGRATION.read_text().partition(_COUNTING)[2].partition("-- GetSpend")[0]
ROLLUPS: Final = "usage.rollup_day, usage.rollup_day_user, usage.rollup_day_platform, usage.rollup_hour_user"


@pytest.fixture
async def owner(databases: Databases, pool: asyncpg.Pool[asyncpg.Record]):
    """Yield a connection of the schema's owner, who migrates."""
    name = await pool.fetchval("SELECT current_database()")
    connection = await asyncpg.connect(databases.dsn("usage", name, owner=True))
    yield connection
    await connection.close()


async def test_an_upgrade_sums_the_rows_that_are_there(
    ingest: Ingest, upkeep: Upkeep, owner: asyncpg.Connection[asyncpg.Record]
) -> None:
    """Failures, streams, answers of the cache, thoughts: after the migration's statements nothing differs."""
    rows = [record(number, MIDDAY - timedelta(minutes=number)) for number in range(70)]
    failed = [replace(row, status=Status.FAILED, first_token_ms=0, error_code="e") for row in rows[:20]]
    given = [replace(row, cache_status="hit", client_id="app") for row in rows[20:40]]
    odd = [replace(row, latency_ms=1, tokens_reasoning=row.tokens_output + 9) for row in rows[40:50]]
    await ingest.record([*failed, *given, *odd, *rows[50:]])
    await owner.execute(f"TRUNCATE {ROLLUPS}, usage.rollup_hour_platform")
    before = await upkeep.check_since(None)

    await owner.execute(COUNT_ANEW)

    assert before.counts != dict.fromkeys(before.counts, 0)
    assert (await upkeep.check_since(None)).broken == ()
