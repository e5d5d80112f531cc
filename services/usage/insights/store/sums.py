"""SQL for the input of pattern detection: sums of one user's rollups and rows."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Final

from servicekit.postgres import sql
from services.usage.forecasting.domain.what_if import NEEDS_MORE, SHORT_INPUT_TOKENS, SHORT_OUTPUT_TOKENS
from services.usage.insights.domain.faults import RETRY_DAYS, STORM_ERRORS, STORM_REQUESTS
from services.usage.insights.domain.material import (
    AT_TEMPERATURE_0,
    FRACTIONS,
    LONG_INPUT_TOKENS,
    LONG_OUTPUT_TOKENS,
    DayUse,
    ErrorUse,
    FirstTokens,
    HourUse,
    MinuteUse,
    ModelUse,
    Repeats,
    Retry,
)
from services.usage.insights.store.sessions import SCAN_TIMEOUT_S
from services.usage.store.connection import Connection

READ_HOURS: Final = """
    SELECT hour, sum(requests)::bigint AS requests, sum(cost_micro_rub)::bigint AS cost_micro_rub
    FROM usage.rollup_hour_user
    WHERE user_id = $1
        AND hour >= $2
    GROUP BY hour
    HAVING sum(requests) > 0
    ORDER BY hour
"""


async def read_hours(connection: Connection, user_id: str, since: datetime) -> list[HourUse]:
    """Return the hours with requests since a moment."""
    return [HourUse(*row.values()) for row in await connection.fetch(READ_HOURS, user_id, since)]


READ_DAYS: Final = """
    SELECT
        day, key_id, provider, model,
        sum(requests)::bigint AS requests,
        coalesce(sum(requests) FILTER (WHERE status = 'failed'), 0)::bigint AS errors,
        sum(tokens_input)::bigint AS tokens_input,
        sum(tokens_output)::bigint AS tokens_output,
        sum(cost_micro_rub)::bigint AS cost_micro_rub
    FROM usage.rollup_day
    WHERE user_id = $1
        AND day >= $2
    GROUP BY day, key_id, provider, model
    HAVING sum(requests) > 0
"""


async def read_days(connection: Connection, user_id: str, since: date) -> list[DayUse]:
    """Return what each key did with each model on each UTC day since one."""
    return [DayUse(*row.values()) for row in await connection.fetch(READ_DAYS, user_id, since)]


READ_MINUTES: Final = """
    WITH minutes AS (
        SELECT date_trunc('minute', created_at) AS minute, count(*) AS requests
        FROM usage.usage
        WHERE user_id = $1
            AND created_at >= $2
        GROUP BY 1
    )
    SELECT
        60 * count(DISTINCT date_trunc('hour', minute)) AS minutes,
        coalesce(sum(requests), 0)::bigint AS requests,
        coalesce(sum(requests * requests), 0)::bigint AS squares,
        coalesce(percentile_disc(0.99) WITHIN GROUP (ORDER BY requests), 0) AS p99
    FROM minutes
"""


async def read_minutes(connection: Connection, user_id: str, since: datetime) -> MinuteUse:
    """Return how requests are spread over minutes."""
    row = await connection.fetchrow(READ_MINUTES, user_id, since, timeout=SCAN_TIMEOUT_S)
    assert row is not None  # an aggregate without GROUP BY has one row
    return MinuteUse(*row.values())


# A call without a window in the facts is near none.
READ_MODELS: Final = sql(
    """
    WITH calls AS (
        SELECT
            model, cost, tokens_input, tokens_output, tokens_cached,
            tokens_input > 0.8 * nullif(context_length, 0) AS is_near_window,
            tokens_input > {long_input} AND tokens_output < {long_output} AS is_long_to_short,
            finish_reason = 'length' AS is_cut,
            tokens_input < {short_input} AND tokens_output < {short_output} AND finish_reason = 'stop'
                AND traits & {needs_more} = 0 AND cache_status <> 'hit' AS is_short
        FROM usage.usage
        LEFT JOIN usage.catalog_models USING (model)
        WHERE user_id = $1
            AND created_at >= $2
            AND status = 'completed'
            AND tokens_output > 0
    )
    SELECT
        model,
        count(*) AS calls,
        (sum(cost) * 1000000)::bigint AS cost_micro_rub,
        percentile_disc(0.95) WITHIN GROUP (ORDER BY tokens_input) AS input_p95,
        count(*) FILTER (WHERE is_near_window) AS near_window,
        count(*) FILTER (WHERE is_long_to_short) AS long_to_short,
        (coalesce(sum(cost) FILTER (WHERE is_long_to_short), 0) * 1000000)::bigint AS long_to_short_cost_micro_rub,
        count(*) FILTER (WHERE is_cut) AS cut,
        (coalesce(sum(cost) FILTER (WHERE is_cut), 0) * 1000000)::bigint AS cut_cost_micro_rub,
        count(*) FILTER (WHERE is_short) AS short,
        (coalesce(sum(cost) FILTER (WHERE is_short), 0) * 1000000)::bigint AS short_cost_micro_rub,
        coalesce(sum(tokens_input) FILTER (WHERE is_short), 0) AS short_tokens_input,
        coalesce(sum(tokens_output) FILTER (WHERE is_short), 0) AS short_tokens_output,
        coalesce(sum(tokens_cached) FILTER (WHERE is_short), 0) AS short_tokens_cached
    FROM calls
    GROUP BY model
    ORDER BY model
    """,
    long_input=str(LONG_INPUT_TOKENS),
    long_output=str(LONG_OUTPUT_TOKENS),
    short_input=str(SHORT_INPUT_TOKENS),
    short_output=str(SHORT_OUTPUT_TOKENS),
    needs_more=str(NEEDS_MORE),
)


async def read_models(connection: Connection, user_id: str, since: datetime) -> list[ModelUse]:
    """Return the shapes of the calls of each model that said something."""
    rows = await connection.fetch(READ_MODELS, user_id, since, timeout=SCAN_TIMEOUT_S)
    return [ModelUse(**dict(row)) for row in rows]


READ_ERRORS: Final = """
    WITH calls AS (
        SELECT key_id, model, CASE WHEN status = 'failed' THEN error_code ELSE '' END AS code, count(*) AS requests
        FROM usage.usage
        WHERE user_id = $1
            AND created_at >= $2
        GROUP BY 1, 2, 3
    ),
    shares AS (
        SELECT key_id, model, code, requests AS errors, sum(requests) OVER (PARTITION BY key_id, model) AS requests
        FROM calls
    )
    SELECT key_id, model, code, errors, requests::bigint
    FROM shares
    WHERE code <> ''
    ORDER BY errors DESC, key_id, model, code
    LIMIT 100
