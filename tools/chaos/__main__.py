"""`make chaos`: SIGKILL a random process every second or so under load, a hundred times, then audit the books."""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Final

import asyncpg
from redis.asyncio import Redis

from bench.suite import Suite, running_suite
from tools.chaos.accounts import Books, wait_for_rest
from tools.chaos.load import Load
from tools.stack.environments import DATABASE

VICTIMS: Final = ("gateway", "router", "auth", "usage", "redis", "postgres")


def main() -> int:
    """Run the storm and return 0 when the books are right."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--pause", type=float, nargs=2, default=(0.5, 2.5), help="least and most seconds between kills")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 2**32)
    parser.add_argument("--rest", type=float, default=120.0, help="seconds the suite is given to come to rest")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    home = Path(os.environ.get("RAZVILKA_HOME", ".razvilka")) / "chaos"
    with running_suite(home) as suite:
        books = asyncio.run(_storm(suite, arguments))
    print(_verdict(books))
    return 0 if books.is_right else 1


async def _storm(suite: Suite, arguments: argparse.Namespace) -> Books:
    rng = random.Random(arguments.seed)  # noqa: S311 - chooses victims
    load = Load(suite.demo.url, suite.demo.api_key, clients=arguments.clients, rng=rng)
    stop = asyncio.Event()
    killed: Counter[str] = Counter()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(load.run(stop))
        for _ in range(arguments.kills):
            await asyncio.sleep(rng.uniform(*arguments.pause))
            killed[await asyncio.to_thread(_kill_one, suite, rng)] += 1
        await asyncio.sleep(5.0)
        stop.set()
    seen = load.seen
    print(f"killed {dict(killed)}; completed {len(seen.completed)}, refused {seen.refused}, broken {seen.broken}")
    database = await asyncpg.create_pool(suite.stack.admin_dsn(DATABASE), min_size=1, max_size=2)
    redis = Redis.from_url(suite.stack.environments.redis_url)
    try:
        return await wait_for_rest(redis, database, seen.completed, deadline_s=arguments.rest)
    finally:
        await redis.aclose()
        await database.close()


def _kill_one(suite: Suite, rng: random.Random) -> str:
    running = suite.pids()
    candidates = [name for name in VICTIMS if name in running]
    if not candidates:
        return "nobody"
    victim = rng.choice(candidates)
    try:
        os.kill(running[victim], signal.SIGKILL)
    except ProcessLookupError:
        return "nobody"
    return victim


def _verdict(books: Books) -> str:
    return (
        f"rows {books.rows}; completed answers without a row {len(books.missing)}; ids with two rows "
        f"{len(books.doubled)}; holds left {books.open_holds}; rollups {books.rollup_differences or 'agree'}\n"
        + ("THE BOOKS ARE RIGHT" if books.is_right else f"THE BOOKS ARE WRONG {books.missing[:5]}")
    )


if __name__ == "__main__":
    sys.exit(main())
