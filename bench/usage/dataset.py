"""Millions of requests in a database of its own: few users have most of them, as everywhere."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final

import asyncpg

from bench.usage.sums import FILLINGS

DAYS: Final = 184
USERS: Final = 2_000
BIGGEST: Final = "user-0"
# Chunks are written side by side, and rows of one user shall lie in order of time nevertheless.
CHUNK: Final = 50_000
_AT_ONCE: Final = 2
_IN_BULK: Final = {"session_replication_role": "replica", "work_mem": "512MB", "maintenance_work_mem": "512MB"}

# A user's rank is its share to the fourth: of 2,000 users the first has 15 % of the rows. Rows come in time order.
INSERT_ROWS: Final = """
    INSERT INTO usage.usage (
        id, user_id, key_id, grant_id, client_id, provider, model, requested_model, resolved_model, endpoint,
        tokens_input, tokens_output, tokens_cached, cost, status, error_code, stream, http_status, latency_ms,
        first_token_ms, metadata, started_at, created_at
    )
    SELECT
        (lpad(to_hex(ms), 12, '0') || '7' || substr(md5(number::text), 1, 3) || '8' || substr(md5(number::text), 4, 15))
            ::uuid,
        CASE WHEN person = 0 THEN $5 ELSE 'user-' || person END, 'key-' || person || '-' || number % 3,
        CASE WHEN by_app THEN 'grant-' || person ELSE '' END,
        CASE WHEN by_app THEN 'app-' || person % 7 ELSE '' END, 'provider-' || model % 4,
        'model-' || model || ':latest',
        'model-' || model, 'model-' || model || '-build-7',
        CASE WHEN number % 10 = 0 THEN 'embeddings' ELSE 'chat.completions' END, tokens, tokens / 3, tokens / 5,
        (tokens * (50 + 40 * model))::numeric / 1000000, CASE WHEN failed THEN 'failed' ELSE 'completed' END,
        CASE WHEN failed THEN (ARRAY['provider_timeout', 'provider_error', 'content_filter'])[1 + number % 3]
            ELSE '' END,
        number % 2 = 0, CASE WHEN failed THEN 502 ELSE 200 END, wait + tokens / 2,
        CASE WHEN number % 2 = 0 THEN wait ELSE 0 END,
        CASE WHEN number % 20 = 0 THEN jsonb_build_object('team', 'team-' || number % 5) ELSE '{}' END, at, at
    FROM (
        SELECT
            number, floor(2000 * power(random(), 4))::int AS person, floor(12 * power(random(), 2))::int AS model,
            (exp(5 + 3 * (random() + random() + random() - 1.5)))::int AS tokens,
            (exp(5.5 + 1.5 * (random() + random() + random() - 1.5)))::int AS wait,
            random() < 0.04 AS failed, random() < 0.2 AS by_app, $3::bigint + (number * $4::float8)::bigint AS ms,
            to_timestamp(0) + ($3::bigint + (number * $4::float8)::bigint) * interval '1 millisecond' AS at
        FROM generate_series($1::bigint, $2::bigint - 1) AS number
    ) AS drawn
"""


async def build(dsn: str, rows: int, until: datetime, *, biggest: str = BIGGEST) -> None:
    """Write so many rows that end at a moment, and their rollups, and have PostgreSQL look at them.

    `dsn` is a superuser's; `biggest` is the id of the user who has most of them. Two connections work side by side:
    that is what the promised machine has.
    """
    async with asyncpg.create_pool(dsn, min_size=_AT_ONCE, max_size=_AT_ONCE, server_settings=_IN_BULK) as pool:
        begin = until - timedelta(days=DAYS)
        for month in _months(begin.date(), until.date()):
            await pool.execute("SELECT usage.ensure_month($1)", month)
        step_ms = DAYS * 86_400_000 / rows
        begin_ms = int((begin - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1000)
        chunks = [(start, min(start + CHUNK, rows), begin_ms, step_ms, biggest) for start in range(0, rows, CHUNK)]
        async with asyncio.TaskGroup() as writers:
            for number in range(_AT_ONCE):
                writers.create_task(_insert(pool, chunks[number::_AT_ONCE]))
        await pool.execute("VACUUM (ANALYZE) usage.usage")
        async with asyncio.TaskGroup() as fillers:
            for statements in FILLINGS:
                fillers.create_task(_fill(pool, statements))
        await pool.execute("VACUUM (ANALYZE)")


async def _insert(pool: asyncpg.Pool[asyncpg.Record], chunks: Sequence[tuple[int, int, int, float, str]]) -> None:
    for chunk in chunks:
        await pool.execute(INSERT_ROWS, *chunk)


async def _fill(pool: asyncpg.Pool[asyncpg.Record], statements: Sequence[str]) -> None:
    for statement in statements:
        await pool.execute(statement)


def _months(first: date, last: date) -> list[date]:
    months = [first.replace(day=1)]
    while months[-1] < last.replace(day=1):
        months.append((months[-1] + timedelta(days=31)).replace(day=1))
    return months
