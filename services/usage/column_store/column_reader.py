"""Reads figures and the request log from the column store, as of one number of the feed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, Final, TypeAlias

from servicekit.postgres import sql
from services.usage.column_store.engine import ColumnEngine
from services.usage.column_store.log_page import read_page
from services.usage.column_store.schema import NAMES, TABLE
from services.usage.column_store.statement import Shape, durations_of, shape_of, sums_of
from services.usage.column_store.values import filter_values, micros, moment_of
from services.usage.domain.record import EPOCH
from services.usage.domain.rollup import SUMS
from services.usage.statistics import answering
from services.usage.statistics.domain.checking import MOST_ROWS, UNCOUNTED, check_rows
from services.usage.statistics.domain.figures import Figures, Quantiles, Row
from services.usage.statistics.domain.query import Query
from services.usage.statistics.domain.request_line import LogQuery, RequestLine
from services.usage.statistics.offload import offload

_CHECK: Final = sql("SELECT {names} FROM {table} LIMIT 0", names=", ".join(NAMES), table=TABLE)
_Durations: TypeAlias = Mapping[tuple[int, tuple[str, ...]], Mapping[str, Any]]


class ColumnReader:
    """Answers from rows; `Unavailable` while ClickHouse cannot be reached. Rows newer than `feed` do not count."""

    def __init__(self, engine: ColumnEngine) -> None:
        self._engine = engine

    async def figures(self, query: Query, feed: int) -> list[Row]:
        """Return a row for each group and bucket in which there was a request, by bucket, then by group."""
        return await answering.answer(query, partial(self._rows_of, feed))

    async def request_lines(self, query: LogQuery, feed: int) -> Sequence[RequestLine]:
        """Return a page of the log of requests."""
        return await read_page(self._engine, query, feed)

    async def check(self, feed: int) -> int:
        """Return the number when the table answers and has every column that is asked for."""
        await self._engine.ask(_CHECK, {}, None)
        return feed

    async def _rows_of(self, feed: int, query: Query, starts: list[datetime]) -> list[Row]:
        shape, values = shape_of(query), _values(query, starts, feed)
        found = await self._sums(query, sums_of(shape), values)
        rows = await offload(len(found), lambda: [_row(shape, row) for row in found])
        if query.quantiles and query.is_folded:
            rows = _measured(rows, await self._durations(query, values, rows))
        return await offload(
            len(rows), lambda: sorted(rows, key=lambda row: (row.starts_at or EPOCH, row.is_other, row.group))
        )

    async def _sums(self, query: Query, statement: str, values: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        if query.limit or UNCOUNTED.isdisjoint(query.group_by):
            return await self._engine.ask(statement, values, query.user_id)
        # One more tells that there are too many, before they take all memory.
        found = await self._engine.ask(f"{statement} LIMIT {MOST_ROWS + 1}", values, query.user_id)
        check_rows(len(found), MOST_ROWS)
        return found

    async def _durations(self, query: Query, values: Mapping[str, Any], rows: Sequence[Row]) -> _Durations:
        kept = sorted({row.group for row in rows if not row.is_other})
        columns = {f"kept_{place}": [group[place - 1] for group in kept] for place, _ in enumerate(query.group_by, 1)}
        found = await self._engine.ask(durations_of(shape_of(query)), {**values, **columns}, query.user_id)
        return {(row[0], tuple(row[1:-2])): _quantiles(row[-2], row[-1]) for row in found}


def _values(query: Query, starts: list[datetime], feed: int) -> dict[str, Any]:
    values: dict[str, Any] = {
        "feed": feed,
        "since": micros(query.since),
        "until": micros(query.until),
        "starts": [micros(start) for start in starts],
        "limit": query.limit,
        "top": query.top,
    }
    if query.user_id is not None:
        values["whose"] = query.user_id
    for place, value in enumerate(query.after.group if query.after else (), 1):
        values[f"after_{place}"] = value
    return values | filter_values(query.filters)


def _row(shape: Shape, found: Sequence[Any]) -> Row:
    bucket, *rest = found
    groups, rest = tuple(rest[: len(shape.group_by)]), rest[len(shape.group_by) :]
    is_other = bool(rest.pop(0)) if shape.is_folded else False
    sums: dict[str, Any] = dict(zip(SUMS, map(int, rest[: len(SUMS)]), strict=True))
    if shape.quantiles:
        sums |= _quantiles(*rest[len(SUMS) :])
    return Row(_starts_at(shape, bucket), groups, Figures(**sums), is_other)


def _starts_at(shape: Shape, bucket: int) -> datetime | None:
    return moment_of(bucket) if shape.has_buckets else None


def _quantiles(latency: Sequence[float], first_token: Sequence[float]) -> dict[str, Any]:
    return {"latency": _quantile(latency), "first_token": _quantile(first_token)}


def _quantile(values: Sequence[float]) -> Quantiles:
    return Quantiles() if any(map(math.isnan, values)) else Quantiles(*values)


def _measured(rows: Sequence[Row], durations: _Durations) -> list[Row]:
    """Return the rows with the durations of their groups; the others have none."""
    measured = []
    for row in rows:
        found = {} if row.is_other else durations.get((_bucket_of(row), row.group), {})
        measured.append(replace(row, figures=replace(row.figures, **found)))
    return measured


def _bucket_of(row: Row) -> int:
    return micros(row.starts_at) if row.starts_at else 0
