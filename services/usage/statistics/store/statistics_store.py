"""StatisticsStore: figures from PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg

from servicekit.postgres import database_errors
from services.usage.domain.rollup import SUMS
from services.usage.statistics.domain.buckets import starts_of
from services.usage.statistics.domain.figures import Figures, Quantiles, Row
from services.usage.statistics.domain.pieces import cut
from services.usage.statistics.domain.query import Bucket, Query
from services.usage.statistics.domain.request_line import LogQuery, RequestLine
from services.usage.statistics.domain.sampling import windows
from services.usage.statistics.store.request_log import read_page
from services.usage.statistics.store.sources import sources_of
from services.usage.statistics.store.statement import (
    durations_of_rows,
    shape_of,
    sums_of_rollup,
    sums_of_rows,
    values_for_rollup,
    values_for_rows,
    values_for_windows,
)
from services.usage.store.connection import Connection
from services.usage.store.usage_store import EVERYBODY, NAME_USER

_Place = tuple[int, tuple[str, ...]]


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
                await connection.execute(NAME_USER, EVERYBODY if user_id is None else user_id)
                async with connection.transaction(isolation="repeatable_read", readonly=True):
                    yield connection


async def answer(connection: Connection, query: Query) -> list[Row]:
    """Return the figures of one question from what the connection sees."""
    if query.since >= query.until:
        return []
    starts = starts_of(query.bucket, query.zone, query.since, query.until) if query.bucket else [query.since]
    sums = await _sums(connection, query, starts)
    durations: dict[_Place, asyncpg.Record] = {}
    if query.quantiles:
        chosen = windows(query.since, query.until, sum(row["requests"] for row in sums.values()))
        values = values_for_windows(query, starts, chosen)
        durations = _by_place(await connection.fetch(durations_of_rows(shape_of(query)), *values))
    return [
        Row(starts[place[0] - 1] if query.bucket else None, place[1], _figures(sums[place], durations.get(place)))
        for place in sorted(sums)
    ]


async def _sums(connection: Connection, query: Query, starts: list[datetime]) -> dict[_Place, asyncpg.Record]:
    rollup, finer = sources_of(query)
    if rollup is None:
        statement, values = sums_of_rows(shape_of(query)), values_for_rows(query, starts)
    else:
        pieces = cut([query.since, *starts[1:], query.until], rollup.slot)
        statement, values = (
            sums_of_rollup(shape_of(query), rollup, finer),
            values_for_rollup(query, rollup, finer, pieces),
        )
    return _by_place(await connection.fetch(statement, *values))


def _by_place(rows: Sequence[asyncpg.Record]) -> dict[_Place, asyncpg.Record]:
    return {(row["bucket"], tuple(row["values"])): row for row in rows}


def _figures(sums: asyncpg.Record, durations: asyncpg.Record | None) -> Figures:
    values: dict[str, Any] = {name: int(sums[name]) for name in SUMS}
    if durations is not None:
        values |= {name: Quantiles(*(durations[name] or ())) for name in ("latency", "first_token")}
    return Figures(**values)
