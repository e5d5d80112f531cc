"""The one way through the column store that every run of the suite takes; `make test-clickhouse` takes all of them."""

from __future__ import annotations

from services.usage.tests.column_store.opened import both
from services.usage.tests.statistics.samples import sample


async def test_what_was_there_and_what_comes_is_counted_once(columns, pool, ingest):
    """Rows from before the feed are copied, later ones are fed, one sent again changes nothing, and days agree."""
    records = sample(300)
    await ingest.record(records[:200])
    await columns.feeder.round()

    months = await columns.fill()
    await ingest.record(records[100:])
    await columns.feeder.round()

    assert [f"{month:%Y-%m}" for month in months] == ["2026-10", "2026-11"]
    assert len(await both(columns, pool)) > 10
    verdict = await columns.verifying.verify()
    assert (verdict.differing, verdict.pending) == ((), ())
    assert verdict.days > 10


async def test_the_trigger_costs_nothing_until_it_is_wanted(pool, ingest):
    """A service that answers from PostgreSQL notes nothing."""
    await ingest.record(sample(10))

    assert await pool.fetchval("SELECT count(*) FROM usage.column_feed") == 0
