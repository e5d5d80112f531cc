"""The invariants as queries: each returns the places where it does not hold, a few of them in words."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from servicekit.postgres import sql
from services.usage.domain.invariant import Broken, CheckResult, Invariant
from services.usage.domain.rollup import SUMS
from services.usage.store.column_sql import SUM_OF_ROWS, listed
from services.usage.store.connection import Connection

EXAMPLES: Final = 5
# Two days of a busy system: grouping a few million rows takes seconds, not the usual milliseconds.
CHECK_TIMEOUT_S: Final = 120.0

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

_HOUR: Final = "date_trunc('hour', created_at, 'UTC')"
_DAY: Final = "(created_at AT TIME ZONE 'UTC')::date"


def _comparison(table: str, key: dict[str, str], since: str) -> str:
    """Return the statement that compares the sums of rows with a rollup's.

    `key` has the rollup's primary key and how a row says it; `since` is the condition on the rollup.
    """
    return sql(
        """
        WITH rows AS (
            SELECT {key_of_rows}, {sum_of_rows}
            FROM usage.usage
            WHERE created_at >= $1
            GROUP BY {positions}
        ),
        rollup AS (
            SELECT {key}, {sums}
            FROM {table}
            WHERE {since}
                AND ({sums}) <> ({zeros})
        )
        SELECT
            concat_ws(' ', {named_key}, ': rows', {row_sums}, 'rollup', {rollup_sums}) AS detail,
            count(*) OVER () AS total
        FROM rows FULL JOIN rollup USING ({key})
        WHERE ({row_sums}) IS DISTINCT FROM ({rollup_sums})
        LIMIT $2
        """,
        table=table,
        since=since,
        key=listed(key),
        key_of_rows=listed(f"{expression} AS {name}" for name, expression in key.items()),
        named_key=listed(f"'{name}', {name}" for name in key),
        positions=listed(str(position) for position in range(1, len(key) + 1)),
        sum_of_rows=SUM_OF_ROWS,
        sums=listed(SUMS),
        zeros=listed("0" for _ in SUMS),
        row_sums=listed(f"rows.{name}" for name in SUMS),
        rollup_sums=listed(f"rollup.{name}" for name in SUMS),
    )


_CALL: Final = {name: name for name in ("provider", "model", "status", "endpoint", "error_code")}
_OF_DAYS: Final = "day >= ($1 AT TIME ZONE 'UTC')::date"
_OF_HOURS: Final = "hour >= $1"
COMPARE_DAYS: Final = _comparison(
    "usage.rollup_day",
    {
        "user_id": "user_id",
        "day": _DAY,
        "key_id": "key_id",
        "grant_id": "grant_id",
        "client_id": "client_id",
        **_CALL,
    },
    _OF_DAYS,
)
COMPARE_USER_HOURS: Final = _comparison(
    "usage.rollup_hour_user",
    {"user_id": "user_id", "hour": _HOUR, "provider": "provider", "model": "model", "status": "status"},
    _OF_HOURS,
)
COMPARE_USER_DAYS: Final = _comparison("usage.rollup_day_user", {"day": _DAY, "user_id": "user_id"}, _OF_DAYS)
COMPARE_PLATFORM_HOURS: Final = _comparison("usage.rollup_hour_platform", {"hour": _HOUR, **_CALL}, _OF_HOURS)
COMPARE_PLATFORM_DAYS: Final = _comparison("usage.rollup_day_platform", {"day": _DAY, **_CALL}, _OF_DAYS)

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
    Invariant.ROWS_EQUAL_DAYS: COMPARE_DAYS,
    Invariant.ROWS_EQUAL_USER_HOURS: COMPARE_USER_HOURS,
    Invariant.ROWS_EQUAL_USER_DAYS: COMPARE_USER_DAYS,
    Invariant.ROWS_EQUAL_PLATFORM_HOURS: COMPARE_PLATFORM_HOURS,
    Invariant.ROWS_EQUAL_PLATFORM_DAYS: COMPARE_PLATFORM_DAYS,
    Invariant.ROWS_EQUAL_LATENCY: COMPARE_LATENCY,
}


async def check(connection: Connection, since: datetime) -> CheckResult:
    """Return where the invariants do not hold for everything since `since`, which begins a UTC day.

    All queries see one snapshot, so that writers at work raise no false alarm.
    """
    broken: list[Broken] = []
    counts: dict[Invariant, int] = {}
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        rows_checked = await connection.fetchval(COUNT_ROWS, since, timeout=CHECK_TIMEOUT_S)
        for invariant, query in QUERIES.items():
            found = await connection.fetch(query, since, EXAMPLES, timeout=CHECK_TIMEOUT_S)
            counts[invariant] = found[0]["total"] if found else 0
            broken += [Broken(invariant, row["detail"]) for row in found]
    return CheckResult(tuple(broken), counts, rows_checked)
