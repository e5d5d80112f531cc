"""The SQL statements of a query; values are always parameters."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from servicekit.postgres import sql
from services.usage.domain.rollup import SUMS
from services.usage.statistics.domain.query import Dimension, Query
from services.usage.statistics.store.row_sql import (
    HAS_TAGS,
    TAGS_OF_ROW,
    TAGS_OR_NONE,
    UNTAGGED,
    condition_of,
    expression_of,
)
from services.usage.statistics.store.sources import Rollup
from services.usage.store.column_sql import SUM_OF_ROWS, listed

_SUMS: Final = listed(f"sum({name})::bigint AS {name}" for name in SUMS)
# A bucket is the number of starts at or before the row: 1 for the first one.
_FROM_ROWS: Final = """
    WITH answer AS (
        SELECT width_bucket(created_at, $4::timestamptz[]) AS bucket{named}, {of_rows}
        FROM usage.usage
        {joined}
        WHERE {whose}
            AND created_at >= $2
            AND created_at < $3
            {filters}
            {tagged}
        GROUP BY {positions}
    )
"""
_FROM_ROLLUP: Final = """
    WITH moved AS (
        SELECT counted_in, belongs_to, found.*
        FROM unnest($5::timestamptz[], $6::timestamptz[], $7::int[], $8::int[])
            AS move (since, until, counted_in, belongs_to)
        CROSS JOIN LATERAL (
            SELECT 0 AS nothing{named}, {of_rows}
            FROM usage.usage
            {joined}
            WHERE {whose}
                AND created_at >= move.since
                AND created_at < move.until
                {filters}
                {tagged}
            GROUP BY {positions}
        ) AS found
        {finer}
    ),
    parts AS (
        SELECT width_bucket({time}, $4::{time_type}[]) AS bucket{named}, {plain}
        FROM {table}
        WHERE {whose}
            AND {time} >= $2
            AND {time} < $3
            {filters}
        UNION ALL
        SELECT belongs_to{names}, {plain}
        FROM moved
        WHERE belongs_to > 0
        UNION ALL
        SELECT counted_in{names}, {negated}
        FROM moved
        WHERE counted_in > 0
    ),
    answer AS (
        SELECT bucket{names}, {sums}
        FROM parts
        GROUP BY {positions}
        HAVING sum(requests) > 0
    )
"""
_FROM_FINER: Final = """
        UNION ALL
        SELECT counted_in, belongs_to, found.*
        FROM unnest($9::timestamptz[], $10::timestamptz[], $11::int[], $12::int[])
            AS move (since, until, counted_in, belongs_to)
        CROSS JOIN LATERAL (
            SELECT 0 AS nothing{named}, {sums_of_finer}
            FROM {finer_table}
            WHERE {whose}
                AND {finer_time} >= {since}
                AND {finer_time} < {until}
                {filters}
            GROUP BY {positions}
        ) AS found
"""
_EACH: Final = "SELECT bucket, ARRAY[{places}]::text[] AS values, false AS is_other, {plain} FROM answer"
# A page: PostgreSQL leaves out the groups before it already where it reads. The order is that of Python's texts.
_NEXT: Final = """{each} {behind} ORDER BY bucket, {ordered} LIMIT {limit}"""
_BEHIND: Final = "WHERE ({ordered}) > ({position})"
# Those that cost most over all buckets, and in each bucket one row of all others.
_LARGEST: Final = """
    , kept AS MATERIALIZED (
        SELECT {places}, true AS is_kept
        FROM answer
        GROUP BY {places}
        ORDER BY sum(cost_micro_rub) DESC, sum(requests) DESC, {ordered}
        LIMIT {top}
    )
    SELECT
        bucket, CASE WHEN is_kept THEN ARRAY[{places}] ELSE ARRAY[{blanks}] END AS values,
        is_kept IS NULL AS is_other, {sums}
    FROM answer
    LEFT JOIN kept USING ({places})
    GROUP BY 1, 2, 3
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
    {only}
    GROUP BY 1, 2
"""
# Where the requests of a period are: what windows are chosen by.
_SLOTS_OF_ROWS: Final = """
    SELECT date_trunc('hour', created_at, 'UTC') AS slot, count(*) AS requests
    FROM usage.usage
    WHERE {whose}
        AND created_at >= $2
        AND created_at < $3
        {filters}
    GROUP BY slot
    ORDER BY slot
"""
_SLOTS_OF_ROLLUP: Final = """
    SELECT {time} AS slot, sum(requests)::bigint AS requests
    FROM {table}
    WHERE {whose}
        AND {time} BETWEEN $2 AND $3
        {filters}
    GROUP BY {time}
    HAVING sum(requests) > 0
    ORDER BY {time}
"""
# Sorting the durations of thousands of groups of which ten are shown costs more than all the rest.
_ONLY: Final = "WHERE ({group}) IN (SELECT * FROM unnest({kept}))"
_DURATIONS: Final = """
    percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY latency_ms)
        FILTER (WHERE source <> 'imported') AS latency,
    percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY first_token_ms)
        FILTER (WHERE first_token_ms > 0) AS first_token
