"""The initial copy: months older than the feed, each replaced as a whole in the column store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from typing import Final

from servicekit.clock import Clock
from servicekit.errors import invalid_parameter
from services.usage.column_store import feed_store
from services.usage.column_store.engine import ColumnEngine
from services.usage.column_store.feed_store import FeedStore
from services.usage.column_store.schema import FILLING, TABLE
from services.usage.domain.months import month_of, months_from
from services.usage.store.connection import Connection

# Some ten thousand rows: a part of a size that ClickHouse likes.
_PIECE: Final = 16 * 1024 * 1024
# How far ahead of time a gateway's clock may be.
_AHEAD: Final = timedelta(days=3)


class Filling:
    """Copies months; the feed waits for each of them, and then copies what was written meanwhile."""

    def __init__(self, feed: FeedStore, engine: ColumnEngine, *, clock: Clock) -> None:
        self._feed = feed
        self._engine = engine
        self._clock = clock

    async def fill(self, since: date | None = None) -> AsyncIterator[date]:
        """Copy the months that are left, earliest first, and yield each one when it is there; then questions go there.

        What was stopped goes on where it was. `since`: copy again from that month on.

        Raises:
            InvalidRequest: nothing is noted yet: no service runs with this store.
            Unavailable: PostgreSQL or ClickHouse is away.
        """
        month = await self._first_month(since)
        while month is not None:
            done, month = month, await self._copy_next(month)
            yield done

    async def _first_month(self, since: date | None) -> date | None:
        state = await self._feed.state()
        if not state.is_on:
            text = "Nothing is noted for the column store yet: start usage with USAGE_ANALYTICS_STORE=clickhouse first."
            raise invalid_parameter("store", text)
        await self._engine.make_tables()
        if since is None and state.is_filled:
            return None
        async with self._feed.alone(wait=True) as connection:
            assert connection is not None  # we waited
            first = since or state.next_month or await feed_store.first_day(connection)
        return month_of(first or self._clock.now().date())

    async def _copy_next(self, month: date) -> date | None:
        """Copy a month; return the next one that is to be copied, None behind the last."""
        _, following = months_from(month, 1)
        is_last = following > (self._clock.now() + _AHEAD).date()
        async with self._feed.alone(wait=True) as connection:
            assert connection is not None  # we waited
            # Its rows are in files: what the column store has of it, it keeps.
            if month not in await feed_store.archived_months(connection):
                await self._copy(connection, month, following)
            await feed_store.filled_until(connection, following, is_filled=is_last)
        return None if is_last else following

    async def _copy(self, connection: Connection, month: date, following: date) -> None:
        # A number that counts already: the month is seen as soon as it is in its place.
        number = (await feed_store.read_state(connection)).feed
        await self._engine.run(f"TRUNCATE TABLE {FILLING}")
        pieces = _Pieces(partial(self._engine.put, table=FILLING))
        begin, end = [datetime.combine(day, time(), UTC) for day in (month, following)]
        await feed_store.copy_span(connection, (begin, end), number, pieces.add)
        await pieces.finish()
        # ClickHouse takes no empty partition in place of another.
        then = f"REPLACE PARTITION '{month:%Y%m}' FROM {FILLING}" if pieces.bytes else f"DROP PARTITION '{month:%Y%m}'"
        await self._engine.run(f"ALTER TABLE {TABLE} {then}")


class _Pieces:
    """Splits a text of rows into pieces of whole rows; memory holds at most one piece."""

    def __init__(self, put: Callable[[bytes], Awaitable[None]]) -> None:
        self._put = put
        self._held = bytearray()
        self.bytes = 0

    async def add(self, text: bytes) -> None:
        """Take what comes next, which need not end where a row does."""
        self._held += text
        self.bytes += len(text)
        if len(self._held) >= _PIECE:
            end = self._held.rfind(b"\n") + 1
            piece, self._held = bytes(self._held[:end]), self._held[end:]
            await self._put(piece)

    async def finish(self) -> None:
        """Hand on what is left."""
        if self._held:
            await self._put(bytes(self._held))
