"""StatisticsStore: figures from PostgreSQL."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import asyncpg

from servicekit.postgres import database_errors
from services.usage.statistics.domain.buckets import starts_of
from services.usage.statistics.domain.figures import Figures, Quantiles, Row
from services.usage.statistics.domain.folding import fold
from services.usage.statistics.domain.query import Bucket, Dimension, Query
from services.usage.statistics.domain.request_line import LogQuery, RequestLine
from services.usage.statistics.domain.sampling import windows
from services.usage.statistics.store.counting import Counted, sums_by_tag, sums_of
from services.usage.statistics.store.parameters import values_for_windows
from services.usage.statistics.store.request_log import read_page
from services.usage.statistics.store.statement import durations_of_rows, shape_of
from services.usage.store.connection import Connection
from services.usage.store.usage_store import EVERYBODY

# Many small parts make a plan look dear; compiling it would take longer than all of them together.
# The sums of ten thousand groups take 10 MB, and PostgreSQL's 4 would send them to the disk. Row security makes it
# expect one row in two hundred, for which it would sort before it groups.
BEGIN_READING: Final = (
    "SELECT set_config('razvilka.user', $1, false), set_config('jit', 'off', false),"
    " set_config('enable_sort', 'off', false), set_config('work_mem', '32MB', false)"
)
_DURATIONS: Final = ("latency", "first_token")


class StatisticsStore:
    """Figures from rollups where they can answer, else from rows; `Unavailable` while PostgreSQL cannot be reached."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self._pool = pool

    async def figures(self, query: Query) -> Sequence[Row]:
        """Return a row for each group and bucket in which there was a request, by bucket, then by group.

        Durations are None unless the query asks for quantiles.
        """
        (rows,) = await self.figures_together([query])
        return rows

    async def figures_together(self, queries: Sequence[Query]) -> Sequence[Sequence[Row]]:
        """Return the figures of each question, in order, all of one moment. They are of one user, or of everybody."""
        whose = {query.user_id for query in queries}
        async with self._snapshot(whose.pop() if len(whose) == 1 else None) as connection:
            return [await answer(connection, query) for query in queries]

    async def request_lines(self, query: LogQuery) -> Sequence[RequestLine]:
        """Return a page of the log of requests."""
        async with self._snapshot(query.user_id) as connection:
            return await read_page(connection, query)

    async def daily_cost(self, user_id: str | None, zone: str, since: date, until: date) -> Sequence[int]:
        """Return micro-roubles of each day in the zone, from `since` until before `until`, empty days too."""
        area = ZoneInfo(zone)
        begin, end = (datetime.combine(day, time(), area) for day in (since, until))
        rows = await self.figures(Query(user_id, begin, end, zone, Bucket.DAY))
        cost = {row.starts_at.astimezone(area).date(): row.figures.cost_micro_rub for row in rows if row.starts_at}
        return [cost.get(since + timedelta(days=number), 0) for number in range((until - since).days)]

    @asynccontextmanager
    async def _snapshot(self, user_id: str | None) -> AsyncIterator[Connection]:
        with database_errors():
            async with self._pool.acquire() as connection:
                await connection.execute(BEGIN_READING, EVERYBODY if user_id is None else user_id)
                async with connection.transaction(isolation="repeatable_read", readonly=True):
                    yield connection


async def answer(connection: Connection, query: Query) -> list[Row]:
    """Return the figures of one question from what the connection sees."""
    if query.since >= query.until:
        return []
    starts = starts_of(query.bucket, query.zone, query.since, query.until) if query.bucket else [query.since]
    if query.limit:
        return await _page(connection, query, starts)
    return await _rows_of(connection, query, starts)


async def _page(connection: Connection, query: Query, starts: list[datetime]) -> list[Row]:
    """Return the rows behind the position: from its bucket, then twice as many buckets each time, until it is full."""
    rows: list[Row] = []
    begin, many = bisect_right(starts, query.after.starts_at) - 1 if query.after else 0, 1
    part = query if begin >= 0 and query.group_by else replace(query, after=None)
    # Without groups a bucket has one row, which is behind us.
    begin = max(begin, 0) if query.group_by or query.after is None else begin + 1
    while begin < len(starts) and len(rows) < query.limit:
        end = begin + many
        since, until = max(query.since, starts[begin]), starts[end] if end < len(starts) else query.until
        part = replace(part, since=since, until=until, limit=query.limit - len(rows))
        rows += await _rows_of(connection, part, starts[begin:end])
        part, begin, many = replace(part, after=None), end, 2 * many
    return rows


async def _rows_of(connection: Connection, query: Query, starts: list[datetime]) -> list[Row]:
    if Dimension.TAG in query.group_by:
        counted = await sums_by_tag(connection, query, starts)
    else:
        counted = await sums_of(connection, query, starts)
    durations = await _durations(connection, query, starts, counted) if query.quantiles else {}
    rows = [
        Row(
            starts[each.bucket - 1] if query.bucket else None,
            each.group,
            _figures(each, {} if each.is_other else durations.get((each.bucket, each.group), {})),
            each.is_other,
        )
        for each in sorted(counted, key=lambda each: (each.bucket, each.is_other, each.group))
    ]
    # A question by tag has been put together from two, and could not be folded where it was counted.
    return fold(rows, query.top) if query.is_folded and Dimension.TAG in query.group_by else rows


async def _durations(
    connection: Connection, query: Query, starts: list[datetime], counted: Sequence[Counted]
) -> dict[tuple[int, tuple[str, ...]], dict[str, Quantiles]]:
    chosen = windows(query.since, query.until, sum(each.sums["requests"] for each in counted))
    kept = list({each.group for each in counted if not each.is_other})
    values = values_for_windows(query, starts, chosen, kept)
    rows = await connection.fetch(durations_of_rows(shape_of(query)), *values)
    return {
        (row["bucket"], tuple(row["values"])): {name: Quantiles(*(row[name] or ())) for name in _DURATIONS}
        for row in rows
    }


def _figures(counted: Counted, durations: dict[str, Quantiles]) -> Figures:
    values: dict[str, Any] = {**counted.sums, **durations}
    return Figures(**values)
