"""A column store of its own for a test, on the engine that the tests share."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import date, timedelta
from typing import Final, NamedTuple
from uuid import uuid4

import asyncpg

from servicekit.testing import FakeClock
from services.usage.column_store.choosing import Chooser, ChosenReader
from services.usage.column_store.column_reader import ColumnReader
from services.usage.column_store.engine import ColumnEngine, open_engine
from services.usage.column_store.feed_store import FeedStore
from services.usage.column_store.feeder import Feeder
from services.usage.column_store.filling import Filling
from services.usage.column_store.settings import AnalyticsSettings
from services.usage.column_store.verifying import Verifying
from services.usage.statistics.domain.figures import Row
from services.usage.statistics.domain.query import Bucket, Dimension, Query
from services.usage.statistics.domain.request_line import LogQuery, RequestLine
from services.usage.statistics.store import StatisticsStore
from services.usage.tests.statistics.samples import BEGIN, END

# The stores that are held to the whole contract. All of it on the column store takes longer than the suite has:
# `make test-clickhouse` asks for it.
CHOSEN: Final = os.environ.get("RAZVILKA_TEST_USAGE_STORES", "postgres").split(",")
WHOLE = Query(None, BEGIN - timedelta(days=3), END + timedelta(days=30), "Europe/Moscow", Bucket.DAY, (Dimension.USER,))


class PostgresMustNotBeAsked(Exception):
    """The column store was to answer."""


class NoPostgres:
    """Stands where PostgreSQL would answer and says that it was asked."""

    async def figures(self, query: Query) -> Sequence[Row]:
        raise PostgresMustNotBeAsked

    async def figures_together(self, queries: Sequence[Query]) -> Sequence[Sequence[Row]]:
        raise PostgresMustNotBeAsked

    async def request_lines(self, query: LogQuery) -> Sequence[RequestLine]:
        raise PostgresMustNotBeAsked


class ColumnsUnderTest(NamedTuple):
    """The parts of a column store that has everything PostgreSQL has."""

    settings: AnalyticsSettings
    engine: ColumnEngine
    feed: FeedStore
    feeder: Feeder
    filling: Filling
    verifying: Verifying
    chooser: Chooser
    reader: ChosenReader

    async def fill(self) -> list[date]:
        """Copy what is there and return the months."""
        return [month async for month in self.filling.fill()]


@asynccontextmanager
async def open_columns(
    url: str, pool: asyncpg.Pool[asyncpg.Record], clock: FakeClock, **changed: object
) -> AsyncIterator[ColumnsUnderTest]:
    """Yield a column store that is fed from a pool's database, and has begun to note what is written."""
    database = f"t{uuid4().hex}"
    async with open_engine(AnalyticsSettings(store="clickhouse", dsn=f"{url}/default")) as admin:
        await admin.run(f"CREATE DATABASE {database}")
        settings = AnalyticsSettings(**{"store": "clickhouse", "dsn": f"{url}/{database}"} | changed)
        async with open_engine(settings) as engine:
            feed = FeedStore(pool)
            feeder = Feeder(feed, engine, rows_max=settings.feed_rows)
            await feeder.round()
            chooser = Chooser(
                feed, behind_max_s=settings.behind_max_s, question_timeout_s=settings.question_timeout_s, clock=clock
            )
            yield ColumnsUnderTest(
                settings,
                engine,
                feed,
                feeder,
                Filling(feed, engine, clock=clock),
                Verifying(feed, engine, feeder),
                chooser,
                ChosenReader(chooser, ColumnReader(engine), NoPostgres()),
            )
        await admin.run(f"DROP DATABASE {database}")


async def both(columns: ColumnsUnderTest, pool: asyncpg.Pool[asyncpg.Record], query: Query = WHOLE) -> Sequence[Row]:
    """Return the column store's answer, which is the books'."""
    found = list(await columns.reader.figures(query))
    assert found == list(await StatisticsStore(pool).figures(query))
    return found
