"""SQL of the administrator's overrides; the rooms of circuits and status have their own."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Final, TypeAlias

import asyncpg

from services.router.domain.catalog import Price
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
