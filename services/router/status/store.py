"""SQL of the providers' status and its history."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import asyncpg

from servicekit.postgres import in_pieces
from services.router.circuits.domain.news import CLOCKS_DIFFER
from services.router.status.domain.health import ModelHealth
from services.router.store import Pool


class StatusStore:
    """Tables `provider_status`, `provider_status_history` and `status_writer`. Methods raise what is in UNUSABLE."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    BECOME_WRITER: Final = """
INSERT INTO router.status_writer (replica, until)
VALUES ($1, $2)
ON CONFLICT (single) DO UPDATE
SET replica = excluded.replica,
    until = excluded.until
WHERE status_writer.replica = excluded.replica OR status_writer.until < $3 OR status_writer.until > $4
RETURNING replica
"""

    async def become_writer(self, replica: str, until: datetime, now: datetime) -> bool:
        """Tell whether this replica is the one that writes, until then; whose turn ends in hours has a wrong clock."""
        values = (replica, until, now, until + CLOCKS_DIFFER)
        return await self._pool.fetchval(self.BECOME_WRITER, *values) is not None

    SAVE_STATUS: Final = """
INSERT INTO router.provider_status (
    provider, model, status, latency, error_rate, updated_at, reason, since,
    latency_p95, first_content_p50, first_content_p95, calls
)
SELECT *
FROM unnest(
    $1::text[], $2::text[], $3::text[], $4::integer[], $5::double precision[], $6::timestamptz[], $7::text[],
    $8::timestamptz[], $9::integer[], $10::integer[], $11::integer[], $12::integer[]
)
ON CONFLICT (provider, model) DO UPDATE
SET status = excluded.status,
    latency = excluded.latency,
    error_rate = excluded.error_rate,
    updated_at = excluded.updated_at,
    reason = excluded.reason,
    since = excluded.since,
    latency_p95 = excluded.latency_p95,
    first_content_p50 = excluded.first_content_p50,
    first_content_p95 = excluded.first_content_p95,
    calls = excluded.calls
WHERE provider_status.updated_at <= excluded.updated_at OR provider_status.updated_at > $13
"""

    ADD_HISTORY: Final = """
INSERT INTO router.provider_status_history (provider, model, status, reason, error_rate, began_at)
SELECT *
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::double precision[], $6::timestamptz[])
"""

    async def save(self, seen: Sequence[ModelHealth], begun: Sequence[ModelHealth], now: datetime) -> None:
        """Write what is, and of those whose status has begun, that it has.

        An older observation replaces nothing but one from the future: that would stay for hours, and each round would
        find anew that a status has begun.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            # In one order, whoever writes: two writers at a change of leases must not wait for each other.
            rows = sorted(seen, key=lambda each: (each.provider, each.model))
            await connection.execute(self.SAVE_STATUS, *_columns(list(map(_values, rows)), 12), now + CLOCKS_DIFFER)
            history = [
                (each.provider, each.model, each.status, each.reason, each.error_rate, each.since or each.updated_at)
                for each in begun
            ]
            await connection.execute(self.ADD_HISTORY, *_columns(history, 6))

    FIND_STATUS: Final = """
SELECT provider, model, status, latency, error_rate, updated_at, reason, since,
    latency_p95, first_content_p50, first_content_p95, calls
FROM router.provider_status
"""

    async def find(self) -> list[ModelHealth]:
        """Return what was written last."""
        return [ModelHealth(*row) for row in await self._pool.fetch(self.FIND_STATUS)]

    FIND_HISTORY: Final = """
SELECT provider, model, status, reason, error_rate, began_at
FROM router.provider_status_history
WHERE ($1 = '' OR provider = $1) AND ($2 = '' OR model = $2)
ORDER BY began_at DESC, id DESC
LIMIT $3
"""

    async def find_history(self, provider: str, model: str, limit: int) -> list[ModelHealth]:
        """Return statuses that began, newest first; an empty name stands for all."""
        rows = await self._pool.fetch(self.FIND_HISTORY, provider, model, limit)
        return [_begun(row) for row in rows]

    FORGET_HISTORY: Final = """
DELETE FROM router.provider_status_history
WHERE id IN (
    SELECT id
    FROM router.provider_status_history
    WHERE began_at < $1
    LIMIT $2
    FOR UPDATE SKIP LOCKED
)
"""

    async def forget_history(self, before: datetime) -> None:
        """Delete what began before then."""
        await in_pieces(self._pool, self.FORGET_HISTORY, before)


def _values(health: ModelHealth) -> tuple[object, ...]:
    return (
        health.provider,
        health.model,
        health.status,
        health.latency_ms,
        health.error_rate,
        health.updated_at,
        health.reason,
        health.since,
        health.latency_p95_ms,
        health.first_content_p50_ms,
        health.first_content_p95_ms,
        health.calls,
    )


def _columns(rows: Sequence[tuple[object, ...]], count: int) -> list[list[object]]:
    return [[row[at] for row in rows] for at in range(count)]


def _begun(row: asyncpg.Record) -> ModelHealth:
    began_at = row["began_at"]
    return ModelHealth(
        row["provider"], row["model"], row["status"], 0, row["error_rate"], began_at, row["reason"], began_at
    )
