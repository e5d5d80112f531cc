"""Figures from PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from typing import Any, Final

import asyncpg

from servicekit.postgres import database_errors
from services.usage.statistics import answering
from services.usage.statistics.domain.figures import Figures, Quantiles, Row
from services.usage.statistics.domain.folding import fold
from services.usage.statistics.domain.query import Dimension, Query
from services.usage.statistics.domain.request_line import LogQuery, RequestLine
from services.usage.statistics.domain.sampling import ENOUGH, windows
from services.usage.statistics.offload import offload
from services.usage.statistics.store.counting import Counted, slots_with_requests, sums_by_tag, sums_of
from services.usage.statistics.store.parameters import values_for_windows
from services.usage.statistics.store.request_log import read_page
from services.usage.statistics.store.sources import sources_of
from services.usage.statistics.store.statement import durations_of_rows, shape_of
from services.usage.store.connection import EVERYBODY, Connection
from services.usage.store.usage_store import GENERIC_PLAN

# Many small parts make a plan look dear; compiling it would take longer than all of them together.
# The sums of ten thousand groups take 10 MB, and PostgreSQL's 4 would send them to the disk. Row security makes it
# expect one row in two hundred, for which it would sort before it groups.
BEGIN_READING: Final = (
    "SELECT set_config('razvilka.user', $1, false), set_config('plan_cache_mode', $2, false),"
    " set_config('jit', 'off', false), set_config('enable_sort', 'off', false), set_config('work_mem', '32MB', false)"
)
# Planning a question to the sums of one user takes five times as long as answering it, and always comes to the same
# plan: their index. Among rows, and among everybody's, the values decide.
PLAN_BY_VALUES: Final = "auto"
_DURATIONS: Final = ("latency", "first_token")
_Durations = dict[tuple[int, tuple[str, ...]], dict[str, Quantiles]]


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
        async with self._snapshot(whose.pop() if len(whose) == 1 else None, _plan_of(queries)) as connection:
            return [await answer(connection, query) for query in queries]

    async def request_lines(self, query: LogQuery) -> Sequence[RequestLine]:
        """Return a page of the log of requests."""
        async with self._snapshot(query.user_id) as connection:
            return await read_page(connection, query)

    @asynccontextmanager
    async def _snapshot(self, user_id: str | None, plan: str = PLAN_BY_VALUES) -> AsyncIterator[Connection]:
        with database_errors():
            async with self._pool.acquire() as connection:
                await connection.execute(BEGIN_READING, EVERYBODY if user_id is None else user_id, plan)
                async with connection.transaction(isolation="repeatable_read", readonly=True):
                    yield connection


def _plan_of(queries: Sequence[Query]) -> str:
    of_sums = all(query.user_id is not None and sources_of(query)[0] is not None for query in queries)
    return GENERIC_PLAN if of_sums else PLAN_BY_VALUES


async def answer(connection: Connection, query: Query) -> list[Row]:
    """Return the figures of one question from what the connection sees."""
    return await answering.answer(query, partial(_rows_of, connection))


async def _rows_of(connection: Connection, query: Query, starts: list[datetime]) -> list[Row]:
    if Dimension.TAG in query.group_by:
        counted = await sums_by_tag(connection, query, starts)
    else:
        counted = await sums_of(connection, query, starts)
    durations = await _durations(connection, query, starts, counted) if query.quantiles else {}
    return await offload(len(counted), partial(_rows_from, query, starts, counted, durations))


def _rows_from(query: Query, starts: list[datetime], counted: Sequence[Counted], durations: _Durations) -> list[Row]:
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
) -> _Durations:
    chosen, requests = [(query.since, query.until)], sum(each.sums["requests"] for each in counted)
    if requests > ENOUGH:
        chosen = windows(requests, await slots_with_requests(connection, query))
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
