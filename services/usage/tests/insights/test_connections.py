"""However many ask at once, there is a connection for whoever needs one to get on."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import count
from typing import Any, TypeAlias

import asyncpg
import pytest

from servicekit.testing import FakeClock
from servicekit.testing.fake_clock import MIDDAY
from services.usage.column_store.choosing import Chooser, ChosenMaterial
from services.usage.column_store.feed_store import FeedStore
from services.usage.ingest import Ingest
from services.usage.insights.analysis import Asked
from services.usage.insights.material_reader import PostgresMaterial
from services.usage.settings import IngestSettings
from services.usage.store import UsageStore
from services.usage.tests.insights.assembled import insights_on
from services.usage.tests.insights.story import ROUBLE, Writer
from tools.testing.plugin import EVERYBODY, MakeDatabaseDsn

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
CONNECTIONS = 4
DAYS = 30


@pytest.fixture
async def small_pool(make_database_dsn: MakeDatabaseDsn) -> AsyncIterator[Pool]:
    """Yield a pool of few connections on a fresh database."""
    dsn = await make_database_dsn("usage")
    async with asyncpg.create_pool(dsn, min_size=0, max_size=CONNECTIONS, server_settings=EVERYBODY) as opened:
        yield opened
        opened.terminate()


async def test_as_many_analyses_as_connections_tell_of_what_is_new(small_pool: Pool, clock: FakeClock) -> None:
    """Each holds one while it tells, which takes another."""
    ingest = Ingest(UsageStore(small_pool), IngestSettings(), clock=clock, rng=random.Random(1))
    users = [f"user-{number}" for number in range(2 * CONNECTIONS)]
    told = []
    for user, numbers in zip(users, count(1, 10_000), strict=False):
        writer = Writer(user, count(numbers))
        days = [MIDDAY - timedelta(days=DAYS - number) for number in range(DAYS)]
        costs = [*[300 + 10 * (day % 2) for day in range(DAYS - 1)], 900]
        rows = [writer.row(day, cost_micro_rub=cost * ROUBLE) for day, cost in zip(days, costs, strict=True)]
        assert not (await ingest.record(rows)).rejected

    async def tell(user_id: str, *_: Any, **__: Any) -> int:
        told.append(user_id)
        return int(await small_pool.fetchval("SELECT count(*) FROM usage.notification_rules"))

    insights = insights_on(small_pool, tell, clock=clock)
    async with asyncio.timeout(60):
        await asyncio.gather(*(insights.analysis.patterns(user, Asked()) for user in users))

    assert sorted(told) == users


async def test_asking_which_store_answers_takes_no_second_connection(
    make_database_dsn: MakeDatabaseDsn, clock: FakeClock
) -> None:
    """Whoever looks for patterns holds one already."""
    dsn = await make_database_dsn("usage")
    async with asyncpg.create_pool(dsn, min_size=0, max_size=1, server_settings=EVERYBODY) as pool:
        chooser = Chooser(FeedStore(pool), behind_max_s=60.0, question_timeout_s=5.0, clock=clock)
        columns: Any = None
        material = ChosenMaterial(chooser, columns, PostgresMaterial())

        async def tell(*_: Any, **__: Any) -> int:
            return 0

        insights = insights_on(pool, tell, material, clock=clock)
        async with asyncio.timeout(60):
            found = await insights.analysis.patterns("user-1", Asked())
        pool.terminate()

    assert found.findings == ()
