"""One snapshot of the usage rows of one user: everything in a report is read from it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any, Final

import asyncpg

from servicekit.postgres import database_errors, sql
from services.usage.statistics.domain.figures import Figures, Quantiles, Row
from services.usage.statistics.domain.query import Dimension, Query
from services.usage.store.column_sql import listed
from services.usage.store.connection import Connection
from services.usage.store.usage_store import NAME_USER

# A report is made beside requests, not in one: a user's years may take longer than a statement usually may.
TIMEOUT_S: Final = 300.0
EXPRESSIONS: Final = {
    Dimension.PROVIDER: "provider",
    Dimension.MODEL: "split_part(model, ':', 1)",
    Dimension.VERSION: "model",
    Dimension.KEY: "key_id",
    Dimension.APP: "client_id",
    Dimension.STATUS: "status",
    Dimension.ENDPOINT: "endpoint",
    Dimension.ERROR: "error_code",
}
_FILTERS: Final = " ".join(
    f"AND (${number}::text[] IS NULL OR {expression} = ANY(${number}))"
    for number, expression in enumerate(EXPRESSIONS.values(), 5)
)
_TAGS: Final = 5 + len(EXPRESSIONS)
# $4, the zone, is every question's, so that the numbers of the others are the same in all.
_WHERE: Final = f"""
    FROM usage.usage
    WHERE user_id = $1
        AND created_at >= $2
        AND created_at < $3
        AND $4::text IS NOT NULL
        {_FILTERS}
        AND (${_TAGS}::text[] IS NULL OR EXISTS (
            SELECT FROM jsonb_each_text(metadata) AS tag WHERE tag.key || '=' || tag.value = ANY(${_TAGS})
        ))
"""
_SUMS: Final = """
    count(*) AS requests,
    count(*) FILTER (WHERE status = 'failed') AS errors,
    coalesce(sum(tokens_input), 0)::bigint AS tokens_input,
    coalesce(sum(tokens_output), 0)::bigint AS tokens_output,
    coalesce(sum(tokens_cached), 0)::bigint AS tokens_cached,
    coalesce(sum(tokens_reasoning), 0)::bigint AS tokens_reasoning,
    (coalesce(sum(cost), 0) * 1000000)::bigint AS cost_micro_rub,
    percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY latency_ms) AS latency,
    percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY first_token_ms)
        FILTER (WHERE first_token_ms > 0) AS first_token
"""
FIGURES: Final = "SELECT {bucket} AS starts_at, {group} AS name, {sums} {where} GROUP BY 1, 2 ORDER BY 1, 2"
COUNT: Final = sql("SELECT count(*) {where}", where=_WHERE)
READ_REQUESTS: Final = sql(
    """
    SELECT
        id::text, created_at, provider, model, requested_model, resolved_model, endpoint, key_id, client_id, status,
        source, error_code, tokens_input, tokens_cached, tokens_output, tokens_reasoning,
        (cost * 1000000)::bigint AS cost_micro_rub, latency_ms, nullif(first_token_ms, 0) AS first_token_ms
    {where}
    ORDER BY created_at, id
    """,
    where=_WHERE,
)


class Snapshot:
    """Answers from one moment, however long it takes to ask. It is a `StatisticsReader` for one user's figures."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def figures(self, query: Query) -> Sequence[Row]:
        """Return a row for each group and bucket in which there was a request, by bucket, then by group."""
        statement = _figures_statement(query.bucket.value if query.bucket else "", query.group_by)
        found = await self._connection.fetch(statement, *_values(query), timeout=TIMEOUT_S)
        return [Row(row["starts_at"], tuple(row["name"]), _figures(row)) for row in found]

    async def count(self, query: Query) -> int:
        """Return how many requests there were."""
        return int(await self._connection.fetchval(COUNT, *_values(query), timeout=TIMEOUT_S))

    async def requests(self, query: Query, size: int) -> AsyncIterator[Sequence[asyncpg.Record]]:
        """Yield the requests, earliest first, at most `size` at a time; memory holds no more than that."""
        cursor = await self._connection.cursor(READ_REQUESTS, *_values(query), timeout=TIMEOUT_S)
        while rows := await cursor.fetch(size, timeout=TIMEOUT_S):
            yield rows


class Snapshots:
    """Opens snapshots."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self._pool = pool

    @asynccontextmanager
    async def open(self, user_id: str) -> AsyncIterator[Snapshot]:
        """Yield a snapshot of the rows of one user; it raises `Unavailable` while PostgreSQL cannot be used."""
        with database_errors():
            async with self._pool.acquire(timeout=TIMEOUT_S) as connection:
                await connection.execute(NAME_USER, user_id)
                async with connection.transaction(isolation="repeatable_read", readonly=True):
                    yield Snapshot(connection)


@lru_cache(maxsize=64)
def _figures_statement(bucket: str, group_by: tuple[Dimension, ...]) -> str:
    return sql(
        FIGURES,
        bucket=f"date_trunc('{bucket}', created_at, $4)" if bucket else "NULL::timestamptz",
        group=f"ARRAY[{listed(EXPRESSIONS[dimension] for dimension in group_by)}]::text[]",
        sums=_SUMS,
        where=_WHERE,
    )


def _values(query: Query) -> tuple[Any, ...]:
    wanted = [query.filters.get(dimension) for dimension in (*EXPRESSIONS, Dimension.TAG)]
    return (query.user_id, query.since, query.until, query.zone, *wanted)


def _figures(row: asyncpg.Record) -> Figures:
    values = dict(row)
    latency, first_token = values.pop("latency"), values.pop("first_token")
    del values["starts_at"], values["name"]
    return Figures(**values, latency=Quantiles(*(latency or ())), first_token=Quantiles(*(first_token or ())))
