"""Which questions stay in PostgreSQL though there is a column store: those whose sums do not grow with requests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from services.usage.column_store.choosing import PlatformFirst
from services.usage.statistics.domain.figures import Row
from services.usage.statistics.domain.query import Bucket, Dimension, Query
from services.usage.statistics.domain.request_line import LogQuery, RequestLine
from services.usage.tests.column_store.opened import NoPostgres, PostgresMustNotBeAsked
from services.usage.tests.statistics.samples import BEGIN, END

TOTAL = Query(None, BEGIN, END, "Europe/Moscow", quantiles=True)


class Columns:
    """Stands where the column store would answer, and has nothing."""

    async def figures(self, query: Query) -> Sequence[Row]:
        return []

    async def figures_together(self, queries: Sequence[Query]) -> Sequence[Sequence[Row]]:
        return [[] for _ in queries]

    async def request_lines(self, query: LogQuery) -> Sequence[RequestLine]:
        return []


READER = PlatformFirst(Columns(), NoPostgres())


@pytest.mark.parametrize(
    "query",
    [
        TOTAL,
        replace(TOTAL, bucket=Bucket.HOUR, group_by=(Dimension.MODEL,)),
        replace(TOTAL, bucket=Bucket.WEEK, group_by=(Dimension.ENDPOINT, Dimension.ERROR)),
        replace(TOTAL, filters={Dimension.STATUS: ("failed",)}),
    ],
    ids=["total", "hours by model", "weeks by endpoint and error", "what failed"],
)
async def test_sums_of_the_platform_are_read_where_they_are_few(query: Query) -> None:
    """Everybody's by model, version, status, endpoint or error: as many sums with a billion requests as with ten."""
    with pytest.raises(PostgresMustNotBeAsked):
        await READER.figures(query)


@pytest.mark.parametrize(
    "query",
    [
        replace(TOTAL, user_id="user-1"),
        replace(TOTAL, group_by=(Dimension.KEY, Dimension.APP)),
        replace(TOTAL, group_by=(Dimension.TAG,)),
        replace(TOTAL, group_by=(Dimension.USER,), top=20),
        replace(TOTAL, filters={Dimension.TAG: ("team=red",)}),
        replace(TOTAL, group_by=(Dimension.MODEL, Dimension.KEY)),
    ],
    ids=["one user's", "by key", "by tag", "by user", "with a tag", "by model and key"],
)
async def test_what_grows_with_requests_is_asked_of_the_column_store(query: Query) -> None:
    """Also the other figures of an answer with one such question: they are of one moment."""
    assert await READER.figures(query) == []
    assert await READER.figures_together([TOTAL, query]) == [[], []]
    assert await READER.request_lines(LogQuery(None, BEGIN, END)) == []
