"""All SQL of the router: the administrator's overrides and what was seen of the providers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Final, TypeAlias

import asyncpg

from services.router.domain.catalog import Price
from services.router.domain.health import ModelHealth
from services.router.domain.overrides import Overrides

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
# What asyncpg raises when PostgreSQL is away, slow, or not migrated yet.
UNUSABLE: Final = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)


class RouterStore:
    """Schema `router`. Methods raise what is in UNUSABLE when PostgreSQL cannot be used."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    FIND_PATCHES: Final = """
SELECT model_id, patch
FROM router.model_overrides
"""

    FIND_PRICES: Final = """
SELECT model_id, valid_from, input, output, cached
FROM router.price_history
ORDER BY model_id, valid_from
"""

    async def find_overrides(self) -> Overrides:
        """Return everything the administrator changed."""
        patches = await self._pool.fetch(self.FIND_PATCHES)
        prices: dict[str, list[Price]] = {}
        for row in await self._pool.fetch(self.FIND_PRICES):
            prices.setdefault(row["model_id"], []).append(_price(row))
        return Overrides({row["model_id"]: json.loads(row["patch"]) for row in patches}, prices)

    SAVE_STATUS: Final = """
INSERT INTO router.provider_status (provider, model, status, latency, error_rate, updated_at)
SELECT provider, model, status, latency, error_rate, updated_at
FROM unnest($1::text[], $2::text[], $3::text[], $4::integer[], $5::double precision[], $6::timestamptz[])
    AS seen (provider, model, status, latency, error_rate, updated_at)
ORDER BY provider, model
ON CONFLICT (provider, model) DO UPDATE
SET status = excluded.status,
    latency = excluded.latency,
    error_rate = excluded.error_rate,
    updated_at = excluded.updated_at
WHERE provider_status.updated_at < excluded.updated_at
"""

    async def save_status(self, seen: Sequence[ModelHealth]) -> None:
        """Write what was seen; an older observation never replaces a newer one."""
        await self._pool.execute(
            self.SAVE_STATUS,
            [health.provider for health in seen],
            [health.model for health in seen],
            [health.status for health in seen],
            [health.latency_ms for health in seen],
            [health.error_rate for health in seen],
            [health.updated_at for health in seen],
        )

    FIND_STATUS: Final = """
SELECT provider, model, status, latency, error_rate, updated_at
FROM router.provider_status
"""

    async def find_status(self) -> list[ModelHealth]:
        """Return what any router has seen."""
        rows = await self._pool.fetch(self.FIND_STATUS)
        return [
            ModelHealth(
                row["provider"], row["model"], row["status"], row["latency"], row["error_rate"], row["updated_at"]
            )
            for row in rows
        ]


def _price(row: asyncpg.Record) -> Price:
    cached = row["input"] if row["cached"] is None else row["cached"]
    return Price(
        version=f"{row['model_id']}@{row['valid_from']:%Y-%m-%d}",
        input_micro_rub_per_1k=_micro(row["input"]),
        output_micro_rub_per_1k=_micro(row["output"]),
        cached_micro_rub_per_1k=_micro(cached),
        valid_from=row["valid_from"],
    )


def _micro(roubles: Decimal) -> int:
    return int(roubles * 1_000_000)
