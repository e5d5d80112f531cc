"""Answering a question from any store: buckets, pages, and the cost of a day."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import TypeAlias
from zoneinfo import ZoneInfo

from services.usage.statistics.domain.buckets import starts_of
from services.usage.statistics.domain.figures import Row
from services.usage.statistics.domain.query import Bucket, Query
from services.usage.statistics.domain.request_line import LogQuery, Position, RequestLine
from services.usage.statistics.reader import StatisticsReader

# Asks a store for the rows of a question whose buckets begin at these moments.
RowsOf: TypeAlias = Callable[[Query, list[datetime]], Awaitable[list[Row]]]
# Asks a store for a page of the log of requests.
PageOf: TypeAlias = Callable[[LogQuery], Awaitable[Sequence[RequestLine]]]


async def answer(query: Query, rows_of: RowsOf) -> list[Row]:
    """Return the figures of one question from what a store says."""
    if query.since >= query.until:
        return []
    starts = starts_of(query.bucket, query.zone, query.since, query.until) if query.bucket else [query.since]
    if query.limit:
        return await _page(query, starts, rows_of)
    return await rows_of(query, starts)


async def _page(query: Query, starts: list[datetime], rows_of: RowsOf) -> list[Row]:
    """Return the rows behind the position: from its bucket, then twice as many buckets each time, until it is full."""
    rows: list[Row] = []
    begin, many = bisect_right(starts, query.after.starts_at) - 1 if query.after else 0, 1
    part = query if begin >= 0 and query.group_by else replace(query, after=None)
    # Without groups a bucket has one row, which is behind us.
    begin = max(begin, 0) if query.group_by or query.after is None else begin + 1
    while begin < len(starts) and len(rows) < query.limit:
        end = begin + many
        since, until = max(query.since, starts[begin]), starts[end] if end < len(starts) else query.until
        part = replace(part, since=since, until=until, limit=query.limit - len(rows))
        rows += await rows_of(part, starts[begin:end])
        part, begin, many = replace(part, after=None), end, 2 * many
    return rows


async def pages(query: Query, size: int, page_of: PageOf) -> AsyncIterator[Sequence[RequestLine]]:
    """Yield the requests of a question, earliest first, at most `size` at a time; memory holds no more than that."""
    page = LogQuery(query.user_id, query.since, query.until, query.filters, oldest_first=True, limit=size)
    while lines := await page_of(page):
        yield lines
        page = replace(page, after=Position(lines[-1].created_at, lines[-1].request_id))


async def daily_cost(reader: StatisticsReader, user_id: str | None, zone: str, since: date, until: date) -> list[int]:
    """Return micro-roubles of each day in the zone, from `since` until before `until`, empty days too."""
    rows = await reader.figures(question_of_days(user_id, zone, since, until))
    return cost_of_days(rows, zone, since, until)


def question_of_days(user_id: str | None, zone: str, since: date, until: date) -> Query:
    """Return what to ask for the cost of each day in the zone, from `since` until before `until`."""
    area = ZoneInfo(zone)
    begin, end = (datetime.combine(day, time(), area) for day in (since, until))
    return Query(user_id, begin, end, zone, Bucket.DAY)


def cost_of_days(rows: Sequence[Row], zone: str, since: date, until: date) -> list[int]:
    """Return micro-roubles of each day from the answer to `question_of_days`, empty days too."""
    area = ZoneInfo(zone)
    cost = {row.starts_at.astimezone(area).date(): row.figures.cost_micro_rub for row in rows if row.starts_at}
    return [cost.get(since + timedelta(days=number), 0) for number in range((until - since).days)]
