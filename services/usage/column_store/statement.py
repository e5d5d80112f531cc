"""SQL statements for the column store; values are always parameters."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from servicekit.postgres import sql
from services.usage.column_store.schema import TABLE
from services.usage.domain.rollup import SUMS
from services.usage.statistics.domain.query import Dimension, Query

_STREAMED: Final = "u.first_token_ms > 0 AND u.cache_status != 'hit'"
_SUM_OF: Final = {
    "requests": "toInt64(count())",
    "errors": "toInt64(countIf(u.status = 'failed'))",
    "output_ms": f"sumIf(greatest(toInt64(u.latency_ms) - u.first_token_ms, 0), {_STREAMED})",
    "tokens_streamed": f"sumIf(greatest(toInt64(u.tokens_output) - u.tokens_reasoning, 0), {_STREAMED})",
}
# The sums of rows, in their order, by their names.
SUMS_OF_ROWS: Final = ", ".join(f"{_SUM_OF.get(name, f'sum(u.{name})')} AS {name}" for name in SUMS)
DURATIONS: Final = """
    quantilesExactInclusiveIf(0.5, 0.95, 0.99)(u.latency_ms, u.source != 'imported') AS latency,
    quantilesExactInclusiveIf(0.5, 0.95, 0.99)(u.first_token_ms, u.first_token_ms > 0) AS first_token
"""
# PREWHERE is looked at before doubles are left out, WHERE behind that: what a correction may change stands there, and
# a row that was deleted is its newest one.
ROWS: Final = """
    FROM {table} AS u FINAL
    {joined}
    PREWHERE u.feed <= {{feed:UInt64}}
        AND {whose}
        AND u.created_at >= fromUnixTimestamp64Micro({{since:Int64}}, 'UTC')
        AND u.created_at < fromUnixTimestamp64Micro({{until:Int64}}, 'UTC')
        {at}
    WHERE NOT u.is_gone
    {filters}
"""
# A bucket is where it begins, in microseconds: the last beginning at or before the row.
_BUCKET: Final = "roundDown(toUnixTimestamp64Micro(u.created_at), {starts:Array(Int64)})"
_WHOLE: Final = "toInt64(0)"
_SUMMED: Final = "SELECT {bucket} AS bucket, {groups}{sums} {rows} GROUP BY bucket{names}"
_NEXT: Final = "SELECT * FROM ({summed}) {behind} ORDER BY bucket{names} LIMIT {{limit:UInt64}}"
# Those that cost most over all buckets, and in each bucket one row of all others.
_LARGEST: Final = """
    SELECT ranked.bucket AS bucket, {shown} ranked.place > {{top:UInt64}} AS is_other, {sums}
    FROM (
        SELECT *, dense_rank() OVER (ORDER BY dear DESC, many DESC{names}) AS place
        FROM (
            SELECT
                *, sum(cost_micro_rub) OVER (PARTITION BY {partition}) AS dear,
                sum(requests) OVER (PARTITION BY {partition}) AS many
            FROM ({summed})
        )
    ) AS ranked
    GROUP BY bucket{shown_names}, is_other
