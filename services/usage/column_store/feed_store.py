"""PostgreSQL's side of the feed: changed rows, and how far the column store has got."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, TypeAlias

import asyncpg

from servicekit.postgres import sql
from services.usage.column_store.schema import COLUMNS, written_by_postgres
from services.usage.store.connection import Connection, connection_of

TakesText: TypeAlias = Callable[[bytes], Coroutine[Any, Any, None]]

# A month of a hundred million rows takes as long as it takes; nobody waits for it.
COPY_TIMEOUT_S: Final = 7_200.0
READ_STATE: Final = """
    SELECT
        is_on, feed, next_month, filled_at IS NOT NULL AS is_filled,
        coalesce(
            extract(epoch FROM clock_timestamp() - (SELECT min(written_at) FROM usage.column_feed)), 0
        )::float8 AS behind_s
    FROM usage.column_feed_state
"""
BEGIN_FEED: Final = "SELECT usage.begin_column_feed()"
END_FEED: Final = "SELECT usage.end_column_feed()"
TRY_ALONE: Final = "SELECT pg_try_advisory_lock(hashtext('usage.column_feed'))"
WAIT_ALONE: Final = "SELECT pg_advisory_lock(hashtext('usage.column_feed'))"
NOT_ALONE: Final = "SELECT pg_advisory_unlock(hashtext('usage.column_feed'))"
NEXT_NUMBER: Final = "SELECT nextval('usage.column_feed_number')"
FIND_PENDING: Final = """
    SELECT batch, rows
    FROM (
        SELECT batch, cardinality(ids) AS rows, sum(cardinality(ids)) OVER (ORDER BY batch) AS so_far
        FROM (
            SELECT batch, ids FROM usage.column_feed WHERE batch <> ALL($2::bigint[]) ORDER BY batch LIMIT 1000
        ) AS oldest
    ) AS counted
    WHERE so_far - rows < $1
    ORDER BY batch
"""
FORGET: Final = "DELETE FROM usage.column_feed WHERE batch = ANY($1::bigint[])"
ADVANCE: Final = "UPDATE usage.column_feed_state SET feed = $1"
# OFFSET makes PostgreSQL look up each id by the primary key: it takes few rows for visible, and would read all of them.
COPY_PENDING: Final = sql(
    """
    SELECT found.*
    FROM (
        SELECT DISTINCT unnest(ids) AS id, unnest(moments) AS created_at
        FROM usage.column_feed
        WHERE batch = ANY($1::bigint[])
    ) AS fed
    CROSS JOIN LATERAL (
        SELECT {written}, $2::bigint, 0
        FROM usage.usage AS u
        WHERE u.id = fed.id AND u.created_at = fed.created_at
        OFFSET 0
    ) AS found
    """,
    written=written_by_postgres(),
)
# Of what was deleted only the place is left; one that has come again is no more gone.
_PLACE: Final = {"id": "id", "user_id": "user_id", "created_at": "created_at AT TIME ZONE 'UTC'", "metadata": "'{}'"}
COPY_GONE: Final = sql(
    """
    SELECT {place}, $2::bigint, 1
    FROM (
        SELECT DISTINCT unnest(ids) AS id, unnest(moments) AS created_at, unnest(users) AS user_id
        FROM usage.column_feed
        WHERE batch = ANY($1::bigint[]) AND users IS NOT NULL
    ) AS gone
    WHERE NOT EXISTS (
        SELECT FROM usage.usage AS u
        WHERE u.id = gone.id AND u.created_at = gone.created_at AND u.user_id = gone.user_id
        OFFSET 0
    )
    """,
    place=", ".join(_PLACE.get(column.name, "''" if "String" in column.type else "0") for column in COLUMNS),
)
COPY_SPAN: Final = sql(
    "SELECT {written}, $3::bigint, 0 FROM usage.usage WHERE created_at >= $1 AND created_at < $2",
    written=written_by_postgres(),
)
FIND_FIRST_DAY: Final = "SELECT min(day) FROM usage.rollup_day_platform"
LIST_ARCHIVED: Final = "SELECT month FROM usage.archived_months"
FILLED_UNTIL: Final = "UPDATE usage.column_feed_state SET next_month = $1, filled_at = CASE WHEN $2 THEN now() END"

FORGET_FILLING: Final = "UPDATE usage.column_feed_state SET next_month = NULL, filled_at = NULL"


@dataclass(frozen=True, slots=True)
class FeedState:
    """The progress of the feed.

    Attributes:
        is_on: what is written is noted.
        feed: rows with a higher number do not count yet.
        next_month: the first month that is still to be copied; None: none was copied.
        is_filled: it has everything that was there before.
        behind_s: age of the oldest change that it has not been told of.
    """

    is_on: bool
    feed: int
    next_month: date | None
    is_filled: bool
    behind_s: float


class FeedStore:
    """The feed in PostgreSQL; each method raises `Unavailable` while PostgreSQL cannot be reached."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self._pool = pool

    async def state(self) -> FeedState:
        """Return how far the column store is."""
        async with connection_of(self._pool) as connection:
            return await read_state(connection)

    async def begin(self) -> None:
        """Note what is written from now on; whatever is not noted is committed when this returns."""
        async with connection_of(self._pool) as connection:
            await connection.execute(BEGIN_FEED)

    async def end(self) -> None:
        """Note nothing any more, and forget what was noted."""
        async with connection_of(self._pool) as connection:
            await connection.execute(END_FEED)

    async def forget_filling(self) -> None:
        """Count nothing as copied any more: PostgreSQL answers until it is copied again."""
        async with connection_of(self._pool) as connection:
            await connection.execute(FORGET_FILLING)

    @asynccontextmanager
    async def alone(self, *, wait: bool) -> AsyncIterator[Connection | None]:
        """Yield a connection for whoever feeds the column store; None: another one is at it, and we do not wait."""
        async with connection_of(self._pool) as connection:
            is_alone = await _lock(connection, wait=wait)
            try:
                yield connection if is_alone else None
            finally:
                if is_alone and not connection.is_closed():
                    await connection.execute(NOT_ALONE)


