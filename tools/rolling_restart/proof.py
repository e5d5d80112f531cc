"""What every proof under load does with a fleet: wait for it, restart one of it, read the books, say what was found."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Final

import asyncpg
from redis.asyncio import Redis

from tools.chaos.accounts import Books, wait_for_rest
from tools.rolling_restart.fleet import Instance
from tools.rolling_restart.load import Seen
from tools.stack.environments import DATABASE
from tools.stack.up import Stack

SHOWN: Final = 20


async def all_ready(fleet: Sequence[Instance]) -> None:
    """Return when every instance can serve.

    Raises:
        StackError: one ended, or takes too long.
    """
    await asyncio.gather(*(each.ready() for each in fleet))


async def restart(instance: Instance, seen: Seen) -> None:
    """End it in order, start it, wait until it serves, and say how long that took.

    Raises:
        StackError: it does not end, or does not become ready.
    """
    instance.signal()
    ended_s = await instance.ended()
    began = time.monotonic()
    instance.start()
    await instance.ready()
    ready_s = time.monotonic() - began
    print(
        f"{instance.name:10} ended in {ended_s:5.1f} s, ready in {ready_s:5.1f} s; "
        f"answered {len(seen.completed)}, failed {len(seen.failed)}",
        flush=True,
    )


async def books_of(stack: Stack, seen: Seen, rest_s: float) -> Books:
    """Return the books once they are right, or as they are after so many seconds."""
    database = await asyncpg.create_pool(stack.admin_dsn(DATABASE), min_size=1, max_size=2)
    redis = Redis.from_url(stack.environments.redis_url)
    try:
        journals = stack.home.root / "journals"
        return await wait_for_rest(redis, database, seen.completed, journals, deadline_s=rest_s)
    finally:
        await redis.aclose()
        await database.close()


def verdict(seen: Seen, books: Books) -> str:
    """Return what callers saw and what the books say, for people."""
    right = "right" if books.is_right else f"WRONG: missing {books.missing[:5]}, doubled {books.doubled[:5]}"
    failures = "".join(f"\n  {each}" for each in seen.failed[:SHOWN])
    return (
        f"answered {len(seen.completed)} ({seen.streams} streams), slowest plain answer {seen.slowest_s:.1f} s; "
        f"failed {len(seen.failed)}{failures}\n"
        f"rows {books.rows}, holds left {books.open_holds}, rollups {books.rollup_differences or 'agree'}, "
        f"budget counters {books.budgets.differences or 'equal to their rows'}: the books are {right}"
    )
