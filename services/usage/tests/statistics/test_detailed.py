"""Totals and rows of one answer, and what PostgreSQL does for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import product
from typing import TypeAlias

import asyncpg
import pytest

from servicekit.testing import FakeClock
from services.usage.ingest import Ingest
from services.usage.statistics.detailed import DetailedStatistics
from services.usage.statistics.domain.detailed_stats import Grouping, Period
from services.usage.statistics.domain.figures import Figures
from services.usage.statistics.domain.query import Bucket, Dimension
from services.usage.statistics.store import StatisticsStore
from services.usage.tests.statistics.samples import BEGIN, END, sample

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
PERIOD = Period(BEGIN + timedelta(minutes=7), END, "Europe/Moscow")
DIVIDED = [
    Grouping(Bucket.DAY, (Dimension.MODEL,)),
    Grouping(Bucket.DAY, (Dimension.KEY, Dimension.APP), top=1),
    Grouping(Bucket.WEEK, (Dimension.TAG,)),
    Grouping(group_by=(Dimension.VERSION,), quantiles=True),
    Grouping(Bucket.HOUR, filters={Dimension.STATUS: ("failed",)}),
    Grouping(Bucket.DAY, (Dimension.MODEL,), limit=1),
]
# Of the statements that this connection keeps: how often each was planned for its values.
PLANNED_EACH_TIME = """
    SELECT sum(custom_plans)::int
    FROM pg_prepared_statements
    WHERE statement LIKE '%usage.rollup_hour_{}%'
"""


@pytest.fixture
async def statistics(pool: Pool, ingest: Ingest, clock: FakeClock) -> DetailedStatistics:
    """Return the statistics of requests some of which have several tags, others none."""
    tags: tuple[dict[str, str], ...] = ({}, {"team": "a"}, {"team": "a", "job": "b"})
    await ingest.record([replace(each, metadata=tags[n % 3]) for n, each in enumerate(sample(120))])
    return DetailedStatistics(StatisticsStore(pool), clock=clock)


async def test_a_total_is_that_of_the_period_however_it_is_divided(statistics: DetailedStatistics) -> None:
    """Also where a request is in two groups, where rows are folded, and where only some of them are shown."""
    for whose, grouping in product(("user-1", None), DIVIDED):
        period = replace(PERIOD, since=END - timedelta(days=5)) if grouping.bucket is Bucket.HOUR else PERIOD
        found = await statistics.of(whose, period, grouping)

        alone = await statistics.of(whose, period, Grouping(filters=grouping.filters, quantiles=grouping.quantiles))
        assert found.total == alone.total, grouping
        assert found.total.requests > 0
        assert found.rows
        assert alone.rows == ()


async def test_a_user_without_requests_has_a_total_of_nothing(statistics: DetailedStatistics) -> None:
    found = await statistics.of("nobody", PERIOD, Grouping(Bucket.DAY, (Dimension.MODEL,)))

    assert (found.rows, found.total) == ((), Figures())


async def test_questions_to_the_sums_of_one_user_are_planned_once(statistics: DetailedStatistics, pool: Pool) -> None:
    """Planning one takes longer than answering it. How everybody's sums are read depends on the period."""
    for days in (1, 2, 3):
        period = replace(PERIOD, since=END - timedelta(days=days))
        await statistics.of("user-1", period, Grouping(Bucket.DAY, (Dimension.MODEL,)))
        await statistics.of(None, period, Grouping(Bucket.DAY, (Dimension.MODEL,)))

    assert await pool.fetchval(PLANNED_EACH_TIME.format("user")) == 0
    assert await pool.fetchval(PLANNED_EACH_TIME.format("platform")) == 3
