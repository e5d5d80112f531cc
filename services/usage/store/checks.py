"""The invariants as SQL: each query returns a few places where its invariant is broken."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from servicekit.postgres import sql
from services.usage.domain.invariant import Broken, CheckResult, Invariant
from services.usage.domain.rollup import SUMS, TAGS_A_DAY
from services.usage.store.column_sql import SLOTS_OF_ROW, SUM_OF_ROWS, listed
from services.usage.store.connection import Connection
from services.usage.store.rollups import COUNTED, ROLLUPS, TAGS, WEEK_KEYS, RollupTable

EXAMPLES: Final = 5
# Two days of a busy system: grouping a few million rows takes seconds, not the usual milliseconds.
CHECK_TIMEOUT_S: Final = 120.0

# Rows of archived months are in files: what is checked begins behind them.
FIND_BEGINNING: Final = """
    SELECT greatest($1, (max(month) + interval '1 month') AT TIME ZONE 'UTC')
    FROM usage.archived_months
"""
COUNT_ROWS: Final = "SELECT count(*) FROM usage.usage WHERE created_at >= $1"

FIND_REPEATED_IDS: Final = """
    SELECT 'id ' || id::text || ' has ' || count(*) || ' rows' AS detail, count(*) OVER () AS total
    FROM usage.usage
    WHERE created_at >= $1
    GROUP BY id
    HAVING count(*) > 1
    LIMIT $2
"""

# Only a UUIDv7 has a time; ids brought over from release 1.0 may be of other versions.
FIND_MISPLACED_IDS: Final = """
    SELECT 'id ' || id::text || ' is stored at ' || created_at AS detail, count(*) OVER () AS total
    FROM usage.usage
    WHERE created_at >= $1
        AND substr(id::text, 15, 1) = '7'
        AND created_at <> to_timestamp(0) + interval '1 millisecond'
            * ('x' || substr(id::text, 1, 8) || substr(id::text, 10, 4))::bit(48)::bigint
    LIMIT $2
"""

_OF_ROWS: Final = "SELECT {key_of_rows}, {sum_of_rows} FROM usage.usage WHERE created_at >= $1 GROUP BY {positions}"
# A week is compared with its days, which are compared with rows.
_OF_DAYS: Final = """
    SELECT {key_of_rows}, {added_up}
    FROM usage.rollup_day_key
    WHERE day >= date_trunc('week', $1 AT TIME ZONE 'UTC')
        AND ({sums}) <> ({zeros})
    GROUP BY {positions}
"""
_OF_TAGGED_ROWS: Final = """
    SELECT user_id, day, tag, {added_up}
    FROM (SELECT {counted} FROM usage.usage WHERE created_at >= $1 AND metadata <> '{{}}') AS counted
    CROSS JOIN LATERAL (
        SELECT '' AS tag
        UNION ALL
        SELECT name || '=' || value FROM jsonb_each_text(metadata) AS pair (name, value)
    ) AS tags
    WHERE {is_told_apart}
    GROUP BY user_id, day, tag
"""
_IS_TOLD_APART: Final = sql(
    """
    NOT EXISTS (
        SELECT
        FROM usage.rollup_tag_days AS known
        WHERE known.user_id = {of}.user_id AND known.day = {of}.day AND known.tags >= {tags_a_day}
    )
    """,
    of="{of}",
    tags_a_day=str(TAGS_A_DAY),
)
_SINCE: Final = {
    "day": "day >= ($1 AT TIME ZONE 'UTC')::date",
    "hour": "hour >= $1",
    "week": "week >= date_trunc('week', $1 AT TIME ZONE 'UTC')",
}
_COMPARISON: Final = """
    WITH rows AS ({rows}),
    rollup AS (
        SELECT {key}, {sums}
        FROM usage.{table}
        WHERE {since}
            AND ({sums}) <> ({zeros})
    )
    SELECT
        concat_ws(' ', {named_key}, ': rows', {row_sums}, 'rollup', {rollup_sums}) AS detail,
        count(*) OVER () AS total
    FROM rows FULL JOIN rollup USING ({key})
    WHERE ({row_sums}) IS DISTINCT FROM ({rollup_sums})
    LIMIT $2