"""
_SLOT_PARAMETERS: Final = 3
_ROW_PARAMETERS: Final = 4
_ROLLUP_PARAMETERS: Final = 8
_FINER_PARAMETERS: Final = 4


@dataclass(frozen=True, slots=True)
class Shape:
    """What a statement depends on; questions of one shape differ in parameters only."""

    of_everybody: bool
    group_by: tuple[Dimension, ...]
    filtered: tuple[Dimension, ...]
    is_folded: bool
    is_limited: bool
    is_continued: bool


def shape_of(query: Query) -> Shape:
    """Return the shape of a question."""
    return Shape(
        query.user_id is None,
        query.group_by,
        tuple(sorted(query.filters)),
        query.is_folded,
        query.limit > 0,
        query.after is not None,
    )


@lru_cache(maxsize=256)
def sums_of_rows(shape: Shape) -> str:
    """Return the statement that sums up rows."""
    return sql(_FROM_ROWS, **_parts(shape, _ROW_PARAMETERS)) + _ending(shape, _ROW_PARAMETERS)


@lru_cache(maxsize=256)
def durations_of_rows(shape: Shape) -> str:
    """Return the statement that sorts durations of the rows in some windows."""
    group = listed(UNTAGGED if each is Dimension.TAG else expression_of(each) for each in shape.group_by)
    after = _ROW_PARAMETERS + len(shape.filtered)
    kept = listed(f"${after + place}::text[]" for place, _ in enumerate(shape.group_by, 1))
    parts = _parts(shape, _ROW_PARAMETERS) | {
        "joined": TAGS_OR_NONE if Dimension.TAG in shape.group_by else "",
        "only": sql(_ONLY, group=group, kept=kept) if shape.is_folded else "",
    }
    return sql(_FROM_WINDOWS, **parts, group=group, wanted=_DURATIONS)


@lru_cache(maxsize=256)
def slots_of(shape: Shape, rollup: Rollup | None) -> str:
    """Return the statement that counts requests by slot of a rollup; None: by hour, from rows."""
    parts = _parts(shape, _SLOT_PARAMETERS)
    if rollup is None:
        return sql(_SLOTS_OF_ROWS, **parts)
    return sql(_SLOTS_OF_ROLLUP, **parts, table=rollup.table, time=rollup.time)


@lru_cache(maxsize=256)
def sums_of_rollup(shape: Shape, rollup: Rollup, finer: Rollup | None) -> str:
    """Return the statement that sums up whole slots and moves what lies between them and the buckets."""
    parameters = _ROLLUP_PARAMETERS + (_FINER_PARAMETERS if finer else 0)
    parts = _parts(shape, parameters)
    statement = sql(
        _FROM_ROLLUP,
        **parts,
        table=rollup.table,
        time=rollup.time,
        time_type=rollup.time_type,
        negated=listed(f"-{name}" for name in SUMS),
        finer=_finer(finer, parts) if finer else "",
    )
    return statement + _ending(shape, parameters)


def _finer(finer: Rollup, parts: dict[str, str]) -> str:
    bound = "(move.{} AT TIME ZONE 'UTC')::date" if finer.time_type == "date" else "move.{}"
    return sql(
        _FROM_FINER,
        **parts,
        sums_of_finer=_SUMS,
        finer_table=finer.table,
        finer_time=finer.time,
        since=bound.format("since"),
        until=bound.format("until"),
    )


def _ending(shape: Shape, parameters: int) -> str:
    names = [f"group_{place}" for place, _ in enumerate(shape.group_by, 1)]
    number = parameters + len(shape.filtered) + 1
    parts = {
        "places": listed(names),
        "ordered": listed(f'{name} COLLATE "C"' for name in names),
        "blanks": listed("''" for _ in names),
        "plain": listed(SUMS),
        "sums": _SUMS,
    }
    if shape.is_limited:
        return _next(shape, number, parts)
    return sql(_LARGEST if shape.is_folded else _EACH, **parts, top=f"${number}")


def _next(shape: Shape, number: int, parts: dict[str, str]) -> str:
    position = listed(f"${number + place}::text" for place, _ in enumerate(shape.group_by, 1))
    is_behind = shape.is_continued and shape.group_by
    behind = sql(_BEHIND, **parts, position=position) if is_behind else ""
    order = parts["ordered"] or "1"
    return sql(_NEXT, each=sql(_EACH, **parts), behind=behind, ordered=order, limit=f"${number}")


def _parts(shape: Shape, parameters: int) -> dict[str, str]:
    conditions = [condition_of(each, f"${parameters + place}") for place, each in enumerate(shape.filtered, 1)]
    is_by_tag = Dimension.TAG in shape.group_by
    named = [f", {expression_of(each)} AS group_{place}" for place, each in enumerate(shape.group_by, 1)]
    return {
        "named": "".join(named),
        "names": "".join(f", group_{place}" for place, _ in enumerate(named, 1)),
        "positions": listed(str(place) for place in range(1, len(named) + 2)),
        "sums": _SUMS,
        "plain": listed(SUMS),
        "of_rows": SUM_OF_ROWS,
        "joined": TAGS_OF_ROW if is_by_tag else "",
        "tagged": f"AND {HAS_TAGS}" if is_by_tag else "",
        "whose": "$1::text IS NULL" if shape.of_everybody else "user_id = $1",
        "filters": "\n".join(f"AND {condition}" for condition in conditions),
    }
