"""Pages of the request log, from the column store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final

import msgspec

from servicekit.postgres import sql
from services.usage.column_store.engine import ColumnEngine
from services.usage.column_store.statement import conditions_of, rows_of
from services.usage.column_store.values import filter_values, micros, moment_of
from services.usage.statistics.domain.query import Dimension
from services.usage.statistics.domain.request_line import LogQuery, RequestLine

# The others are columns by their names.
_READ_APART: Final = frozenset({"request_id", "created_at", "tags"})
_PLAIN: Final = tuple([field.name for field in fields(RequestLine) if field.name not in _READ_APART])
# A UUID's own order is that of its second half.
_PAGE: Final = """
    SELECT toString(u.id) AS request_id, toUnixTimestamp64Micro(u.created_at) AS at, u.metadata AS tags, {plain}
    {rows}
    ORDER BY u.created_at {order}, request_id {order}
    LIMIT {{limit:UInt64}}
"""
_BEYOND: Final = """
    AND (u.created_at, toString(u.id)) {beyond}
        (fromUnixTimestamp64Micro({{after_at:Int64}}, 'UTC'), {{after_id:String}})
"""
# Everybody's rows lie by user: reading all columns of a period for a page of it is what takes long. So its moments are
# looked for first, in few columns, and only where they are the others are read.
_MOMENTS: Final = """
    SELECT toUnixTimestamp64Micro(u.created_at) AS at
    {rows}
    ORDER BY u.created_at {order}
    LIMIT {{limit:UInt64}}
"""
_AT_MOMENTS: Final = "AND has({moments:Array(Int64)}, toUnixTimestamp64Micro(u.created_at))"
# The first span that is looked at, and how much longer each next one is.
_FIRST_SPAN: Final = timedelta(hours=1)
_LONGER: Final = 8
_tags: Final = msgspec.json.Decoder(dict[str, str]).decode


async def read_page(engine: ColumnEngine, query: LogQuery, feed: int) -> Sequence[RequestLine]:
    """Return the lines that follow the position, at most `limit`."""
    values = _values(query, feed)
    if query.user_id is not None:
        return await _lines(engine, query, values)
    moments = await _moments(engine, query, values)
    if not moments:
        return []
    narrowed = {"since": min(moments), "until": max(moments) + 1, "moments": moments}
    return await _lines(engine, query, values | narrowed, at=_AT_MOMENTS)


async def _lines(engine: ColumnEngine, query: LogQuery, values: Mapping[str, Any], at: str = "") -> list[RequestLine]:
    return list(map(_line, await engine.ask(_statement_of(query, _PAGE, at), values, query.user_id)))


async def _moments(engine: ColumnEngine, query: LogQuery, values: Mapping[str, Any]) -> list[int]:
    """Return when the lines of a page are: from the end where it begins, in longer and longer spans."""
    statement = _statement_of(query, _MOMENTS)
    for span in _spans(query):
        begins, ends = [micros(moment) for moment in span]
        found = await engine.ask(statement, {**values, "since": begins, "until": ends}, query.user_id)
        if len(found) == query.limit:
            break
    return sorted({row[0] for row in found})


def _spans(query: LogQuery) -> Iterator[tuple[datetime, datetime]]:
    since, until = query.span()
    length = _FIRST_SPAN
    while length < until - since:
        yield (since, since + length) if query.oldest_first else (until - length, until)
        length *= _LONGER
    yield since, until


def _statement_of(query: LogQuery, template: str, at: str = "") -> str:
    filtered = tuple(sorted(query.filters))
    return _statement(template, at, query.user_id is None, query.oldest_first, filtered, query.after is not None)


@lru_cache(maxsize=256)
def _statement(
    template: str, at: str, of_everybody: bool, oldest_first: bool, filtered: tuple[Dimension, ...], is_continued: bool
) -> str:
    beyond = sql(_BEYOND, beyond=">" if oldest_first else "<") if is_continued else ""
    return sql(
        template,
        plain=", ".join(f"u.{name}" for name in _PLAIN),
        rows=rows_of(of_everybody=of_everybody, filters=conditions_of(filtered) + beyond, at=at),
        order="ASC" if oldest_first else "DESC",
    )


def _values(query: LogQuery, feed: int) -> dict[str, Any]:
    since, until = query.span()
    values: dict[str, Any] = {"feed": feed, "since": micros(since), "until": micros(until), "limit": query.limit}
    if query.user_id is not None:
        values["whose"] = query.user_id
    if query.after is not None:
        values |= {"after_at": micros(query.after.created_at), "after_id": query.after.request_id.lower()}
    return values | filter_values(query.filters)


def _line(row: Sequence[Any]) -> RequestLine:
    request_id, at, tags, *plain = row
    values = dict(zip(_PLAIN, plain, strict=True))
    values["stream"] = bool(values["stream"])
    return RequestLine(request_id=request_id, created_at=moment_of(at), tags=_tags(tags), **values)
