"""SQL of the administrator's catalogue overrides; circuits and status have stores of their own."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from services.router.domain.catalog import Price
from services.router.domain.overrides import Move, Ordered, Overrides, PatchOrder, PriceOrder

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
Connection: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"


@asynccontextmanager
async def transaction(pool: Pool | Connection) -> AsyncIterator[Any]:
    """Yield a connection within a transaction."""
    if isinstance(pool, asyncpg.Pool):
        async with pool.acquire() as connection, connection.transaction():
            yield connection
    else:
        async with pool.transaction():
            yield pool


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

    FIND_MOVES: Final = """
SELECT channel, since, model
FROM router.channel_moves
ORDER BY channel, since
"""

    async def find_overrides(self) -> Overrides:
        """Return everything the administrator changed."""
        patches = await self._pool.fetch(self.FIND_PATCHES)
        prices: dict[str, list[Price]] = {}
        for row in await self._pool.fetch(self.FIND_PRICES):
            prices.setdefault(row["model_id"], []).append(_price(row))
        moves: dict[str, list[Move]] = {}
        for row in await self._pool.fetch(self.FIND_MOVES):
            moves.setdefault(row["channel"], []).append(Move(row["since"], row["model"]))
        return Overrides({row["model_id"]: json.loads(row["patch"]) for row in patches}, prices, moves)

    SAVE_PATCH: Final = """
WITH noted AS (
    INSERT INTO router.override_history (model_id, patch, changed_by, changed_at)
    VALUES ($1, $2, $3, $4)
)
INSERT INTO router.model_overrides (model_id, patch, updated_by, updated_at)
VALUES ($1, $2, $3, $4)
ON CONFLICT (model_id) DO UPDATE
SET patch = excluded.patch,
    updated_by = excluded.updated_by,
    updated_at = excluded.updated_at
"""

    async def save_patch(self, model_id: str, patch: Mapping[str, Any], ordered: Ordered) -> None:
        """Write what is different of a model, in place of what was."""
        await self._pool.execute(self.SAVE_PATCH, model_id, json.dumps(patch), ordered.by, ordered.at)

    DELETE_PATCH: Final = """
WITH gone AS (
    DELETE FROM router.model_overrides
    WHERE model_id = $1
    RETURNING model_id
)
INSERT INTO router.override_history (model_id, patch, changed_by, changed_at)
SELECT model_id, NULL, $2, $3
FROM gone
RETURNING id
"""

    async def delete_patch(self, model_id: str, ordered: Ordered) -> bool:
        """Take an override back; tell whether there was one."""
        return await self._pool.fetchval(self.DELETE_PATCH, model_id, ordered.by, ordered.at) is not None

    FIND_PATCH_ORDERS: Final = """
SELECT model_id, patch, updated_by AS by, updated_at AS at
FROM router.model_overrides
ORDER BY model_id
"""

    async def find_patch_orders(self) -> list[PatchOrder]:
        """Return the overrides that count."""
        return list(map(_patch_order, await self._pool.fetch(self.FIND_PATCH_ORDERS)))

    FIND_PATCH_HISTORY: Final = """
SELECT model_id, patch, changed_by AS by, changed_at AS at
FROM router.override_history
ORDER BY id DESC
LIMIT $1
"""

    async def find_patch_history(self, limit: int) -> list[PatchOrder]:
        """Return the orders about overrides, newest first."""
        return list(map(_patch_order, await self._pool.fetch(self.FIND_PATCH_HISTORY, limit)))

    # One after the other: a day has one price, whichever router is asked.
    ORDER_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtext('router.catalogue_orders'))"

    SAVE_PRICE: Final = """
INSERT INTO router.price_history (model_id, valid_from, input, output, cached, source, updated_by, updated_at)
SELECT $1, $2, $3, $4, $5, $6, $7, $8
WHERE NOT EXISTS (
    SELECT 1
    FROM router.price_history
    WHERE model_id = $1 AND (valid_from AT TIME ZONE 'UTC')::date = ($2 AT TIME ZONE 'UTC')::date
)
RETURNING model_id
"""

    async def save_price(self, model_id: str, order: PriceOrder, ordered: Ordered) -> bool:
        """Write a price; False: another one of its day is there, and stays."""
        price = order.price
        values = (model_id, price.valid_from, *price.roubles, order.source, ordered.by, ordered.at)
        async with self._one_at_a_time() as connection:
            return await connection.fetchval(self.SAVE_PRICE, *values) is not None

    FIND_PRICE_ORDERS: Final = """
SELECT model_id, valid_from, input, output, cached, source, updated_by AS by, updated_at AS at
FROM router.price_history
WHERE model_id = $1
ORDER BY valid_from
"""

    async def find_price_orders(self, model_id: str) -> list[PriceOrder]:
        """Return the prices of a model that were ordered, oldest first."""
        rows = await self._pool.fetch(self.FIND_PRICE_ORDERS, model_id)
        return [PriceOrder(_price(row), row["source"], Ordered(row["by"], row["at"])) for row in rows]

    SAVE_MOVE: Final = """
INSERT INTO router.channel_moves (channel, since, model, moved_by, moved_at)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (channel, since) DO NOTHING
RETURNING channel
"""

    async def save_move(self, channel: str, move: Move, ordered: Ordered) -> bool:
        """Write that a channel moves; False: another move of that moment is there, and stays."""
        values = (channel, move.since, move.model, ordered.by, ordered.at)
        async with self._one_at_a_time() as connection:
            return await connection.fetchval(self.SAVE_MOVE, *values) is not None

    @asynccontextmanager
    async def _one_at_a_time(self) -> AsyncIterator[Connection]:
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(self.ORDER_LOCK)
            yield connection


def _patch_order(row: asyncpg.Record) -> PatchOrder:
    patch = None if row["patch"] is None else json.loads(row["patch"])
    return PatchOrder(row["model_id"], patch, Ordered(row["by"], row["at"]))


def _price(row: asyncpg.Record) -> Price:
    return Price.of_roubles(
        row["model_id"], row["valid_from"], input=row["input"], output=row["output"], cached=row["cached"]
    )
