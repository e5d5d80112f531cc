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
from services.usage.store import rollups as store_rollups
from services.usage.store.rollups import TAGS, WEEK_KEYS
from services.usage.tests.records import record
from services.usage.upkeep import Upkeep
from tools.testing.databases import Databases

MIGRATIONS: Final = Path(services.usage.__file__).parent / "migrations"
ROLLUPS: Final = ", ".join(f"usage.{table.name}" for table in (*store_rollups.ROLLUPS[:-1], TAGS, WEEK_KEYS))


def statements(name: str, begin: str, end: str) -> str:
    """Return the statements of a migration that count: between what changes tables before and after them."""
    return begin + (MIGRATIONS / name).read_text().partition(begin)[2].partition(end)[0]


# The hours that the first one counts have got columns since, and the second counts them again.
OF_DAYS: Final = statements(
    "0006_statistics.sql", "INSERT INTO usage.rollup_day (", "INSERT INTO usage.rollup_hour_user"
)
OF_EVERYBODY: Final = statements("0006_statistics.sql", "INSERT INTO usage.rollup_hour_platform (", "-- GetSpend")
OF_KEYS_AND_TAGS: Final = statements(
    "0021_sums_of_keys_and_tags.sql", "INSERT INTO usage.rollup_hour_user (", "-- A user's statistics"
)


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
    tagged = [
        replace(row, metadata={"team": f"t{place % 3}", "n": "x" * place * 12}) for place, row in enumerate(rows[50:])
    ]
    given = [replace(row, cache_status="hit", client_id="app") for row in rows[20:40]]
    odd = [replace(row, latency_ms=1, tokens_reasoning=row.tokens_output + 9) for row in rows[40:50]]
    await ingest.record([*failed, *given, *odd, *tagged])
    await owner.execute(f"TRUNCATE {ROLLUPS}, usage.rollup_day, usage.rollup_tag_days")
    before = await upkeep.check_since(None)

    await owner.execute(OF_DAYS + OF_EVERYBODY + OF_KEYS_AND_TAGS)

    assert before.counts != dict.fromkeys(before.counts, 0)
    assert (await upkeep.check_since(None)).broken == ()
