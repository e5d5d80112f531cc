"""Sums that a rollup gains in a migration are those of the rows that are there."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Final, TypeAlias

import asyncpg

import services.usage
from servicekit.testing.fake_clock import MIDDAY
from services.usage.domain.record import DERIVED, Status
from services.usage.ingest import Ingest
from services.usage.tests.records import record
from services.usage.upkeep import Upkeep

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

MIGRATION: Final = Path(services.usage.__file__).parent / "migrations" / "0005_figures_of_a_row.sql"
# Its statements from here on change rows, which the service itself may do too.
BACKFILL: Final = (
    "UPDATE usage.rollup_day AS stored" + MIGRATION.read_text().partition("UPDATE usage.rollup_day AS stored")[2]
)
ROLLUPS: Final = ("rollup_day", "rollup_hour_platform", "rollup_hour_user")


async def test_an_upgrade_sums_the_rows_that_are_there(ingest: Ingest, upkeep: Upkeep, pool: Pool) -> None:
    """Failures, streams, answers of the cache, thoughts: after the migration's statements nothing differs."""
    rows = [record(number, MIDDAY - timedelta(minutes=number)) for number in range(70)]
    failed = [replace(row, status=Status.FAILED, first_token_ms=0) for row in rows[:20]]
    given = [replace(row, cache_status="hit") for row in rows[20:40]]
    odd = [replace(row, latency_ms=1, tokens_reasoning=row.tokens_output + 9) for row in rows[40:50]]
    await ingest.record([*failed, *given, *odd, *rows[50:]])
    nothing = ", ".join(f"{name} = 0" for name in DERIVED)
    for table in ROLLUPS:
        await pool.execute(f"UPDATE usage.{table} SET {nothing}")
    before = await upkeep.check_since(None)

    await pool.execute(BACKFILL)

    assert before.counts != dict.fromkeys(before.counts, 0)
    assert (await upkeep.check_since(None)).broken == ()
