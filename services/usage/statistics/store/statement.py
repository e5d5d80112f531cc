"""The statements of a question; its values are always parameters."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from servicekit.postgres import sql
from services.usage.statistics.domain.query import Dimension, Query
from services.usage.statistics.store.row_sql import SUMS_OF_ROWS, TAGS_OF_ROW, condition_of, expression_of
from services.usage.store.column_sql import listed

_FIRST_FILTER: Final = 5
# A bucket is the number of starts at or before the row: 1 for the first one.
_GROUPED: Final = """
    SELECT width_bucket(created_at, $4::timestamptz[]) AS bucket, ARRAY[{group}]::text[] AS values, {wanted}
    FROM usage.usage
    {joined}
    WHERE {whose}
        AND created_at >= $2
        AND created_at < $3
        {filters}
    GROUP BY 1, 2
"""
_DURATIONS: Final = """
    percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY latency_ms) AS latency,
    percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY first_token_ms)
        FILTER (WHERE first_token_ms > 0) AS first_token
"""


@dataclass(frozen=True, slots=True)
class Shape:
    """What a statement depends on; questions of one shape differ in parameters only."""

    of_everybody: bool
    group_by: tuple[Dimension, ...]
    filtered: tuple[Dimension, ...]


def shape_of(query: Query) -> Shape:
    """Return the shape of a question."""
    return Shape(query.user_id is None, query.group_by, tuple(sorted(query.filters)))


def values_of(query: Query, starts: list[datetime]) -> tuple[Any, ...]:
    """Return the parameters of its statements."""
    wanted = [list(query.filters[dimension]) for dimension in sorted(query.filters)]
    return (query.user_id, query.since, query.until, starts, *wanted)


@lru_cache(maxsize=256)
def sums_statement(shape: Shape) -> str:
    """Return the statement that sums up rows."""
    return _statement(shape, listed(f"{wanted}::bigint AS {name}" for name, wanted in SUMS_OF_ROWS.items()))


@lru_cache(maxsize=256)
def durations_statement(shape: Shape) -> str:
    """Return the statement that sorts durations."""
    return _statement(shape, _DURATIONS)


def _statement(shape: Shape, wanted: str) -> str:
    conditions = [condition_of(each, f"${_FIRST_FILTER + place}") for place, each in enumerate(shape.filtered)]
    return sql(
        _GROUPED,
        group=listed(map(expression_of, shape.group_by)),
        wanted=wanted,
        joined=TAGS_OF_ROW if Dimension.TAG in shape.group_by else "",
        whose="$1::text IS NULL" if shape.of_everybody else "user_id = $1",
        filters="\n".join(f"AND {condition}" for condition in conditions),
    )
