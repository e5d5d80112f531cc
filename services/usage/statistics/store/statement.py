"""The statements of a question; its values are always parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from servicekit.postgres import sql
from services.usage.domain.rollup import SUMS
from services.usage.statistics.domain.pieces import Move, Pieces, split
from services.usage.statistics.domain.query import Dimension, Query
from services.usage.statistics.store.row_sql import TAGS_OF_ROW, condition_of, expression_of
from services.usage.statistics.store.sources import Rollup
from services.usage.store.column_sql import SUM_OF_ROWS, listed

_SUMS: Final = listed(f"sum({name})::bigint AS {name}" for name in SUMS)
# A bucket is the number of starts at or before the row: 1 for the first one.
_FROM_ROWS: Final = """
    SELECT width_bucket(created_at, $4::timestamptz[]) AS bucket, ARRAY[{group}]::text[] AS values, {wanted}
    FROM usage.usage
    {joined}
    WHERE {whose}
        AND created_at >= $2
        AND created_at < $3
        {filters}
    GROUP BY 1, 2
"""
_FROM_ROLLUP: Final = """
    WITH moved AS (
        SELECT counted_in, belongs_to, found.*
        FROM unnest($5::timestamptz[], $6::timestamptz[], $7::int[], $8::int[])
            AS move (since, until, counted_in, belongs_to)
        CROSS JOIN LATERAL (
            SELECT ARRAY[{group}]::text[] AS values, {of_rows}
            FROM usage.usage
            WHERE {whose}
                AND created_at >= move.since
                AND created_at < move.until
                {filters}
            GROUP BY 1
        ) AS found
        {finer}
    ),
    parts AS (
        SELECT width_bucket({time}, $4::{time_type}[]) AS bucket, ARRAY[{group}]::text[] AS values, {sums}
        FROM {table}
        WHERE {whose}
            AND {time} >= $2
            AND {time} < $3
            {filters}
        GROUP BY 1, 2
        UNION ALL
        SELECT belongs_to, values, {names}
        FROM moved
        WHERE belongs_to > 0
        UNION ALL
        SELECT counted_in, values, {negated}
        FROM moved
        WHERE counted_in > 0
    )
    SELECT bucket, values, {sums}
    FROM parts
    GROUP BY 1, 2
    HAVING sum(requests) > 0
"""
_FROM_FINER: Final = """
        UNION ALL
        SELECT counted_in, belongs_to, found.*
        FROM unnest($9::timestamptz[], $10::timestamptz[], $11::int[], $12::int[])
            AS move (since, until, counted_in, belongs_to)
        CROSS JOIN LATERAL (
            SELECT ARRAY[{group}]::text[] AS values, {sums_of_finer}
            FROM {finer_table}
            WHERE {whose}
                AND {finer_time} >= move.since
                AND {finer_time} < move.until
                {filters}
            GROUP BY 1
        ) AS found
"""
# Each window is the beginning of one of many equal parts of the period. OFFSET keeps the planner from turning it into
# a join of all rows with all windows: of 150,000 rows that took 22 s instead of 0.2.
_FROM_WINDOWS: Final = """
    SELECT width_bucket(created_at, $4::timestamptz[]) AS bucket, ARRAY[{group}]::text[] AS values, {wanted}
    FROM unnest($2::timestamptz[], $3::timestamptz[]) AS chosen (since, until)
    JOIN LATERAL (
        SELECT *
        FROM usage.usage
        WHERE {whose}
            AND created_at >= chosen.since
            AND created_at < chosen.until
            {filters}
        OFFSET 0
    ) AS sampled ON true
    {joined}
    GROUP BY 1, 2
"""
_DURATIONS: Final = """
    percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY latency_ms)
        FILTER (WHERE source <> 'imported') AS latency,
    percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY first_token_ms)
        FILTER (WHERE first_token_ms > 0) AS first_token