"""
_EXPRESSIONS: Final = {
    Dimension.PROVIDER: "u.provider",
    Dimension.MODEL: "splitByChar(':', u.model)[1]",
    Dimension.VERSION: "u.model",
    Dimension.KEY: "u.key_id",
    Dimension.APP: "u.client_id",
    Dimension.STATUS: "u.status",
    Dimension.ENDPOINT: "u.endpoint",
    Dimension.ERROR: "u.error_code",
    Dimension.USER: "u.user_id",
    Dimension.TAG: "tag",
}
# A row with two tags is in two groups, one without is in the group ''.
_EACH_TAG: Final = "ARRAY JOIN if(empty(u.tags), [''], u.tags) AS tag"


@dataclass(frozen=True, slots=True)
class Shape:
    """What a statement depends on; questions of one shape differ in values only."""

    of_everybody: bool
    has_buckets: bool
    group_by: tuple[Dimension, ...]
    filtered: tuple[Dimension, ...]
    is_folded: bool
    is_limited: bool
    is_continued: bool
    quantiles: bool


def shape_of(query: Query) -> Shape:
    """Return the shape of a question."""
    return Shape(
        query.user_id is None,
        query.bucket is not None,
        query.group_by,
        tuple(sorted(query.filters)),
        query.is_folded,
        query.limit > 0,
        query.after is not None and bool(query.group_by),
        query.quantiles and not query.is_folded,
    )


@lru_cache(maxsize=256)
def sums_of(shape: Shape) -> str:
    """Return the statement that sums up rows: bucket, groups, of a folded one whether it is the others, then sums."""
    summed = sql(_SUMMED, **_parts(shape), sums=SUMS_OF_ROWS + (f", {DURATIONS}" if shape.quantiles else ""))
    if shape.is_limited:
        return sql(_NEXT, summed=summed, names=_names(shape), behind=_behind(shape))
    if not shape.is_folded:
        return summed
    places = _places(shape)
    return sql(
        _LARGEST,
        summed=summed,
        names=_names(shape),
        partition=", ".join(f"group_{place}" for place in places),
        shown="".join(f"if(is_other, '', ranked.group_{place}) AS shown_{place}, " for place in places),
        shown_names="".join(f", shown_{place}" for place in places),
        sums=", ".join(f"sum(ranked.{name}) AS {name}" for name in SUMS),
    )


@lru_cache(maxsize=256)
def durations_of(shape: Shape) -> str:
    """Return the statement that measures durations of the groups that a folded answer kept: bucket, groups, both."""
    return sql(_SUMMED, **_parts(shape, _only(shape)), sums=DURATIONS)


def condition_of(dimension: Dimension, parameter: str) -> str:
    """Return the condition that the value is one of the parameter's texts."""
    if dimension is Dimension.TAG:
        return f"hasAny(u.tags, {{{parameter}:Array(String)}})"
    return f"has({{{parameter}:Array(String)}}, toString({_EXPRESSIONS[dimension]}))"


def conditions_of(filtered: tuple[Dimension, ...]) -> str:
    """Return the conditions of all dimensions; the parameters are `filter_1`, `filter_2` ..."""
    return "\n".join(f"AND {condition_of(each, f'filter_{place}')}" for place, each in enumerate(filtered, 1))


def rows_of(*, of_everybody: bool, filters: str, joined: str = "", at: str = "") -> str:
    """Return FROM and WHERE of a question: whose rows, of when, of which kind; `at` narrows the moments further."""
    whose = "true" if of_everybody else "u.user_id = {whose:String}"
    return sql(ROWS, table=TABLE, whose=whose, filters=filters, joined=joined, at=at)


def _parts(shape: Shape, only: str = "") -> dict[str, str]:
    joined = _EACH_TAG if Dimension.TAG in shape.group_by else ""
    filters = conditions_of(shape.filtered) + only
    return {
        "bucket": _BUCKET if shape.has_buckets else _WHOLE,
        "groups": "".join(
            f"toString({_EXPRESSIONS[each]}) AS group_{place}, " for place, each in enumerate(shape.group_by, 1)
        ),
        "names": _names(shape),
        "rows": rows_of(of_everybody=shape.of_everybody, filters=filters, joined=joined),
    }


def _places(shape: Shape) -> range:
    return range(1, len(shape.group_by) + 1)


def _names(shape: Shape) -> str:
    return "".join(f", group_{place}" for place in _places(shape))


def _behind(shape: Shape) -> str:
    if not shape.is_continued:
        return ""
    groups = ", ".join(f"group_{place}" for place in _places(shape))
    position = ", ".join(f"{{after_{place}:String}}" for place in _places(shape))
    return f"WHERE ({groups}) > ({position})"


def _only(shape: Shape) -> str:
    values = [f"toString({_EXPRESSIONS[each]})" for each in shape.group_by]
    kept = [f"{{kept_{place}:Array(String)}}" for place in _places(shape)]
    if len(values) == 1:
        return f"\nAND has({kept[0]}, {values[0]})"
    return f"\nAND has(arrayZip({', '.join(kept)}), ({', '.join(values)}))"
