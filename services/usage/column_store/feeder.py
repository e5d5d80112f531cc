"""The feed: copies changed rows from PostgreSQL to the column store, at least once, in attempts of rising numbers.

A row counts by its newest number, so what is sent twice counts once; a number counts when its notes are forgotten, so
nobody sees half of a try.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from servicekit.failpoints import failpoint
from services.usage.column_store import feed_store, metrics
from services.usage.column_store.engine import ColumnEngine
from services.usage.column_store.feed_store import FeedState, FeedStore
from services.usage.store.connection import Connection

log = structlog.get_logger()
_SAID: Final = 100


@dataclass(frozen=True, slots=True)
class _Batch:
    """A batch of the feed: rows as they were read, under the number of the attempt."""

    notes: Sequence[int]
    rows: int
    number: int
    text: bytes


class Feeder:
    """Feeds the column store, in one instance at a time."""

    def __init__(self, feed: FeedStore, engine: ColumnEngine, *, rows_max: int) -> None:
        self._feed = feed
        self._engine = engine
        self._rows_max = rows_max

    async def round(self) -> None:
        """Feed everything that is noted now; the first time, begin to have it noted.

        Raises:
            Unavailable: PostgreSQL or ClickHouse is away; what was not fed is fed later.
        """
        state = await self._feed.state()
        _tell(state)
        await self._keep_tables()
        if not state.is_on:
            await self._feed.begin()
            log.info("usage.column_feed_begun")
        async with self._feed.alone(wait=False) as connection:
            if connection is not None:
                await self.feed_all(connection)
        _tell(await self._feed.state())

    async def _keep_tables(self) -> None:
        missing = await self._engine.missing_columns()
        if not missing:
            return
        # A new ClickHouse, one that has lost its disk, or tables of an earlier version: what was copied is not there,
        # or not all of it.
        log.warning("usage.column_store_incomplete", missing=", ".join(missing)[:_SAID])
        await self._feed.forget_filling()
        await self._engine.make_tables()
        await self._engine.add_columns()

    async def feed_all(self, connection: Connection) -> None:
        """Feed what is noted, until nothing is. The connection is that of whoever feeds alone.

        While ClickHouse takes one batch PostgreSQL writes the next: each has a core of its own.
        """
        batch = await self._next(connection, ())
        while batch is not None:
            sent, following = await asyncio.gather(
                self._send(batch), self._next(connection, batch.notes), return_exceptions=True
            )
            if isinstance(sent, BaseException):
                raise sent
            failpoint("usage.fed_not_acknowledged")
            await feed_store.acknowledge(connection, batch.notes, batch.number)
            metrics.FED_ROWS.inc(batch.rows)
            if isinstance(following, BaseException):
                raise following
            batch = following

    async def _next(self, connection: Connection, under_way: Sequence[int]) -> _Batch | None:
        notes, rows = await feed_store.find_pending(connection, self._rows_max, under_way)
        if not notes:
            return None
        number = await feed_store.next_number(connection)
        return _Batch(notes, rows, number, await feed_store.copy_pending(connection, notes, number))

    async def _send(self, batch: _Batch) -> None:
        if batch.text:
            await self._engine.put(batch.text)


def _tell(state: FeedState) -> None:
    metrics.BEHIND_SECONDS.set(state.behind_s)
    metrics.UNFILLED.set(not state.is_filled)
