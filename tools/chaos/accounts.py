"""The books after the storm: rows, rollups and holds."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import asyncpg
from redis.asyncio import Redis

# The hash of hold details that the gateway keeps for each user.
HOLD_KEYS: Final = "gw:*:d"


@dataclass(frozen=True, slots=True)
class Books:
    """What was found; every field but `rows` must be empty or zero."""

    rows: int
    missing: tuple[str, ...]
    doubled: tuple[str, ...]
    rollup_differences: tuple[str, ...]
    open_holds: int

    @property
    def is_right(self) -> bool:
        """Say whether nothing was lost, doubled or left behind."""
        return not (self.missing or self.doubled or self.rollup_differences or self.open_holds)


async def wait_for_rest(redis: Redis, database: asyncpg.Pool, completed: Sequence[str], *, deadline_s: float) -> Books:
    """Read the books until they are right or the deadline has passed, and return them as they were last."""
    give_up_at = time.monotonic() + deadline_s
    while True:
        books = await read_books(redis, database, completed)
        if books.is_right or time.monotonic() > give_up_at:
            return books
        await asyncio.sleep(1.0)


async def read_books(redis: Redis, database: asyncpg.Pool, completed: Sequence[str]) -> Books:
    """Compare what the client saw with what is stored."""
    rows = await database.fetch("SELECT id::text AS id FROM usage.usage")
    counts = Counter(str(row["id"]) for row in rows)
    return Books(
        rows=len(rows),
        missing=tuple(each for each in completed if each not in counts),
        doubled=tuple(each for each, count in counts.items() if count > 1),
        rollup_differences=await _rollup_differences(database),
        open_holds=await _open_holds(redis),
    )


async def _rollup_differences(database: asyncpg.Pool) -> tuple[str, ...]:
    rows: Any = await database.fetchrow(
        "SELECT count(*)::bigint AS n, coalesce(sum(cost) * 1000000, 0)::bigint AS cost FROM usage.usage"
    )
    days: Any = await database.fetchrow(
        "SELECT coalesce(sum(requests), 0)::bigint AS n, coalesce(sum(cost_micro_rub), 0)::bigint AS cost"
        " FROM usage.rollup_day"
    )
    return () if (rows["n"], rows["cost"]) == (days["n"], days["cost"]) else (f"rows {dict(rows)}, days {dict(days)}",)


async def _open_holds(redis: Redis) -> int:
    total = 0
    async for key in redis.scan_iter(match=HOLD_KEYS, count=1000):
        held: Any = redis.hlen(key)
        total += int(await held)
    return total
