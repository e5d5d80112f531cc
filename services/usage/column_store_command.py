"""`python -m services.usage.column_store_command state|fill|verify|off`: commands of the column store's operator."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Final

from servicekit import telemetry
from servicekit.clock import SystemClock
from servicekit.configuration.loading import load
from servicekit.errors import ServiceError
from servicekit.postgres import UNUSABLE, open_pool
from servicekit.settings import TelemetrySettings
from services.usage.column_store.engine import ColumnEngine, open_engine
from services.usage.column_store.feed_store import FeedStore
from services.usage.column_store.feeder import Feeder
from services.usage.column_store.filling import Filling
from services.usage.column_store.settings import AnalyticsSettings, AnalyticsStore
from services.usage.column_store.verifying import Verifying
from services.usage.domain.rollup import SUMS
from services.usage.settings import UsageSettings

USAGE: Final = """usage: python -m services.usage.column_store_command COMMAND

  state              what the column store has, and how far behind it is
  fill [YYYY-MM]     copy the months that are left, or again from one on; may be stopped and goes on
  verify             compare the sums of every day with the books
  off                note nothing any more: after USAGE_ANALYTICS_STORE=postgres on every instance

exit status: 0 done, 1 days differ, 2 a setting or the command is wrong, 3 PostgreSQL or ClickHouse is away
"""
DIFFERS, WRONG, AWAY = 1, 2, 3


@dataclass(frozen=True, slots=True)
class _Stores:
    feed: FeedStore
    engine: ColumnEngine
    settings: AnalyticsSettings

    @property
    def feeder(self) -> Feeder:
        """What feeds."""
        return Feeder(self.feed, self.engine, rows_max=self.settings.feed_rows)


async def _state(stores: _Stores, _: date | None) -> int:
    for name, value in asdict(await stores.feed.state()).items():
        print(f"{name}: {value}")
    return 0


async def _fill(stores: _Stores, since: date | None) -> int:
    async for done in Filling(stores.feed, stores.engine, clock=SystemClock()).fill(since):
        print(f"{done:%Y-%m} is there", flush=True)
    print("everything is there: questions go to the column store")
    return 0


async def _verify(stores: _Stores, _: date | None) -> int:
    verdict = await Verifying(stores.feed, stores.engine, stores.feeder).verify()
    for each in verdict.differing:
        pairs = zip(SUMS, each.books, each.columns, strict=True)
        print(f"{each.day} differs: " + ", ".join(f"{name} {a} in the books, {b}" for name, a, b in pairs if a != b))
    for day in verdict.pending:
        print(f"{day} was being written all the time: not compared")
    print(f"{verdict.days} days compared, {len(verdict.differing)} differ")
    return DIFFERS if verdict.differing else 0


async def _off(stores: _Stores, _: date | None) -> int:
    await stores.feed.end()
    print("nothing is noted any more; PostgreSQL answers")
    return 0


COMMANDS: Final[Mapping[str, Callable[[_Stores, date | None], Awaitable[int]]]] = {
    "state": _state,
    "fill": _fill,
    "verify": _verify,
    "off": _off,
}


@asynccontextmanager
async def _opened(settings: UsageSettings) -> AsyncIterator[_Stores]:
    async with open_pool(settings.postgres) as pool, open_engine(settings.analytics) as engine:
        yield _Stores(FeedStore(pool), engine, settings.analytics)


async def _run(command: str, month: date | None, settings: UsageSettings) -> int:
    try:
        async with _opened(settings) as stores:
            return await COMMANDS[command](stores, month)
    except ServiceError as exc:
        print(exc, file=sys.stderr)
        return WRONG if exc.param else AWAY
    except UNUSABLE as exc:
        print(f"PostgreSQL refuses: {exc}", file=sys.stderr)
        return AWAY


def main(arguments: list[str]) -> int:
    """Do what the arguments say and return the exit status."""
    command, month = _parsed(arguments)
    if command is None:
        print(USAGE, file=sys.stderr)
        return WRONG
    settings = load(UsageSettings)
    if command != "off" and settings.analytics.store is not AnalyticsStore.CLICKHOUSE:
        print("USAGE_ANALYTICS_STORE: set it to clickhouse, and USAGE_ANALYTICS_DSN to where it is", file=sys.stderr)
        return WRONG
    return asyncio.run(_run(command, month, settings))


def _parsed(arguments: list[str]) -> tuple[str | None, date | None]:
    """Return the command and its month; no command: nobody understands it."""
    match arguments:
        case ["fill", month]:
            try:
                return "fill", datetime.strptime(month, "%Y-%m").date()
            except ValueError:
                return None, None
        case [command] if command in COMMANDS:
            return command, None
        case _:
            return None, None


if __name__ == "__main__":
    telemetry.configure("usage", TelemetrySettings())
    sys.exit(main(sys.argv[1:]))
