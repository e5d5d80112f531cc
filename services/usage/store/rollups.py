"""The rollup tables: sums that grow in the transaction that inserts the rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from services.usage.domain.rollup import Rollups, Sums
from services.usage.store.connection import Connection

# All four: rows come sorted by primary key, so that two writers take row locks in one order.

ADD_TO_DAY: Final = """
    INSERT INTO usage.rollup_day AS stored (
        user_id, day, key_id, grant_id, provider, model, status,
        requests, tokens_input, tokens_output, tokens_cached, tokens_reasoning, cost_micro_rub)
    SELECT
        user_id, day, key_id, grant_id, provider, model, status,
        requests, tokens_input, tokens_output, tokens_cached, tokens_reasoning, cost_micro_rub
    FROM unnest(
        $1::text[], $2::date[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
        $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[])
    AS added (
        user_id, day, key_id, grant_id, provider, model, status,
        requests, tokens_input, tokens_output, tokens_cached, tokens_reasoning, cost_micro_rub)
    ON CONFLICT (user_id, day, key_id, grant_id, provider, model, status) DO UPDATE
    SET requests = stored.requests + excluded.requests,
        tokens_input = stored.tokens_input + excluded.tokens_input,
        tokens_output = stored.tokens_output + excluded.tokens_output,
        tokens_cached = stored.tokens_cached + excluded.tokens_cached,
        tokens_reasoning = stored.tokens_reasoning + excluded.tokens_reasoning,
        cost_micro_rub = stored.cost_micro_rub + excluded.cost_micro_rub
"""

ADD_TO_USER_HOUR: Final = """
    INSERT INTO usage.rollup_hour_user AS stored (
        user_id, hour,
        requests, tokens_input, tokens_output, tokens_cached, tokens_reasoning, cost_micro_rub)
    SELECT
        user_id, hour,
        requests, tokens_input, tokens_output, tokens_cached, tokens_reasoning, cost_micro_rub
    FROM unnest(
        $1::text[], $2::timestamptz[],
        $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[])
    AS added (
        user_id, hour,
        requests, tokens_input, tokens_output, tokens_cached, tokens_reasoning, cost_micro_rub)
    ON CONFLICT (user_id, hour) DO UPDATE
    SET requests = stored.requests + excluded.requests,
        tokens_input = stored.tokens_input + excluded.tokens_input,
        tokens_output = stored.tokens_output + excluded.tokens_output,
        tokens_cached = stored.tokens_cached + excluded.tokens_cached,
        tokens_reasoning = stored.tokens_reasoning + excluded.tokens_reasoning,
        cost_micro_rub = stored.cost_micro_rub + excluded.cost_micro_rub
"""

ADD_TO_LATENCY: Final = """
    INSERT INTO usage.rollup_hour_latency AS stored (hour, provider, model, metric, bucket, requests)
    SELECT hour, provider, model, metric, bucket, requests
    FROM unnest($1::timestamptz[], $2::text[], $3::text[], $4::text[], $5::smallint[], $6::bigint[])
    AS added (hour, provider, model, metric, bucket, requests)
    ON CONFLICT (hour, provider, model, metric, bucket) DO UPDATE
    SET requests = stored.requests + excluded.requests
"""

ADD_TO_PLATFORM: Final = """
    INSERT INTO usage.rollup_hour_platform AS stored (
        hour, provider, model, status,
        requests, tokens_input, tokens_output, tokens_cached, tokens_reasoning, cost_micro_rub)
    SELECT
        hour, provider, model, status,
        requests, tokens_input, tokens_output, tokens_cached, tokens_reasoning, cost_micro_rub
    FROM unnest(
        $1::timestamptz[], $2::text[], $3::text[], $4::text[],
        $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[])
    AS added (
        hour, provider, model, status,
        requests, tokens_input, tokens_output, tokens_cached, tokens_reasoning, cost_micro_rub)
    ON CONFLICT (hour, provider, model, status) DO UPDATE
    SET requests = stored.requests + excluded.requests,
        tokens_input = stored.tokens_input + excluded.tokens_input,
        tokens_output = stored.tokens_output + excluded.tokens_output,
        tokens_cached = stored.tokens_cached + excluded.tokens_cached,
        tokens_reasoning = stored.tokens_reasoning + excluded.tokens_reasoning,
        cost_micro_rub = stored.cost_micro_rub + excluded.cost_micro_rub
"""


async def add(connection: Connection, changes: Rollups) -> None:
    """Add the amounts to the four rollups.

    The platform's rows come last: every writer needs the same few, so they are locked for the shortest time.
    """
    if not changes.day:
        return
    await connection.execute(ADD_TO_DAY, *_sum_columns(changes.day))
    await connection.execute(ADD_TO_USER_HOUR, *_sum_columns(changes.user_hour))
    await connection.execute(ADD_TO_LATENCY, *_columns((*key, count) for key, count in changes.latency))
    await connection.execute(ADD_TO_PLATFORM, *_sum_columns(changes.platform))


def _sum_columns(amounts: Sequence[tuple[tuple[object, ...], Sums]]) -> list[tuple[Any, ...]]:
    return _columns((*key, *sums) for key, sums in amounts)


def _columns(rows: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return list(zip(*rows, strict=True))
