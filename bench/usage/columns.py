"""`make bench-clickhouse`: the column store at a hundred million rows: the feed, each question's p95, bytes a row.

The rows are made inside ClickHouse, alike those of `make bench-usage`; what is fed goes the way of every record.
Without `--url` the engine is chdb's, in one process of this machine.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import statistics
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import asyncpg

from bench.usage.dataset import BIGGEST, DAYS, USERS, build
from bench.usage.questions import Ask, questions
from servicekit.clock import SystemClock
from services.usage.column_store.choosing import Chooser, ChosenReader
from services.usage.column_store.column_reader import ColumnReader
from services.usage.column_store.engine import ColumnEngine, open_engine
from services.usage.column_store.feed_store import FeedStore
from services.usage.column_store.feeder import Feeder
from services.usage.column_store.filling import Filling
from services.usage.column_store.settings import AnalyticsSettings, AnalyticsStore
from services.usage.column_store.verifying import Verifying
from services.usage.statistics.detailed import DetailedStatistics
from services.usage.statistics.request_log import RequestLog
from services.usage.statistics.store import StatisticsStore
from tools.servers.column_engine import running_engine
from tools.testing.databases import Databases
from tools.testing.found_servers import found_postgres

# Rows of one INSERT … SELECT: a part of this size needs some hundred megabytes.
PIECE: Final = 2_000_000
# `bench/usage/dataset.py` in ClickHouse's words: the same users, models, sizes and shares.
MAKE: Final = """
    INSERT INTO usage_rows (
        id, user_id, created_at, key_id, client_id, provider, model, resolved_model, endpoint, status, source,
        error_code, finish_reason, cache_status, requested_model, http_status, tokens_input, tokens_output,
        tokens_cached, tokens_reasoning, latency_ms, first_token_ms, fallbacks, traits, cost_micro_rub, saved_micro_rub,
        stream, prompt_digest, metadata, feed, is_gone
    )
    SELECT
        toUUID(concat(
            substring(milli, 1, 8), '-', substring(milli, 9, 4), '-7', substring(digest, 1, 3), '-8',
            substring(digest, 4, 3), '-', substring(digest, 7, 12))),
        concat('user-', toString(person)), fromUnixTimestamp64Milli(ms, 'UTC'),
        concat('key-', toString(person), '-', toString(number % 3)),
        if(by_app, concat('app-', toString(person % 7)), ''), concat('provider-', toString(model_number % 4)),
        concat('model-', toString(model_number), ':latest'), concat('model-', toString(model_number), '-build-7'),
        if(number % 10 = 0, 'embeddings', 'chat.completions'), if(failed, 'failed', 'completed'), 'provider',
        if(failed, ['provider_timeout', 'provider_error', 'content_filter'][1 + number % 3], ''), 'stop', '',
        concat('model-', toString(model_number)), if(failed, 502, 200), tokens, intDiv(tokens, 3), intDiv(tokens, 5), 0,
        wait + intDiv(tokens, 2), if(number % 2 = 0, wait, 0), 0, 0, tokens * (50 + 40 * model_number), 0,
        number % 2 = 0,
        lower(hex(reinterpretAsFixedString(cityHash64(number)))),
        if(number % 20 = 0, concat('{{"team": "team-', toString(number % 5), '"}}'), '{{}}'), 1, 0
    FROM (
        SELECT
            number, toInt64(floor({users} * pow(rand(1) / 4294967296., 4))) AS person,
            toInt64(floor(12 * pow(rand(2) / 4294967296., 2))) AS model_number,
            toInt64(exp(5 + 3 * ((rand(3) + rand(4) + rand(5)) / 4294967296. - 1.5))) AS tokens,
            toInt64(exp(5.5 + 1.5 * ((rand(6) + rand(7) + rand(8)) / 4294967296. - 1.5))) AS wait,
            rand(9) < 171798692 AS failed, rand(10) < 858993459 AS by_app,
            {begin} + toInt64(number * {step}) AS ms, leftPad(lower(hex(ms)), 16, '0') AS padded,
            substring(padded, 5, 12) AS milli, lower(hex(MD5(toString(number)))) AS digest
        FROM numbers({since}, {count})
    )
"""
# Some thousand rows a statement, as batches are: each is noted, and its rows are sent again.
NOTES: Final = 64
REWRITE: Final = "UPDATE usage.usage SET stream = stream WHERE get_byte(uuid_send(id), 15) % 64 = $1"
SIZE: Final = """
    SELECT sum(rows), sum(bytes_on_disk), count() FROM system.parts
    WHERE active AND database = currentDatabase() AND table = 'usage_rows'