"""


async def read_errors(connection: Connection, user_id: str, since: datetime) -> list[ErrorUse]:
    """Return the most frequent errors by key and model."""
    rows = await connection.fetch(READ_ERRORS, user_id, since, timeout=SCAN_TIMEOUT_S)
    return [ErrorUse(*row.values()) for row in rows]


# The first of n costs what it must; the others are n-1 of n of the cost.
READ_REPEATS: Final = sql(
    """
    WITH prompts AS (
        SELECT count(*) AS requests, sum(cost) AS cost, bool_and(traits & {steady} <> 0) AS is_steady
        FROM usage.usage
        WHERE user_id = $1
            AND created_at >= $2
            AND status = 'completed'
            AND cache_status <> 'hit'
            AND prompt_digest <> ''
        GROUP BY model, prompt_digest
    )
    SELECT
        coalesce(sum(requests), 0)::bigint AS requests,
        coalesce(sum(requests - 1) FILTER (WHERE is_steady), 0)::bigint AS repeated,
        (coalesce(sum(cost * (requests - 1) / requests) FILTER (WHERE is_steady), 0) * 1000000)::bigint
            AS cost_micro_rub
    FROM prompts
    """,
    steady=str(AT_TEMPERATURE_0),
)


async def read_repeats(connection: Connection, user_id: str, since: datetime) -> Repeats:
    """Return how many requests were sent before, word for word."""
    row = await connection.fetchrow(READ_REPEATS, user_id, since, timeout=SCAN_TIMEOUT_S)
    assert row is not None  # an aggregate without GROUP BY has one row
    return Repeats(*row.values())


READ_RETRIES: Final = """
    WITH rows AS (
        SELECT
            key_id, prompt_digest, created_at, status = 'failed' AS failed,
            count(*) OVER same AS requests,
            count(*) FILTER (WHERE status = 'failed') OVER same AS errors
        FROM usage.usage
        WHERE user_id = $1
            AND created_at >= $2
            AND prompt_digest <> ''
        WINDOW same AS (PARTITION BY key_id, prompt_digest)
    )
    SELECT key_id, prompt_digest, created_at, failed
    FROM rows
    WHERE requests >= $3
        AND errors >= $4
    ORDER BY created_at
    LIMIT 20000
"""


async def read_retries(connection: Connection, user_id: str, now: datetime) -> list[Retry]:
    """Return the requests of the last week whose prompt was sent often and failed often."""
    values = (user_id, now - timedelta(days=RETRY_DAYS), STORM_REQUESTS, STORM_ERRORS)
    return [Retry(*row.values()) for row in await connection.fetch(READ_RETRIES, *values, timeout=SCAN_TIMEOUT_S)]


# The time to a stand-in's first token is for the most part that of the model which failed before it.
READ_FIRST_TOKENS: Final = """
    SELECT
        provider, model,
        count(*) AS requests,
        count(*) FILTER (WHERE status = 'failed') AS errors,
        count(*) FILTER (WHERE first_token_ms > 0 AND fallbacks = 0) AS streams,
        percentile_disc($3::float8[]) WITHIN GROUP (ORDER BY first_token_ms)
            FILTER (WHERE first_token_ms > 0 AND fallbacks = 0) AS quantiles
    FROM usage.usage
    WHERE user_id = $1
        AND created_at >= $2
        AND cache_status <> 'hit'
    GROUP BY provider, model
"""


async def read_first_tokens(connection: Connection, user_id: str, since: datetime) -> list[FirstTokens]:
    """Return the times to the first token of each model."""
    rows = await connection.fetch(READ_FIRST_TOKENS, user_id, since, list(FRACTIONS), timeout=SCAN_TIMEOUT_S)
    return [FirstTokens(**{**dict(row), "quantiles": tuple(row["quantiles"] or ())}) for row in rows]
