"""The books after the storm: rows, rollups, holds and budgets."""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import asyncpg
from redis.asyncio import Redis

from tools.chaos.budgets import BudgetBooks, read_budgets

# The hash of hold details that the gateway keeps for each user.
HOLD_KEYS: Final = "gw:*:d"
# Where the gateway puts what it could not read, or what the usage service refused.
KEPT: Final = re.compile(r"quarantine|dead-letters")


@dataclass(frozen=True, slots=True)
class Books:
    """What was found; every field but `rows`, `kept` and `budgets` must be empty or zero.

    `kept` are answers whose records could not be stored and lie in the quarantine or among the dead letters.
    """

    rows: int
    kept: tuple[str, ...]
    missing: tuple[str, ...]
    doubled: tuple[str, ...]
    rollup_differences: tuple[str, ...]
    open_holds: int
    budgets: BudgetBooks

    @property
    def is_right(self) -> bool:
        """Say whether nothing was lost, doubled or left behind."""
        lost = self.missing or self.doubled or self.rollup_differences
        return not (lost or self.open_holds or self.budgets.differences)


async def wait_for_rest(
    redis: Redis, database: asyncpg.Pool, completed: Sequence[str], evidence: Path, *, deadline_s: float
) -> Books:
    """Read the books until they are right or the deadline has passed, and return them as they were last."""
    give_up_at = time.monotonic() + deadline_s
    while True:
        books = await read_books(redis, database, completed, evidence)
        if books.is_right or time.monotonic() > give_up_at:
            return books
        await asyncio.sleep(1.0)


async def read_books(redis: Redis, database: asyncpg.Pool, completed: Sequence[str], evidence: Path) -> Books:
    """Compare what the client saw with what is stored, and with what the journal's folder `evidence` keeps aside."""
    rows = await database.fetch("SELECT id::text AS id FROM usage.usage")
    counts = Counter(str(row["id"]) for row in rows)
    missing = [each for each in completed if each not in counts]
    aside = read_kept_aside(evidence) if missing else b""
    kept = {each for each in missing if each.encode() in aside}
    return Books(
        rows=len(rows),
        kept=tuple(sorted(kept)),
        missing=tuple(each for each in missing if each not in kept),
        doubled=tuple(each for each, count in counts.items() if count > 1),
        rollup_differences=await _rollup_differences(database),
        open_holds=await _open_holds(redis),
        budgets=await read_budgets(redis, database),
    )


def read_kept_aside(folder: Path) -> bytes:
    """Return everything in the quarantine and among the dead letters: ids stand there as text."""
    kept = [path for path in folder.rglob("*") if path.is_file() and KEPT.search(str(path.relative_to(folder)))]
    return b"\n".join(path.read_bytes() for path in kept)


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
