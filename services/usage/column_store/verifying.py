"""Verifies that the daily sums in the column store equal those in PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final, TypeAlias

from servicekit.postgres import sql
from services.usage.column_store.engine import ColumnEngine
from services.usage.column_store.feed_store import FeedStore, read_state
from services.usage.column_store.feeder import Feeder
from services.usage.column_store.schema import TABLE
from services.usage.column_store.statement import SUMS_OF_ROWS
from services.usage.domain.rollup import SUMS
from services.usage.store.connection import Connection

# Requests are written while we look: so many times what is noted is fed and looked at again.
TRIES: Final = 20
SUM_TIMEOUT_S: Final = 600.0
SUM_DAYS: Final = sql(
    "SELECT day, {sums} FROM usage.rollup_day_platform GROUP BY day HAVING sum(requests) > 0",
    sums=", ".join(f"sum({name})::bigint" for name in SUMS),
)
# Days with changes that the column store has not been told of.
DAYS_PENDING: Final = "SELECT DISTINCT (unnest(moments) AT TIME ZONE 'UTC')::date FROM usage.column_feed"
_SUM_DAYS: Final = sql(
    """
    SELECT toDate(u.created_at, 'UTC') AS day, {sums}
    FROM {table} AS u FINAL
    PREWHERE u.feed <= {{feed:UInt64}}
    WHERE NOT u.is_gone
    GROUP BY day
    """,
    sums=SUMS_OF_ROWS,
    table=TABLE,
)

Sums: TypeAlias = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class DayThatDiffers:
    """A UTC day whose `SUMS` differ between PostgreSQL and the column store."""

    day: date
    books: Sums
    columns: Sums


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a comparison found.

    Attributes:
        days: that were compared.
        differing: those whose sums differ.
        pending: days that were being written all the time and could not be compared.
    """

    days: int
    differing: tuple[DayThatDiffers, ...]
    pending: tuple[date, ...]


class Verifying:
    """Compares the column store with PostgreSQL."""

    def __init__(self, feed: FeedStore, engine: ColumnEngine, feeder: Feeder) -> None:
        self._feed = feed
        self._engine = engine
        self._feeder = feeder

    async def verify(self) -> Verdict:
        """Compare every day; the feed is ours meanwhile.

        Raises:
            Unavailable: PostgreSQL or ClickHouse is away.
        """
        await self._engine.make_tables()
        async with self._feed.alone(wait=True) as connection:
            assert connection is not None  # we waited
            for _ in range(TRIES):
                await self._feeder.feed_all(connection)
                books, pending, number = await _books_of(connection)
                if not pending:
                    break
            return _judge(books, await self._columns_of(number), pending)

    async def _columns_of(self, number: int) -> dict[date, Sums]:
        found = await self._engine.ask(_SUM_DAYS, {"feed": number}, None)
        return {row[0]: tuple(map(int, row[1:])) for row in found}


async def _books_of(connection: Connection) -> tuple[dict[date, Sums], frozenset[date], int]:
    """Return the sums of each day, the days with changes that are not fed, and the newest number, of one moment."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        sums = await connection.fetch(SUM_DAYS, timeout=SUM_TIMEOUT_S)
        pending = await connection.fetch(DAYS_PENDING)
        number = (await read_state(connection)).feed
    return {row[0]: tuple(map(int, row[1:])) for row in sums}, frozenset(row[0] for row in pending), number


def _judge(books: Mapping[date, Sums], columns: Mapping[date, Sums], pending: frozenset[date]) -> Verdict:
    nothing = (0,) * len(SUMS)
    days = sorted((books.keys() | columns.keys()) - pending)
    pairs = [(day, books.get(day, nothing), columns.get(day, nothing)) for day in days]
    differing = tuple(DayThatDiffers(*each) for each in pairs if each[1] != each[2])
    return Verdict(len(days), differing, tuple(sorted(pending)))
