"""Pages of the request log by keyset pagination, so that the thousandth page costs as much as the first."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import msgspec
from asyncpg import Record

from servicekit.postgres import sql
from services.usage.statistics.domain.query import Dimension
from services.usage.statistics.domain.request_line import LogQuery, RequestLine
from services.usage.statistics.store.row_sql import condition_of
from services.usage.store.connection import Connection

_FIRST_FILTER: Final = 7
_PAGE: Final = """
    SELECT
        id::text AS request_id, created_at, user_id, key_id, client_id, provider, model, requested_model,
        resolved_model, endpoint, status, source, error_code, http_status, stream, finish_reason, tokens_input,
        tokens_output, tokens_cached, tokens_reasoning, (cost * 1000000)::bigint AS cost_micro_rub, latency_ms,
        first_token_ms, cache_status, metadata::text AS tags
    FROM usage.usage
    WHERE {whose}
        AND created_at >= $2
        AND created_at < $3
        AND ($4::timestamptz IS NULL OR (created_at, id) {beyond} ($4, $5::uuid))
        {filters}
    ORDER BY created_at {order}, id {order}
    LIMIT $6
"""
# An index has the requests that did not end well; a parameter does not tell PostgreSQL that only those are wanted.
_FAILED: Final = {Dimension.STATUS: ("status", "completed"), Dimension.ERROR: ("error_code", "")}
# Row security makes the planner expect one row in two hundred, and hence read and sort the whole period for a page.
READ_OUT_OF_ORDER: Final = """
    SELECT set_config(name, $1, true)
    FROM unnest(ARRAY['enable_sort', 'enable_bitmapscan', 'enable_seqscan']) AS name
"""
_tags: Final = msgspec.json.Decoder(dict[str, str]).decode


async def read_page(connection: Connection, query: LogQuery) -> Sequence[RequestLine]:
    """Return the lines that follow the position, at most `limit`, in the transaction that is under way."""
    dimensions = tuple(sorted(query.filters))
    failed = tuple([each for each, (_, usual) in _FAILED.items() if usual not in query.filters.get(each, (usual,))])
    statement = _statement(query.user_id is None, query.oldest_first, dimensions, failed)
    await connection.execute(READ_OUT_OF_ORDER, "off")
    rows = await connection.fetch(statement, *_values(query, dimensions))
    await connection.execute(READ_OUT_OF_ORDER, "on")
    return list(map(_line, rows))


def _values(query: LogQuery, dimensions: Sequence[Dimension]) -> tuple[Any, ...]:
    place = (query.after.created_at, query.after.request_id) if query.after else (None, None)
    return (query.user_id, *query.span(), *place, query.limit, *[list(query.filters[each]) for each in dimensions])


@lru_cache(maxsize=256)
def _statement(
    of_everybody: bool, oldest_first: bool, filtered: tuple[Dimension, ...], failed: tuple[Dimension, ...]
) -> str:
    conditions = [condition_of(each, f"${_FIRST_FILTER + place}") for place, each in enumerate(filtered)]
    conditions += [f"{column} <> '{usual}'" for column, usual in [_FAILED[each] for each in failed]]
    return sql(
        _PAGE,
        whose="$1::text IS NULL" if of_everybody else "user_id = $1",
        beyond=">" if oldest_first else "<",
        order="ASC" if oldest_first else "DESC",
        filters="\n".join(f"AND {condition}" for condition in conditions),
    )


def _line(row: Record) -> RequestLine:
    values = dict(row)
    return RequestLine(**values | {"tags": _tags(values["tags"])})
