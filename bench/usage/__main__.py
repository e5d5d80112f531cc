"""`make bench-usage`: build the rows, ask every question, store records, print a table."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
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
from bench.usage.ingest import BATCH, WRITERS, records_per_second
from bench.usage.questions import Ask, questions
from servicekit.clock import SystemClock
from services.usage.statistics.detailed import DetailedStatistics
from services.usage.statistics.request_log import RequestLog
from services.usage.statistics.store import StatisticsStore
from services.usage.store import UsageStore
from tools.testing.databases import Databases
from tools.testing.found_servers import found_postgres

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
    cpu = _cpu_s(server)
    for _ in range(rounds):
        begin = time.perf_counter()
        await ask()
        taken.append((time.perf_counter() - begin) * 1000)
    spent = (_cpu_s(server) - cpu) * 1000 / rounds
    return _Taken(statistics.median(taken), statistics.quantiles(taken, n=20, method="inclusive")[-1], spent)


def _cpu_s(server: psutil.Process) -> float:
    return time.process_time() + _server_cpu_s(server)


def _server_cpu_s(server: psutil.Process) -> float:
    times = server.cpu_times()
    return times.user + times.system


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
    """Store records by several connections; a rate says what the box gives just now, CPU what it takes."""
    servers = [psutil.Process(pid) for pid in await _processes_of(pool)]
    ours, theirs = time.process_time(), sum(map(_server_cpu_s, servers))
    rate = await records_per_second(UsageStore(pool), count, random.Random(7))  # noqa: S311 - sizes only
    ours, theirs = time.process_time() - ours, sum(map(_server_cpu_s, servers)) - theirs
    print(
        f"\nIngest: {rate:,.0f} records/s with their rollups, batches of {BATCH}, {WRITERS} writers; CPU of a record:"
        f" {ours * 1e6 / count:,.0f} µs of the service, {theirs * 1e6 / count:,.0f} µs of PostgreSQL."
    )


async def _processes_of(pool: asyncpg.Pool[asyncpg.Record]) -> list[int]:
    async with contextlib.AsyncExitStack() as taken:
        connections = [await taken.enter_async_context(pool.acquire()) for _ in range(WRITERS)]
        return [await connection.fetchval("SELECT pg_backend_pid()") for connection in connections]


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
    # One connection without helpers: its process is where all of the server's work is done.
    alone = {"max_parallel_workers_per_gather": "0"}
    async with asyncpg.create_pool(dsn, min_size=1, max_size=1, command_timeout=600, server_settings=alone) as pool:
        await _ask_all(pool, now, options.rounds)
    async with asyncpg.create_pool(dsn, min_size=WRITERS, max_size=WRITERS, command_timeout=600) as pool:
        await _store_records(pool, options.records)


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
