"""`make bench-usage`: build the rows, ask every question, store records, print a table."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import statistics
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import asyncpg
import psutil

from bench.usage.dataset import BIGGEST, DAYS, USERS, build
from bench.usage.ingest import BATCH, GATEWAYS, cpu_s, store_records
from bench.usage.questions import Ask, questions
from servicekit.clock import SystemClock
from services.usage.settings import IngestSettings
from services.usage.statistics.detailed import DetailedStatistics
from services.usage.statistics.request_log import RequestLog
from services.usage.statistics.store import StatisticsStore
from tools.testing.databases import Databases
from tools.testing.found_servers import found_postgres

# What a server with ten million rows would be given; a test's has 32 MB, and reads everything from the system's cache.
SERVER: Final = ("shared_buffers=1GB", "max_wal_size=8GB")
LIMITS_MS: Final = {"biggest user": 100, "everybody": 200}


@dataclass(frozen=True, slots=True)
class _Taken:
    """Milliseconds of a question: median, 95th percentile, and the CPU of both processes, which no load hides."""

    median: float
    slow: float
    cpu: float


async def _measure(ask: Ask, rounds: int, server: psutil.Process) -> _Taken:
    await ask()
    taken = []
    cpu = time.process_time() + cpu_s([server])
    for _ in range(rounds):
        begin = time.perf_counter()
        await ask()
        taken.append((time.perf_counter() - begin) * 1000)
    spent = (time.process_time() + cpu_s([server]) - cpu) * 1000 / rounds
    return _Taken(statistics.median(taken), statistics.quantiles(taken, n=20, method="inclusive")[-1], spent)


async def _ask_all(pool: asyncpg.Pool[asyncpg.Record], now: datetime, rounds: int) -> None:
    store = StatisticsStore(pool)
    stats, log = DetailedStatistics(store, clock=SystemClock()), RequestLog(store)
    server = psutil.Process(await pool.fetchval("SELECT pg_backend_pid()"))
    print("| question | whose | CPU ms | p50 ms | p95 ms | limit |\n|---|---|---|---|---|---|")
    for whose, user_id in (("biggest user", BIGGEST), ("everybody", None)):
        for name, ask in questions(stats, log, user_id, now).items():
            taken = await _measure(ask, rounds, server)
            limit = LIMITS_MS[whose]
            verdict = "" if taken.slow <= limit else " **over**"
            print(
                f"| {name} | {whose} | {taken.cpu:.0f} | {taken.median:.0f} | {taken.slow:.0f}{verdict} | {limit} |",
                flush=True,
            )


async def _store_records(pool: asyncpg.Pool[asyncpg.Record], count: int) -> None:
    stored = await store_records(pool, count, [psutil.Process(pid) for pid in await _processes_of(pool)])
    print(
        f"\nIngest: {stored.records_per_s:,.0f} records/s with their rollups, {GATEWAYS} gateways, batches of {BATCH};"
        f" CPU of a record: {stored.service_us:,.0f} µs of the service, {stored.postgres_us:,.0f} µs of PostgreSQL."
    )


async def _processes_of(pool: asyncpg.Pool[asyncpg.Record]) -> list[int]:
    async with contextlib.AsyncExitStack() as taken:
        connections = [await taken.enter_async_context(pool.acquire()) for _ in range(pool.get_max_size())]
        return [await connection.fetchval("SELECT pg_backend_pid()") for connection in connections]


async def _run(databases: Databases, options: argparse.Namespace) -> None:
    dsn = await asyncio.to_thread(databases.create, "usage")
    now = datetime.now(UTC)
    begin = time.perf_counter()
    await build(databases.admin_dsn_of(dsn), options.rows, now)
    built_s = time.perf_counter() - begin
    admin = await asyncpg.connect(databases.admin_dsn_of(dsn), command_timeout=600)
    biggest = await admin.fetchval("SELECT count(*) FROM usage.usage WHERE user_id = $1", BIGGEST)
    await admin.close()
    print(f"{options.rows:,} rows of {DAYS} days and {USERS:,} users, built in {built_s:.0f} s; biggest: {biggest:,}\n")
    # One connection without helpers: its process is where all of the server's work is done.
    alone = {"max_parallel_workers_per_gather": "0"}
    async with asyncpg.create_pool(dsn, min_size=1, max_size=1, command_timeout=600, server_settings=alone) as pool:
        await _ask_all(pool, now, options.rounds)
    at_once = IngestSettings().transactions
    async with asyncpg.create_pool(dsn, min_size=at_once, max_size=at_once, command_timeout=600) as pool:
        if options.records:
            await _store_records(pool, options.records)


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=20, help="times each question is asked")
    parser.add_argument("--records", type=int, default=100_000, help="records for ingest, 0: none")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, found_postgres(Path(folder), *SERVER) as admin_dsn:
        databases = Databases(admin_dsn)
        try:
            asyncio.run(_run(databases, options))
        finally:
            databases.drop_all()


if __name__ == "__main__":
    main()
