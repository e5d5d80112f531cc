"""Questions that have more groups than anybody could be answered."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeAlias

import asyncpg
import pytest

from servicekit.errors import InvalidRequest
from servicekit.testing import FakeClock
from services.usage.ingest import Ingest
from services.usage.statistics.detailed import DetailedStatistics
from services.usage.statistics.domain.detailed_stats import Grouping, Period
from services.usage.statistics.domain.query import Bucket, Dimension
from services.usage.statistics.store import StatisticsStore
from services.usage.tests.statistics.samples import BEGIN, END, sample

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
PERIOD = Period(BEGIN, END, "Europe/Moscow")
MOST = 40


@pytest.fixture
async def statistics(
    pool: Pool, ingest: Ingest, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> DetailedStatistics:
    """Return the statistics of requests each of which has a tag of its own, where no more than `MOST` are given."""
    monkeypatch.setattr("services.usage.statistics.store.counting.MOST_ROWS", MOST)
    await ingest.record([replace(each, metadata={"trace": str(n)}) for n, each in enumerate(sample(120))])
    return DetailedStatistics(StatisticsStore(pool), clock=clock)


@pytest.mark.parametrize("whose", ["user-1", None])
@pytest.mark.parametrize(
    "grouping",
    [Grouping(group_by=(Dimension.TAG,)), Grouping(Bucket.DAY, (Dimension.TAG,), top=3)],
    ids=["all", "the largest"],
)
async def test_a_tag_for_each_request_is_refused_before_it_takes_all_memory(
    statistics: DetailedStatistics, whose: str | None, grouping: Grouping
) -> None:
    """The service that books requests would end with it."""
    with pytest.raises(InvalidRequest, match="gives more than 40 rows; ask for a shorter period") as caught:
        await statistics.of(whose, PERIOD, grouping)

    assert caught.value.param == "group_by"


async def test_fewer_of_them_are_answered_as_ever(statistics: DetailedStatistics) -> None:
    """And so is what has few by its kind, such as models."""
    few = Grouping(group_by=(Dimension.TAG,), filters={Dimension.TAG: ("trace=1", "trace=2")})

    tags = await statistics.of(None, PERIOD, few)
    models = await statistics.of(None, PERIOD, Grouping(Bucket.DAY, (Dimension.VERSION, Dimension.ERROR)))

    assert {"trace=1", "trace=2"} <= {row.group[0] for row in tags.rows}
    assert models.total.requests == sum(row.figures.requests for row in models.rows) == 120
