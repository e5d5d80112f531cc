"""The invariants as queries: each returns the places where it does not hold, a few of them in words."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from services.usage.domain.invariant import Broken, CheckResult, Invariant
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

COMPARE_DAYS: Final = """
    WITH rows AS (
        SELECT user_id, (created_at AT TIME ZONE 'UTC')::date AS day, key_id, grant_id, provider, model, status,
            count(*) AS requests, sum(tokens_input) AS tokens_input, sum(tokens_output) AS tokens_output,
            sum(tokens_cached) AS tokens_cached, sum(tokens_reasoning) AS tokens_reasoning,
            (sum(cost) * 1000000)::bigint AS cost_micro_rub
        FROM usage.usage
        WHERE created_at >= $1
        GROUP BY 1, 2, 3, 4, 5, 6, 7
    ),
    rollup AS (
        SELECT user_id, day, key_id, grant_id, provider, model, status,
            requests, tokens_input, tokens_output, tokens_cached, tokens_reasoning, cost_micro_rub
        FROM usage.rollup_day
        WHERE day >= ($1 AT TIME ZONE 'UTC')::date
            AND (requests, tokens_input, tokens_output, tokens_cached, tokens_reasoning, cost_micro_rub)
                <> (0, 0, 0, 0, 0, 0)
    )
    SELECT
        concat_ws(' ', 'day', day, 'user', user_id, 'key', key_id, provider, model, status, ': rows',
            rows.requests, rows.tokens_input, rows.tokens_output, rows.cost_micro_rub, 'rollup',
            rollup.requests, rollup.tokens_input, rollup.tokens_output, rollup.cost_micro_rub) AS detail,
        count(*) OVER () AS total
    FROM rows FULL JOIN rollup USING (user_id, day, key_id, grant_id, provider, model, status)
    WHERE (rows.requests, rows.tokens_input, rows.tokens_output, rows.tokens_cached, rows.tokens_reasoning,
            rows.cost_micro_rub)
        IS DISTINCT FROM (rollup.requests, rollup.tokens_input, rollup.tokens_output, rollup.tokens_cached,
            rollup.tokens_reasoning, rollup.cost_micro_rub)
    LIMIT $2
"""

COMPARE_USER_HOURS: Final = """
    WITH rows AS (
        SELECT user_id, date_trunc('hour', created_at, 'UTC') AS hour,
            count(*) AS requests, sum(tokens_input) AS tokens_input, sum(tokens_output) AS tokens_output,
            sum(tokens_cached) AS tokens_cached, sum(tokens_reasoning) AS tokens_reasoning,
            (sum(cost) * 1000000)::bigint AS cost_micro_rub
        FROM usage.usage
        WHERE created_at >= $1
        GROUP BY 1, 2
    ),
    rollup AS (
        SELECT user_id, hour,
            requests, tokens_input, tokens_output, tokens_cached, tokens_reasoning, cost_micro_rub
        FROM usage.rollup_hour_user
        WHERE hour >= $1
            AND (requests, tokens_input, tokens_output, tokens_cached, tokens_reasoning, cost_micro_rub)
                <> (0, 0, 0, 0, 0, 0)
    )
    SELECT
        concat_ws(' ', 'hour', hour, 'user', user_id, ': rows',
            rows.requests, rows.tokens_input, rows.tokens_output, rows.cost_micro_rub, 'rollup',
            rollup.requests, rollup.tokens_input, rollup.tokens_output, rollup.cost_micro_rub) AS detail,
        count(*) OVER () AS total
    FROM rows FULL JOIN rollup USING (user_id, hour)
    WHERE (rows.requests, rows.tokens_input, rows.tokens_output, rows.tokens_cached, rows.tokens_reasoning,
            rows.cost_micro_rub)
        IS DISTINCT FROM (rollup.requests, rollup.tokens_input, rollup.tokens_output, rollup.tokens_cached,
            rollup.tokens_reasoning, rollup.cost_micro_rub)
    LIMIT $2
"""

COMPARE_PLATFORM_HOURS: Final = """
    WITH rows AS (
        SELECT date_trunc('hour', created_at, 'UTC') AS hour, provider, model, status,
            count(*) AS requests, sum(tokens_input) AS tokens_input, sum(tokens_output) AS tokens_output,
            sum(tokens_cached) AS tokens_cached, sum(tokens_reasoning) AS tokens_reasoning,
            (sum(cost) * 1000000)::bigint AS cost_micro_rub
        FROM usage.usage
        WHERE created_at >= $1
        GROUP BY 1, 2, 3, 4
    ),
    rollup AS (
        SELECT hour, provider, model, status,
            requests, tokens_input, tokens_output, tokens_cached, tokens_reasoning, cost_micro_rub
        FROM usage.rollup_hour_platform
        WHERE hour >= $1
            AND (requests, tokens_input, tokens_output, tokens_cached, tokens_reasoning, cost_micro_rub)
                <> (0, 0, 0, 0, 0, 0)
    )
    SELECT
        concat_ws(' ', 'hour', hour, provider, model, status, ': rows',
            rows.requests, rows.tokens_input, rows.tokens_output, rows.cost_micro_rub, 'rollup',
            rollup.requests, rollup.tokens_input, rollup.tokens_output, rollup.cost_micro_rub) AS detail,
        count(*) OVER () AS total
    FROM rows FULL JOIN rollup USING (hour, provider, model, status)
    WHERE (rows.requests, rows.tokens_input, rows.tokens_output, rows.tokens_cached, rows.tokens_reasoning,
            rows.cost_micro_rub)
        IS DISTINCT FROM (rollup.requests, rollup.tokens_input, rollup.tokens_output, rollup.tokens_cached,
            rollup.tokens_reasoning, rollup.cost_micro_rub)
    LIMIT $2
"""

# By number, not by bucket: the bucket's logarithm is the service's, and the two need not agree to the last bit.
COMPARE_LATENCY: Final = """
    WITH rows AS (
        SELECT date_trunc('hour', created_at, 'UTC') AS hour, provider, model, metric, count(*) AS requests
        FROM usage.usage
        CROSS JOIN LATERAL (VALUES ('latency', true), ('first_token', first_token_ms > 0)) AS measured (metric, holds)
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
    Invariant.ROWS_EQUAL_PLATFORM_HOURS: COMPARE_PLATFORM_HOURS,
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
