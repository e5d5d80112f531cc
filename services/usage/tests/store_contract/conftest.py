"""The stores under test: each is opened empty, keeps records and answers questions."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple

import pytest

from servicekit.testing import FakeClock
from services.usage.domain.record import UsageRecord
from services.usage.ingest import Ingest
from services.usage.settings import IngestSettings
from services.usage.statistics.reader import ReadsLog, ReadsTogether
from services.usage.statistics.store import StatisticsStore
from services.usage.store import UsageStore
from tools.testing.plugin import MakeDatabase


class StoreUnderTest(NamedTuple):
    """An empty store: `keep` stores records as a batch of a gateway is stored."""

    keep: Callable[[Sequence[UsageRecord]], Awaitable[None]]
    reader: ReadsTogether
    log: ReadsLog


async def _postgres(request: pytest.FixtureRequest, make_database: MakeDatabase, clock: FakeClock) -> StoreUnderTest:
    pool = await make_database("usage")
    ingest = Ingest(UsageStore(pool), IngestSettings(), clock=clock, rng=random.Random(7))

    async def keep(records: Sequence[UsageRecord]) -> None:
        outcome = await ingest.record(records)
        assert outcome.rejected == ()

    store = StatisticsStore(pool)
    return StoreUnderTest(keep, store, store)


STORES: Final = {"postgres": _postgres}


@pytest.fixture(params=STORES)
async def stored(request: pytest.FixtureRequest, make_database: MakeDatabase, clock: FakeClock) -> StoreUnderTest:
    """Return an empty store."""
    return await STORES[request.param](request, make_database, clock)
