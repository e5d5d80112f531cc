"""`make bench-usage`: build the rows, ask every question, store records, print a table."""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import asyncpg

from bench.usage.dataset import BIGGEST, DAYS, USERS, build
from bench.usage.ingest import records_per_second
from bench.usage.questions import Ask, questions
from servicekit.clock import SystemClock
from services.usage.statistics.detailed import DetailedStatistics
from services.usage.statistics.request_log import RequestLog
from services.usage.statistics.store import StatisticsStore
from services.usage.store import UsageStore
from tools.testing.databases import Databases
from tools.testing.found_servers import found_postgres

LIMITS_MS: Final = {"biggest user": 100, "everybody": 200}


async def _measure(ask: Ask, rounds: int) -> tuple[float, float]:
    """Return the median and the 95th percentile in milliseconds, warm."""
    await ask()
    taken = []
    for _ in range(rounds):
        begin = time.perf_counter()
        await ask()
        taken.append((time.perf_counter() - begin) * 1000)
    return statistics.median(taken), statistics.quantiles(taken, n=20, method="inclusive")[-1]


async def _ask_all(pool: asyncpg.Pool[asyncpg.Record], now: datetime, rounds: int) -> None:
    store = StatisticsStore(pool)
    stats, log = DetailedStatistics(store, clock=SystemClock()), RequestLog(store)
    print("| question | whose | p50 ms | p95 ms | limit |\n|---|---|---|---|---|")
    for whose, user_id in (("biggest user", BIGGEST), ("everybody", None)):
        for name, ask in questions(stats, log, user_id, now).items():
            median, slow = await _measure(ask, rounds)
            verdict = "" if slow <= LIMITS_MS[whose] else " **over**"
            print(f"| {name} | {whose} | {median:.1f} | {slow:.1f}{verdict} | {LIMITS_MS[whose]} |", flush=True)


async def _run(databases: Databases, options: argparse.Namespace) -> None:
    dsn = await asyncio.to_thread(databases.create, "usage")
    now = datetime.now(UTC)
    admin = await asyncpg.connect(databases.admin_dsn_of(dsn), command_timeout=7200)
    begin = time.perf_counter()
    await build(admin, options.rows, now)
    biggest = await admin.fetchval("SELECT count(*) FROM usage.usage WHERE user_id = $1", BIGGEST)
    await admin.close()
    built_s = time.perf_counter() - begin
    print(f"{options.rows:,} rows of {DAYS} days and {USERS:,} users, built in {built_s:.0f} s; biggest: {biggest:,}\n")
    async with asyncpg.create_pool(dsn, min_size=1, max_size=5, command_timeout=600) as pool:
        await _ask_all(pool, now, options.rounds)
        rate = await records_per_second(UsageStore(pool), options.records, random.Random(7))  # noqa: S311 - sizes only
    print(f"\nIngest: {rate:,.0f} records/s, stored with their rollups in batches of 500, one writer.")


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=20, help="times each question is asked")
    parser.add_argument("--records", type=int, default=50_000, help="records for ingest")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, found_postgres(Path(folder)) as admin_dsn:
        databases = Databases(admin_dsn)
        try:
            asyncio.run(_run(databases, options))
        finally:
            databases.drop_all()


if __name__ == "__main__":
    main()