"""


def _comparison(table: RollupTable, rows: str = _OF_ROWS, more: str = "") -> str:
    """Return the statement that compares a rollup with the sums of rows; `more` narrows the rollup."""
    slot = next(name for name in table.key if name in _SINCE)
    key_of_rows = {name: SLOTS_OF_ROW.get(name, name) for name in table.key}
    if rows is _OF_DAYS:
        key_of_rows[slot] = "date_trunc('week', day::timestamp)::date"
    parts = {
        "key": listed(table.key),
        "key_of_rows": listed(f"{expression} AS {name}" for name, expression in key_of_rows.items()),
        "positions": listed(str(position) for position in range(1, len(table.key) + 1)),
        "sum_of_rows": SUM_OF_ROWS,
        "added_up": listed(f"sum({name}) AS {name}" for name in SUMS),
        "sums": listed(SUMS),
        "zeros": listed("0" for _ in SUMS),
        "counted": COUNTED,
        "is_told_apart": _IS_TOLD_APART.format(of="counted"),
    }
    return sql(
        _COMPARISON,
        **parts,
        rows=sql(rows, **parts),
        table=table.name,
        since=_SINCE[slot] + more,
        named_key=listed(f"'{name}', {name}" for name in table.key),
        row_sums=listed(f"rows.{name}" for name in SUMS),
        rollup_sums=listed(f"rollup.{name}" for name in SUMS),
    )


COMPARISONS: Final = {
    **{table.invariant: _comparison(table) for table in ROLLUPS},
    WEEK_KEYS.invariant: _comparison(WEEK_KEYS, _OF_DAYS),
    TAGS.invariant: _comparison(TAGS, _OF_TAGGED_ROWS, f" AND {_IS_TOLD_APART.format(of=TAGS.name)}"),
}

# By number, not by bucket: the bucket's logarithm is the service's, and the two need not agree to the last bit.
COMPARE_LATENCY: Final = """
    WITH rows AS (
        SELECT date_trunc('hour', created_at, 'UTC') AS hour, provider, model, metric, count(*) AS requests
        FROM usage.usage
        CROSS JOIN LATERAL (
            VALUES ('latency', source <> 'imported'), ('first_token', first_token_ms > 0)
        ) AS measured (metric, holds)
        WHERE created_at >= $1
            AND holds
        GROUP BY 1, 2, 3, 4
    ),
    rollup AS (
        SELECT hour, provider, model, metric, sum(requests) AS requests
        FROM usage.rollup_hour_latency
        WHERE hour >= $1
        GROUP BY 1, 2, 3, 4
        HAVING sum(requests) <> 0
    )
    SELECT
        concat_ws(' ', 'hour', hour, provider, model, metric, ': rows', rows.requests, 'rollup', rollup.requests)
            AS detail,
        count(*) OVER () AS total
    FROM rows FULL JOIN rollup USING (hour, provider, model, metric)
    WHERE rows.requests IS DISTINCT FROM rollup.requests
    LIMIT $2
"""

QUERIES: Final[dict[Invariant, str]] = {
    Invariant.EACH_ID_ONCE: FIND_REPEATED_IDS,
    Invariant.ID_TIME_IS_CREATED_AT: FIND_MISPLACED_IDS,
    **COMPARISONS,
    Invariant.ROWS_EQUAL_LATENCY: COMPARE_LATENCY,
}


async def check(connection: Connection, since: datetime) -> CheckResult:
    """Return where the invariants do not hold for everything since `since`, which begins a UTC day.

    All queries see one snapshot, so that writers at work raise no false alarm.
    """
    broken: list[Broken] = []
    counts: dict[Invariant, int] = {}
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        since = await connection.fetchval(FIND_BEGINNING, since)
        rows_checked = await connection.fetchval(COUNT_ROWS, since, timeout=CHECK_TIMEOUT_S)
        for invariant, query in QUERIES.items():
            found = await connection.fetch(query, since, EXAMPLES, timeout=CHECK_TIMEOUT_S)
            counts[invariant] = found[0]["total"] if found else 0
            broken += [Broken(invariant, row["detail"]) for row in found]
    return CheckResult(tuple(broken), counts, rows_checked)