"""
Windows = Sequence[tuple[datetime, datetime]]
_ROW_PARAMETERS: Final = 4
_ROLLUP_PARAMETERS: Final = 8
_FINER_PARAMETERS: Final = 4


@dataclass(frozen=True, slots=True)
class Shape:
    """What a statement depends on; questions of one shape differ in parameters only."""

    of_everybody: bool
    group_by: tuple[Dimension, ...]
    filtered: tuple[Dimension, ...]


def shape_of(query: Query) -> Shape:
    """Return the shape of a question."""
    return Shape(query.user_id is None, query.group_by, tuple(sorted(query.filters)))


def values_for_rows(query: Query, starts: list[datetime]) -> tuple[Any, ...]:
    """Return the parameters of a statement about rows."""
    return (query.user_id, query.since, query.until, starts, *_wanted(query))


def values_for_windows(query: Query, starts: list[datetime], windows: Windows) -> tuple[Any, ...]:
    """Return the parameters of a statement about the rows in some windows."""
    since, until = [begin for begin, _ in windows], [end for _, end in windows]
    return (query.user_id, since, until, starts, *_wanted(query))


def values_for_rollup(query: Query, rollup: Rollup, finer: Rollup | None, pieces: Pieces) -> tuple[Any, ...]:
    """Return the parameters of a statement about a rollup, and a finer one where there is one."""
    places = [_place(each, rollup) for each in (*pieces.starts, pieces.ends_at)]
    bounds = (query.user_id, places[0], places[-1], places[:-1])
    if finer is None:
        return (*bounds, *_columns(pieces.moves), *_wanted(query))
    whole, rest = split(pieces.moves, finer.slot)
    return (*bounds, *_columns(rest), *_columns(whole), *_wanted(query))


def _columns(moves: Sequence[Move]) -> tuple[list[Any], ...]:
    return (
        [move.since for move in moves],
        [move.until for move in moves],
        [move.counted_in for move in moves],
        [move.belongs_to for move in moves],
    )


def _place(moment: datetime, rollup: Rollup) -> Any:
    return moment.astimezone(UTC).date() if rollup.time_type == "date" else moment


def _wanted(query: Query) -> list[list[str]]:
    return [list(query.filters[dimension]) for dimension in sorted(query.filters)]


@lru_cache(maxsize=256)
def sums_of_rows(shape: Shape) -> str:
    """Return the statement that sums up rows."""
    return _of_rows(shape, SUM_OF_ROWS, _FROM_ROWS)


@lru_cache(maxsize=256)
def durations_of_rows(shape: Shape) -> str:
    """Return the statement that sorts durations of the rows in some windows."""
    return _of_rows(shape, _DURATIONS, _FROM_WINDOWS)


@lru_cache(maxsize=256)
def sums_of_rollup(shape: Shape, rollup: Rollup, finer: Rollup | None) -> str:
    """Return the statement that sums up whole slots and moves what lies between them and the buckets."""
    parts = _parts(shape, _ROLLUP_PARAMETERS + (_FINER_PARAMETERS if finer else 0))
    return sql(
        _FROM_ROLLUP,
        **parts,
        table=rollup.table,
        time=rollup.time,
        time_type=rollup.time_type,
        sums=_SUMS,
        of_rows=SUM_OF_ROWS,
        names=listed(SUMS),
        negated=listed(f"-{name}" for name in SUMS),
        finer=_finer(finer, parts) if finer else "",
    )


def _finer(finer: Rollup, parts: dict[str, str]) -> str:
    return sql(_FROM_FINER, **parts, sums_of_finer=_SUMS, finer_table=finer.table, finer_time=finer.time)


def _of_rows(shape: Shape, wanted: str, template: str) -> str:
    joined = TAGS_OF_ROW if Dimension.TAG in shape.group_by else ""
    return sql(template, **_parts(shape, _ROW_PARAMETERS), wanted=wanted, joined=joined)


def _parts(shape: Shape, parameters: int) -> dict[str, str]:
    conditions = [condition_of(each, f"${parameters + place}") for place, each in enumerate(shape.filtered, 1)]
    return {
        "group": listed(map(expression_of, shape.group_by)),
        "whose": "$1::text IS NULL" if shape.of_everybody else "user_id = $1",
        "filters": "\n".join(f"AND {condition}" for condition in conditions),
    }