async def _lock(connection: Connection, *, wait: bool) -> bool:
    if wait:
        await connection.execute(WAIT_ALONE, timeout=COPY_TIMEOUT_S)
        return True
    return bool(await connection.fetchval(TRY_ALONE))


async def read_state(connection: Connection) -> FeedState:
    """Return how far the column store is."""
    row = await connection.fetchrow(READ_STATE)
    assert row is not None  # the migration put it there, and nobody may delete it
    return FeedState(**dict(row))


async def find_pending(connection: Connection, rows_max: int, under_way: Sequence[int] = ()) -> tuple[list[int], int]:
    """Return the oldest notes with at most so many rows, but one note at least, and how many rows they have.

    `under_way`: notes whose rows are being sent, which are none of them.
    """
    found = await connection.fetch(FIND_PENDING, rows_max, list(under_way))
    return [row["batch"] for row in found], sum(row["rows"] for row in found)


async def copy_pending(connection: Connection, batches: Sequence[int], number: int) -> bytes:
    """Return the rows of notes as they are now, and places of those that are gone, in the order of `schema.NAMES`."""
    text = io.BytesIO()
    async with connection.transaction(readonly=True):
        for statement in (COPY_PENDING, COPY_GONE):
            await connection.copy_from_query(statement, list(batches), number, output=text, timeout=COPY_TIMEOUT_S)
    return text.getvalue()


async def next_number(connection: Connection) -> int:
    """Return the number of the next try."""
    return int(await connection.fetchval(NEXT_NUMBER))


async def acknowledge(connection: Connection, batches: Sequence[int], number: int) -> None:
    """Forget notes whose rows the column store has."""
    async with connection.transaction():
        await connection.execute(FORGET, list(batches))
        await connection.execute(ADVANCE, number)


async def copy_span(connection: Connection, span: tuple[datetime, datetime], number: int, output: TakesText) -> None:
    """Hand on the rows from one moment until before another, as text that is cut anywhere."""
    await connection.copy_from_query(COPY_SPAN, *span, number, output=output, timeout=COPY_TIMEOUT_S)


async def first_day(connection: Connection) -> date | None:
    """Return the first UTC day with a request."""
    found: date | None = await connection.fetchval(FIND_FIRST_DAY)
    return found


async def archived_months(connection: Connection) -> frozenset[date]:
    """Return the months whose rows are in files."""
    return frozenset(row[0] for row in await connection.fetch(LIST_ARCHIVED))


async def filled_until(connection: Connection, next_month: date, *, is_filled: bool) -> None:
    """Remember which month is to be copied next, and whether all of them are."""
    await connection.execute(FILLED_UNTIL, next_month, is_filled)
