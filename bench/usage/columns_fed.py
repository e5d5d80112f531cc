"""How fast rows come into the column store: inserted as they are, copied from PostgreSQL, and fed."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

import asyncpg

from servicekit.clock import SystemClock
from services.usage.column_store import feed_store
from services.usage.column_store.engine import ColumnEngine
from services.usage.column_store.feed_store import FeedStore
from services.usage.column_store.feeder import Feeder
from services.usage.column_store.filling import Filling
from services.usage.column_store.schema import FILLING
from services.usage.column_store.verifying import Verifying

# Some thousand rows a statement, as batches are, of one stretch of time: each is noted, and its rows are sent again.
NOTES: Final = 64
REWRITE: Final = "UPDATE usage.usage SET stream = stream WHERE created_at >= $1 AND created_at < $2"
SPAN: Final = "SELECT min(created_at), max(created_at) FROM usage.usage"
# So often the rows of one insert are inserted.
INSERTS: Final = 10


async def measure(pool: asyncpg.Pool[asyncpg.Record], engine: ColumnEngine, dsn: str, rows: int, feed_rows: int) -> str:
    """Return what filling and feeding so many rows of PostgreSQL took, and whether the days are those of the books."""
    feed = FeedStore(pool)
    feeder = Feeder(feed, engine, rows_max=feed_rows)
    await feeder.round()
    filling_s = await _seconds(lambda: _fill(feed, engine))
    await _note_everything(dsn)
    inserting_s, inserted = await _insert(feed, engine, feed_rows)
    feeding_s = await _seconds(feeder.round)
    verdict = await Verifying(feed, engine, feeder).verify()
    return (
        f"- Inserts of {inserted // INSERTS:,} rows alone: **{inserted / inserting_s:,.0f} rows/s**. From PostgreSQL, "
        f"{rows:,} rows: filled {rows / filling_s:,.0f} rows/s, fed **{rows / feeding_s:,.0f} rows/s**; "
        f"{verdict.days} days compared with the books, {len(verdict.differing)} differ."
    )


async def _seconds(work: Callable[[], Awaitable[None]]) -> float:
    begin = time.perf_counter()
    await work()
    return time.perf_counter() - begin


async def _fill(feed: FeedStore, engine: ColumnEngine) -> None:
    async for _ in Filling(feed, engine, clock=SystemClock()).fill():
        pass


async def _note_everything(dsn: str) -> None:
    """Have every row changed, in statements of as many rows as ingest writes."""
    admin = await asyncpg.connect(dsn, command_timeout=3_600)
    span = await admin.fetchrow(SPAN)
    assert span is not None  # an aggregate
    first, last = span
    step = (last - first) / NOTES + timedelta(microseconds=1)
    for part in range(NOTES):
        await admin.execute(REWRITE, first + part * step, first + (part + 1) * step)
    await admin.close()


async def _insert(feed: FeedStore, engine: ColumnEngine, feed_rows: int) -> tuple[float, int]:
    """Insert rows into a table that nobody reads; return the seconds, and how many they were."""
    async with feed.alone(wait=True) as connection:
        assert connection is not None  # we waited
        batches, rows = await feed_store.find_pending(connection, feed_rows)
        text = await feed_store.copy_pending(connection, batches, 1)

    async def insert() -> None:
        for _ in range(INSERTS):
            await engine.put(text, table=FILLING)

    taken_s = await _seconds(insert)
    await engine.run(f"TRUNCATE TABLE {FILLING}")
    return taken_s, rows * INSERTS