"""


async def _make_rows(engine: ColumnEngine, rows: int, now: datetime) -> None:
    begin = int((now - timedelta(days=DAYS)).timestamp() * 1000)
    step = DAYS * 86_400_000 / rows
    started = time.perf_counter()
    for since in range(0, rows, PIECE):
        count = min(PIECE, rows - since)
        await engine.run(MAKE.format(users=USERS, begin=begin, step=step, since=since, count=count))
    print(f"{rows:,} rows of {DAYS} days and {USERS:,} users made in {time.perf_counter() - started:.0f} s", flush=True)


async def _print_size(engine: ColumnEngine) -> None:
    ((rows, size, parts),) = await engine.ask(SIZE, {}, None)
    print(f"{size / rows:.1f} bytes a row on disk ({rows:,} rows, {size / 1e9:.2f} GB, {parts} parts)\n", flush=True)


async def _ask_all(reader: ChosenReader, now: datetime, rounds: int) -> None:
    stats, log = DetailedStatistics(reader, clock=SystemClock()), RequestLog(reader)
    print("| question | whose | p50 ms | p95 ms |\n|---|---|---|---|")
    for whose, user_id in (("biggest user", BIGGEST), ("everybody", None)):
        for name, ask in questions(stats, log, user_id, now).items():
            taken = await _taken_ms(ask, rounds)
            slow = statistics.quantiles(taken, n=20, method="inclusive")[-1]
            print(f"| {name} | {whose} | {statistics.median(taken):.0f} | {slow:.0f} |", flush=True)


async def _taken_ms(ask: Ask, rounds: int) -> list[float]:
    await ask()
    taken = []
    for _ in range(rounds):
        begin = time.perf_counter()
        await ask()
        taken.append((time.perf_counter() - begin) * 1000)
    return taken


async def _feed(pool: asyncpg.Pool[asyncpg.Record], engine: ColumnEngine, feeder: Feeder, dsn: str, rows: int) -> None:
    """Fill from PostgreSQL, then feed as many notes again, and compare with the books."""
    feed = FeedStore(pool)
    begin = time.perf_counter()
    async for _ in Filling(feed, engine, clock=SystemClock()).fill():
        pass
    filled_s = time.perf_counter() - begin
    admin = await asyncpg.connect(dsn, command_timeout=3_600)
    for part in range(NOTES):
        await admin.execute(REWRITE, part)
    await admin.close()
    begin = time.perf_counter()
    await feeder.round()
    fed_s = time.perf_counter() - begin
    verdict = await Verifying(feed, engine, feeder).verify()
    print(
        f"\nFilled {rows / filled_s:,.0f} rows/s, fed {rows / fed_s:,.0f} rows/s from PostgreSQL; "
        f"{verdict.days} days compared with the books, {len(verdict.differing)} differ"
    )


async def _run(databases: Databases, options: argparse.Namespace, url: str) -> None:
    now = datetime.now(UTC)
    dsn = await asyncio.to_thread(databases.create, "usage")
    admin_dsn = databases.admin_dsn_of(dsn)
    settings = AnalyticsSettings(store=AnalyticsStore.CLICKHOUSE, dsn=f"{url}/default", timeout_s=3_600)
    async with contextlib.AsyncExitStack() as opened:
        pool = await opened.enter_async_context(asyncpg.create_pool(dsn, min_size=1, max_size=4, command_timeout=3_600))
        admin = await opened.enter_async_context(open_engine(settings))
        for name in ("made", "fed"):
            await admin.run(f"DROP DATABASE IF EXISTS bench_{name}")
            await admin.run(f"CREATE DATABASE bench_{name}")
        made = settings.model_copy(update={"dsn": type(settings.dsn)(f"{url}/bench_made")})
        fed = settings.model_copy(update={"dsn": type(settings.dsn)(f"{url}/bench_fed")})
        await _bench_questions(pool, made, options, now)
        await build(admin_dsn, options.fed, now)
        engine = await opened.enter_async_context(open_engine(fed))
        feeder = Feeder(FeedStore(pool), engine, rows_max=settings.feed_rows)
        await feeder.round()
        await _feed(pool, engine, feeder, admin_dsn, options.fed)


async def _bench_questions(
    pool: asyncpg.Pool[asyncpg.Record], settings: AnalyticsSettings, options: argparse.Namespace, now: datetime
) -> None:
    async with open_engine(settings) as engine:
        await engine.make_tables()
        await _make_rows(engine, options.rows, now)
        begin = time.perf_counter()
        await engine.run("OPTIMIZE TABLE usage_rows FINAL SETTINGS optimize_skip_merged_partitions = 1")
        print(f"merged in {time.perf_counter() - begin:.0f} s", flush=True)
        await _print_size(engine)
        # Nothing is fed here: the rows that were made count, whatever PostgreSQL has.
        await _ask_all(_OfEverything(engine, pool), now, options.rounds)


class _OfEverything(ChosenReader):
    """Asks the column store alone, of all rows that are there."""

    def __init__(self, engine: ColumnEngine, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        super().__init__(
            _Always(FeedStore(pool), behind_max_s=0, question_timeout_s=3_600, clock=SystemClock()),
            ColumnReader(engine),
            StatisticsStore(pool),
        )


class _Always(Chooser):
    """Lets the column store answer of every row."""

    async def number(self) -> int | None:
        """Return the highest number there can be."""
        return 2**63 - 1


@contextlib.contextmanager
def _engine(url: str | None, folder: Path) -> Iterator[str]:
    if url:
        yield url
        return
    with running_engine(folder / "column_engine") as own:
        yield own


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000_000)
    parser.add_argument("--rounds", type=int, default=20, help="times each question is asked")
    parser.add_argument("--fed", type=int, default=1_000_000, help="rows that come from PostgreSQL")
    parser.add_argument("--url", help="http://user:password@host:port of a ClickHouse; else the engine as a package")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as text,
        found_postgres(Path(text)) as admin_dsn,
        _engine(options.url, Path(text)) as url,
    ):
        databases = Databases(admin_dsn)
        try:
            asyncio.run(_run(databases, options, url))
        finally:
            databases.drop_all()


if __name__ == "__main__":
    main()
