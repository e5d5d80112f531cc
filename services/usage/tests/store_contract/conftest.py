"""The stores under test: each is opened empty, keeps records and answers questions."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final, NamedTuple, TypeAlias

import asyncpg
import pytest

from servicekit.testing import FakeClock
from services.usage.domain.record import UsageRecord
from services.usage.ingest import Ingest
from services.usage.settings import IngestSettings
from services.usage.statistics.reader import ReadsLog, ReadsTogether
from services.usage.statistics.store import StatisticsStore
from services.usage.store import UsageStore
from services.usage.tests.column_store.opened import CHOSEN, open_columns
from services.usage.tests.conftest import NoPauses
from tools.testing.plugin import MakeDatabase

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


class StoreUnderTest(NamedTuple):
    """An empty store: `keep` stores records as a batch of a gateway is stored."""

    keep: Callable[[Sequence[UsageRecord]], Awaitable[None]]
    reader: ReadsTogether
    log: ReadsLog


@asynccontextmanager
async def _postgres(request: pytest.FixtureRequest, pool: Pool, clock: FakeClock) -> AsyncIterator[StoreUnderTest]:
    ingest = Ingest(UsageStore(pool), IngestSettings(), clock=clock, rng=NoPauses())

    async def keep(records: Sequence[UsageRecord]) -> None:
        outcome = await ingest.record(records)
        assert outcome.rejected == ()

    store = StatisticsStore(pool)
    yield StoreUnderTest(keep, store, store)


@asynccontextmanager
async def _clickhouse(request: pytest.FixtureRequest, pool: Pool, clock: FakeClock) -> AsyncIterator[StoreUnderTest]:
    """Yield the column store, fed by the ingest of PostgreSQL and by nothing else."""
    url = request.getfixturevalue("column_engine_url")
    async with open_columns(url, pool, clock) as columns, _postgres(request, pool, clock) as postgres:
        await columns.fill()

        async def keep(records: Sequence[UsageRecord]) -> None:
            await postgres.keep(records)
            await columns.feeder.round()

        yield StoreUnderTest(keep, columns.reader, columns.reader)


STORES: Final = {"postgres": _postgres, "clickhouse": _clickhouse}


@pytest.fixture(params=CHOSEN)
async def stored(
    request: pytest.FixtureRequest, make_database: MakeDatabase, clock: FakeClock
) -> AsyncIterator[StoreUnderTest]:
    """Yield an empty store."""
    async with STORES[request.param](request, await make_database("usage"), clock) as store:
        yield store
