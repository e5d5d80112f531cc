"""What rows change in the rollups, seen in the tables."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TypeAlias

import asyncpg

from servicekit.testing.fake_clock import MIDDAY
from services.usage.domain.rollup import BUCKET_GROWTH, MAX_TAG_BYTES, TAGS_A_DAY
from services.usage.ingest import Ingest
from services.usage.tests.records import record
from services.usage.upkeep import Upkeep

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


async def test_a_bucket_holds_durations_up_to_its_bound(ingest: Ingest, pool: Pool) -> None:
    """Bucket b is (1.08**(b-1), 1.08**b] ms; nothing measured, and one millisecond, lie in the lowest."""
    durations = [0, 1, 2, 3, 20, 333, 900, 5_000, 59_999, 2**31 - 1]
    await ingest.record(
        [replace(record(n), model=f"m{ms}", latency_ms=ms, first_token_ms=0) for n, ms in enumerate(durations)]
    )

    rows = await pool.fetch("SELECT model, metric, bucket, requests FROM usage.rollup_hour_latency")

    found = {int(row["model"][1:]): row["bucket"] for row in rows}
    assert {row["metric"] for row in rows} == {"latency"}
    assert found.keys() == set(durations)
    assert (found[0], found[1], found[900]) == (0, 0, 89)
    for milliseconds, bucket in found.items():
        assert milliseconds <= BUCKET_GROWTH**bucket * (1 + 1e-9)
        assert bucket == 0 or BUCKET_GROWTH ** (bucket - 1) < milliseconds * (1 + 1e-9)


async def test_requests_are_told_apart_by_what_each_rollup_knows(ingest: Ingest, pool: Pool) -> None:
    """Two of one hour share a row, the next day and the next week have their own."""
    sunday = datetime(2026, 11, 22, 23, 59, tzinfo=UTC)
    await ingest.record([record(1, sunday), record(2, sunday), record(3, sunday + timedelta(minutes=1))])

    days = await pool.fetch("SELECT day, requests FROM usage.rollup_day_key ORDER BY day")
    weeks = await pool.fetch("SELECT week, requests FROM usage.rollup_week_key ORDER BY week")
    hours = await pool.fetch("SELECT hour, requests FROM usage.rollup_hour_user ORDER BY hour")

    assert [tuple(row) for row in days] == [(date(2026, 11, 22), 2), (date(2026, 11, 23), 1)]
    assert [tuple(row) for row in weeks] == [(date(2026, 11, 16), 2), (date(2026, 11, 23), 1)]
    assert [row["requests"] for row in hours] == [2, 1]


async def test_a_request_counts_for_each_of_its_tags_and_once_for_having_any(ingest: Ingest, pool: Pool) -> None:
    """One without tags has no row."""
    tagged = replace(record(1), metadata={"team": "a", "env": "prod"})
    await ingest.record([tagged, replace(record(2), metadata={"team": "a"}), replace(record(3), metadata={})])

    rows = await pool.fetch("SELECT tag, requests FROM usage.rollup_day_tag")

    assert dict(map(tuple, rows)) == {"": 2, "team=a": 2, "env=prod": 1}
    assert await pool.fetchval("SELECT tags FROM usage.rollup_tag_days") == 3


async def test_a_day_with_too_many_tags_is_full(ingest: Ingest, upkeep: Upkeep, pool: Pool) -> None:
    """A caller that gives each request a tag of its own makes no table grow without end; the check knows."""
    await ingest.record([replace(record(n), metadata={"id": str(n)}) for n in range(TAGS_A_DAY)])
    await ingest.record([replace(record(n), metadata={"id": str(n)}) for n in range(TAGS_A_DAY, TAGS_A_DAY + 30)])
    await ingest.record([replace(record(9_000), user_id="other", metadata={"id": "1"})])

    kept = await pool.fetch("SELECT user_id, count(*)::int FROM usage.rollup_day_tag GROUP BY 1")

    assert dict(map(tuple, kept)) == {"user-1": TAGS_A_DAY + 1, "other": 2}
    assert (await upkeep.check_since(None)).broken == ()


async def test_a_tag_too_long_for_an_index_makes_its_day_full(ingest: Ingest, upkeep: Upkeep, pool: Pool) -> None:
    """The request is stored all the same."""
    longest = "ы" * (MAX_TAG_BYTES // 2)
    outcome = await ingest.record([replace(record(1), metadata={"text": longest, "team": "a"})])

    assert (outcome.inserted, outcome.rejected) == (1, ())
    assert await pool.fetchval("SELECT tags >= $1 FROM usage.rollup_tag_days", TAGS_A_DAY)
    assert (await upkeep.check_since(MIDDAY)).broken == ()
