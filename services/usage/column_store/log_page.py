"""Pages of the log of requests from the column store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
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
_tags: Final = msgspec.json.Decoder(dict[str, str]).decode


async def read_page(engine: ColumnEngine, query: LogQuery, feed: int) -> Sequence[RequestLine]:
    """Return the lines that follow the position, at most `limit`."""
    statement = _statement(
        query.user_id is None, query.oldest_first, tuple(sorted(query.filters)), query.after is not None
    )
    return list(map(_line, await engine.ask(statement, _values(query, feed), query.user_id)))


@lru_cache(maxsize=256)
def _statement(of_everybody: bool, oldest_first: bool, filtered: tuple[Dimension, ...], is_continued: bool) -> str:
    beyond = sql(_BEYOND, beyond=">" if oldest_first else "<") if is_continued else ""
    return sql(
        _PAGE,
        plain=", ".join(f"u.{name}" for name in _PLAIN),
        rows=rows_of(of_everybody=of_everybody, filters=conditions_of(filtered) + beyond),
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
