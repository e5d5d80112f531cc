"""`make bench-clickhouse`: the column store at a hundred million rows: ingest, each question's p95, bytes a row.

The rows are made inside ClickHouse, alike those of `make bench-usage`; what is fed goes the way of every record.
Without `--url` the engine is chdb's, in one process of this machine. Everything is deleted afterwards.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import asyncpg
import psutil

from bench.usage import columns_checked, columns_fed
from bench.usage.dataset import BIGGEST, build
from bench.usage.ingest import cpu_s
from bench.usage.made_rows import make_rows
from bench.usage.questions import Ask, questions
from servicekit.clock import SystemClock
from services.usage.column_store.choosing import Chooser, ChosenReader
from services.usage.column_store.column_reader import ColumnReader
from services.usage.column_store.engine import ColumnEngine, open_engine
from services.usage.column_store.feed_store import FeedStore
from services.usage.column_store.settings import AnalyticsSettings, AnalyticsStore
from services.usage.statistics.detailed import DetailedStatistics
from services.usage.statistics.domain.figures import Row
from services.usage.statistics.domain.query import Query
from services.usage.statistics.request_log import RequestLog
from services.usage.statistics.store import StatisticsStore
from services.usage.statistics.store.sources import is_of_platform
from services.usage.store.connection import Connection
from tools.servers.column_engine import running_engine
from tools.testing.databases import Databases
from tools.testing.found_servers import found_postgres

PAGE: Final = Path("docs/performance.md")
MARK: Final = "<!-- column store -->"
# Enough rounds for a percentile of what is fast, and an end to what is slow.
ROUNDS_MIN: Final = 4
ASKING_S: Final = 8.0
HEAD: Final = (
    "| question | biggest user: CPU ms | p50 ms | p95 ms | everybody: CPU ms | p50 ms | p95 ms |",
    "|---|---|---|---|---|---|---|",
)
BY_POSTGRES: Final = "¹ Of everybody PostgreSQL answers this, from its sums of the platform; here ClickHouse did."


@dataclass(frozen=True, slots=True)
class _Taken:
    """Milliseconds of a question: median, 95th percentile, and the engine's CPU; 0 when it is elsewhere."""

    median: float
    slow: float
    cpu: float
    is_of_platform: bool

    def cells(self) -> str:
        """Return its cells of the table."""
        return f"{self.cpu:.0f} | {self.median:.0f} | {self.slow:.0f}"


