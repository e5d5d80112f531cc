"""Composition root of the column store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import asyncpg

from servicekit.clock import Clock
from services.usage.column_store.choosing import Chooser, ChosenMaterial, ChosenReader, ChosenSnapshots, PlatformFirst
from services.usage.column_store.column_reader import ColumnReader
from services.usage.column_store.engine import open_engine
from services.usage.column_store.feed_store import FeedStore
from services.usage.column_store.feeder import Feeder
from services.usage.column_store.pattern_sums import ColumnSums
from services.usage.column_store.settings import AnalyticsSettings, AnalyticsStore
from services.usage.insights.material_reader import PostgresMaterial, ReadsMaterial
from services.usage.statistics.reader import OpensSnapshots, ReadsUsage
from services.usage.statistics.store import StatisticsStore


@dataclass(frozen=True, slots=True)
class Analytics:
    """The readers of analytics.

    Attributes:
        reader: figures and the log of requests.
        material: what patterns are looked for in.
        snapshots: makes of PostgreSQL's snapshots those that reports are made of.
        jobs: what is to be repeated, and how many seconds apart.
    """

    reader: ReadsUsage
    material: ReadsMaterial
    snapshots: Callable[[OpensSnapshots], OpensSnapshots]
    jobs: dict[str, tuple[Callable[[], Awaitable[None]], float]] = field(default_factory=dict)


@asynccontextmanager
async def open_analytics(
    pool: asyncpg.Pool[asyncpg.Record], settings: AnalyticsSettings, clock: Clock
) -> AsyncIterator[Analytics]:
    """Yield who answers, as the settings say."""
    postgres = StatisticsStore(pool)
    if settings.store is AnalyticsStore.POSTGRES:
        yield Analytics(postgres, PostgresMaterial(), lambda snapshots: snapshots)
        return
    async with open_engine(settings) as engine:
        feed, columns = FeedStore(pool), ColumnReader(engine)
        chooser = Chooser(
            feed, behind_max_s=settings.behind_max_s, question_timeout_s=settings.question_timeout_s, clock=clock
        )
        feeder = Feeder(feed, engine, rows_max=settings.feed_rows)
        yield Analytics(
            PlatformFirst(ChosenReader(chooser, columns, postgres), postgres),
            ChosenMaterial(chooser, ColumnSums(engine), PostgresMaterial()),
            lambda snapshots: ChosenSnapshots(chooser, columns, snapshots),
            {"column_feed": (feeder.round, settings.feed_every_s)},
        )