class _OfEverything(ChosenReader):
    """Asks the column store alone, of all rows that are there, and remembers whether PostgreSQL would have answered."""

    def __init__(self, engine: ColumnEngine, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        always = _Always(FeedStore(pool), behind_max_s=0, question_timeout_s=3_600, clock=SystemClock())
        super().__init__(always, ColumnReader(engine), StatisticsStore(pool))
        self.was_of_platform = False

    async def figures_together(self, queries: Sequence[Query]) -> Sequence[Sequence[Row]]:
        """Return the figures of each question, in order."""
        self.was_of_platform = all(map(is_of_platform, queries))
        return await super().figures_together(queries)


class _Always(Chooser):
    """Lets the column store answer of every row."""

    async def number(self, connection: Connection | None = None) -> int | None:
        """Return the highest number there can be."""
        return 2**63 - 1


@dataclass(frozen=True, slots=True)
class _Bench:
    pool: asyncpg.Pool[asyncpg.Record]
    settings: AnalyticsSettings
    admin_dsn: str
    options: argparse.Namespace
    now: datetime

    async def questions(self) -> list[str]:
        """Make the rows, ask everything, and return what is said of it."""
        async with self._database("bench_made") as engine:
            made = await make_rows(engine, self.options.rows, self.now)
            table = await _ask_all(_OfEverything(engine, self.pool), self.now, self.options.rounds)
            return [*made.told(), await columns_checked.check(engine), "", *table]

    async def feed(self) -> str:
        """Build rows in PostgreSQL, and return how they came over."""
        await build(self.admin_dsn, self.options.fed, self.now)
        async with self._database("bench_fed") as engine:
            return await columns_fed.measure(
                self.pool, engine, self.admin_dsn, self.options.fed, self.settings.feed_rows
            )

    @contextlib.asynccontextmanager
    async def _database(self, name: str) -> AsyncIterator[ColumnEngine]:
        """Yield the engine with a database of that name, which is dropped afterwards."""
        async with open_engine(self.settings) as admin:
            await admin.run(f"DROP DATABASE IF EXISTS {name} SYNC")
            await admin.run(f"CREATE DATABASE {name}")
            dsn = self.settings.dsn.get_secret_value().removesuffix("default") + name
            async with open_engine(self.settings.model_copy(update={"dsn": type(self.settings.dsn)(dsn)})) as engine:
                try:
                    yield engine
                finally:
                    await admin.run(f"DROP DATABASE {name} SYNC")


async def _ask_all(reader: _OfEverything, now: datetime, rounds: int) -> list[str]:
    stats, log = DetailedStatistics(reader, clock=SystemClock()), RequestLog(reader)
    taken: dict[str, list[_Taken | None]] = {}
    for user_id in (BIGGEST, None):
        for name, ask in questions(stats, log, user_id, now).items():
            found = await _measure(reader, ask, rounds)
            print(f"{user_id or 'everybody'}: {name}: {found.cells()}", flush=True)
            taken.setdefault(name, [None] if user_id is None else []).append(found)
    return [*HEAD, *[_line(name, both) for name, both in taken.items()], "", BY_POSTGRES]


def _line(name: str, both: Sequence[_Taken | None]) -> str:
    note = " ¹" if any(each and each.is_of_platform for each in both) else ""
    return f"| {name}{note} | " + " | ".join(each.cells() if each else " | | " for each in both) + " |"


async def _measure(reader: _OfEverything, ask: Ask, rounds: int) -> _Taken:
    reader.was_of_platform = False
    await ask()
    engines = _own_engine()
    taken: list[float] = []
    cpu, end = cpu_s(engines), time.perf_counter() + ASKING_S
    while len(taken) < ROUNDS_MIN or (len(taken) < rounds and time.perf_counter() < end):
        begin = time.perf_counter()
        await ask()
        taken.append((time.perf_counter() - begin) * 1000)
    spent = (cpu_s(engines) - cpu) * 1000 / len(taken)
    slow = statistics.quantiles(taken, n=20, method="inclusive")[-1]
    return _Taken(statistics.median(taken), slow, spent, reader.was_of_platform)


def _own_engine() -> list[psutil.Process]:
    children = psutil.Process().children()
    return [child for child in children if "tools.servers.column_engine" in child.cmdline()]


async def _run(databases: Databases, options: argparse.Namespace, url: str) -> list[str]:
    now = datetime.now(UTC)
    dsn = await asyncio.to_thread(databases.create, "usage")
    settings = AnalyticsSettings(store=AnalyticsStore.CLICKHOUSE, dsn=f"{url}/default", timeout_s=3_600)
    async with asyncpg.create_pool(dsn, min_size=1, max_size=4, command_timeout=3_600) as pool:
        bench = _Bench(pool, settings, databases.admin_dsn_of(dsn), options, now)
        fed = await bench.feed()
        print(fed, flush=True)
        first, *others = await bench.questions()
        return [first, fed, *others]


@contextlib.contextmanager
def _engine(url: str | None, folder: Path) -> Iterator[str]:
    if url:
        yield url
        return
    with running_engine(folder / "column_engine") as own:
        yield own


def _write(lines: Sequence[str]) -> None:
    head, _, rest = PAGE.read_text().partition(MARK)
    _, mark, tail = rest.partition(MARK)
    if not mark:
        sys.exit(f"{PAGE} has no two lines {MARK}")
    PAGE.write_text("\n".join([head + MARK, "", *lines, "", MARK]) + tail)


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(prog="make bench-clickhouse", description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000_000)
    parser.add_argument("--rounds", type=int, default=20, help="times each question is asked, in eight seconds at most")
    parser.add_argument("--fed", type=int, default=300_000, help="rows that come from PostgreSQL")
    parser.add_argument("--url", help="http://user:password@host:port of a ClickHouse; else the engine as a package")
    parser.add_argument("--write", action="store_true", help=f"write the table into {PAGE}")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as text,
        found_postgres(Path(text)) as admin_dsn,
        _engine(options.url, Path(text)) as url,
    ):
        databases = Databases(admin_dsn)
        try:
            lines = asyncio.run(_run(databases, options, url))
        finally:
            databases.drop_all()
    print("\n".join(["", *lines]))
    if options.write:
        _write(lines)


if __name__ == "__main__":
    main()
