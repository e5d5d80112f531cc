"""Chooses which store answers: the column store if it is complete and up to date, else PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Final, TypeVar

import structlog

from servicekit.clock import Clock
from servicekit.errors import Unavailable
from services.usage.catalog_facts.domain.facts import Facts
from services.usage.column_store import metrics
from services.usage.column_store.column_reader import ColumnReader
from services.usage.column_store.feed_store import FeedStore, read_state
from services.usage.column_store.pattern_sums import ColumnSums
from services.usage.insights.domain.material import HourUse, Material
from services.usage.insights.material_reader import ReadsMaterial
from services.usage.statistics.answering import pages
from services.usage.statistics.domain.figures import Row
from services.usage.statistics.domain.query import Query
from services.usage.statistics.domain.request_line import LogQuery, RequestLine
from services.usage.statistics.reader import OpensSnapshots, ReadsSnapshot, ReadsUsage
from services.usage.statistics.store.sources import is_of_platform
from services.usage.store.connection import Connection

T = TypeVar("T")
S = TypeVar("S")
log = structlog.get_logger()
# So long PostgreSQL alone is asked when ClickHouse did not answer.
AWAY_S: Final = 5.0


class Chooser:
    """Asks the column store if it may answer, and PostgreSQL if it may not or does not answer in time.

    `question_timeout_s`: it leaves PostgreSQL enough of what the caller has.
    """

    def __init__(self, feed: FeedStore, *, behind_max_s: float, question_timeout_s: float, clock: Clock) -> None:
        self._feed = feed
        self._behind_max_s = behind_max_s
        self._question_timeout_s = question_timeout_s
        self._clock = clock
        self._again_at = 0.0
        self._is_doubted = False

    async def ask(
        self,
        columns: Callable[[int], Awaitable[T]],
        postgres: Callable[[], Awaitable[S]],
        connection: Connection | None = None,
    ) -> T | S:
        """Return the answer of one of both; `columns` is given the newest number of the feed that counts.

        `connection`: that of a caller who has one already. Who holds one and waits for another keeps it from those who
        wait for that as well: with as many as a pool has, nobody gets on.
        """
        number = await self.number(connection)
        if number is not None:
            try:
                async with asyncio.timeout(self._question_timeout_s):
                    answered = await columns(number)
            except Unavailable:
                # The engine said what was wrong.
                self._stand_aside()
            except TimeoutError:
                log.warning("usage.column_store_slow", waited_s=self._question_timeout_s)
                self._stand_aside()
            else:
                self._is_doubted, self._again_at = False, 0.0
                metrics.ANSWERS.labels("clickhouse").inc()
                return answered
        metrics.ANSWERS.labels("postgres").inc()
        return await postgres()

    def _stand_aside(self) -> None:
        self._is_doubted = True
        self._again_at = self._clock.monotonic() + AWAY_S

    async def number(self, connection: Connection | None = None) -> int | None:
        """Return the newest number of the feed that counts; None: the column store may not answer."""
        now = self._clock.monotonic()
        if now < self._again_at:
            return None
        if self._is_doubted:
            # One question tries whether it is back. The others need not wait with it.
            self._again_at = now + self._question_timeout_s + AWAY_S
        state = await (self._feed.state() if connection is None else read_state(connection))
        may_answer = state.is_on and state.is_filled and state.behind_s <= self._behind_max_s
        if not may_answer:
            self._again_at = now
            return None
        return state.feed


class ChosenReader:
    """Figures and lines from the column store, or from PostgreSQL."""

    def __init__(self, chooser: Chooser, columns: ColumnReader, postgres: ReadsUsage) -> None:
        self._chooser = chooser
        self._columns = columns
        self._postgres = postgres

    async def figures(self, query: Query) -> Sequence[Row]:
        """Return a row for each group and bucket in which there was a request, by bucket, then by group."""
        (rows,) = await self.figures_together([query])
        return rows

    async def figures_together(self, queries: Sequence[Query]) -> Sequence[Sequence[Row]]:
        """Return the figures of each question, in order, all of one moment."""

        async def columns(number: int) -> Sequence[Sequence[Row]]:
            return [await self._columns.figures(query, number) for query in queries]

        return await self._chooser.ask(columns, lambda: self._postgres.figures_together(queries))

    async def request_lines(self, query: LogQuery) -> Sequence[RequestLine]:
        """Return a page of the log of requests."""
        return await self._chooser.ask(
            lambda number: self._columns.request_lines(query, number), lambda: self._postgres.request_lines(query)
        )


class PlatformFirst:
    """Answers platform-wide questions from PostgreSQL's sums, which do not grow with requests; else asks the reader."""

    def __init__(self, reader: ReadsUsage, postgres: ReadsUsage) -> None:
        self._reader = reader
        self._postgres = postgres

    async def figures(self, query: Query) -> Sequence[Row]:
        """Return a row for each group and bucket in which there was a request, by bucket, then by group."""
        (rows,) = await self.figures_together([query])
        return rows

    async def figures_together(self, queries: Sequence[Query]) -> Sequence[Sequence[Row]]:
        """Return the figures of each question, in order, all of one moment and from one store."""
        reader = self._postgres if all(map(is_of_platform, queries)) else self._reader
        return await reader.figures_together(queries)

    async def request_lines(self, query: LogQuery) -> Sequence[RequestLine]:
        """Return a page of the log of requests."""
        return await self._reader.request_lines(query)


class ColumnSnapshot:
    """A consistent view of one user's rows as of one number of the feed."""

    def __init__(self, columns: ColumnReader, user_id: str, number: int) -> None:
        self._columns = columns
        self._user_id = user_id
        self._number = number

    async def figures(self, query: Query) -> Sequence[Row]:
        """Return a row for each group and bucket in which there was a request."""
        return await self._columns.figures(replace(query, user_id=self._user_id), self._number)

    def requests(self, query: Query, size: int) -> AsyncIterator[Sequence[RequestLine]]:
        """Yield the requests, earliest first, at most `size` at a time."""
        page_of = partial(self._columns.request_lines, feed=self._number)
        return pages(replace(query, user_id=self._user_id), size, page_of)


class ChosenSnapshots:
    """Snapshots for reports, of the column store or of PostgreSQL."""

    def __init__(self, chooser: Chooser, columns: ColumnReader, postgres: OpensSnapshots) -> None:
        self._chooser = chooser
        self._columns = columns
        self._postgres = postgres

    @asynccontextmanager
    async def open(self, user_id: str) -> AsyncIterator[ReadsSnapshot]:
        """Yield a snapshot of the rows of one user; it raises `Unavailable` when its store goes away meanwhile."""
        number = await self._chooser.ask(self._columns.check, _nobody)
        if number is None:
            async with self._postgres.open(user_id) as snapshot:
                yield snapshot
        else:
            yield ColumnSnapshot(self._columns, user_id, number)


async def _nobody() -> None:
    return None


class ChosenMaterial:
    """The input of pattern detection, from the column store or from PostgreSQL."""

    def __init__(self, chooser: Chooser, columns: ColumnSums, postgres: ReadsMaterial) -> None:
        self._chooser = chooser
        self._columns = columns
        self._postgres = postgres

    async def hours(self, connection: Connection, user_id: str, since: datetime) -> Sequence[HourUse]:
        """Return the hours with requests since a moment."""
        return await self._chooser.ask(
            lambda number: self._columns.hours(user_id, since, number),
            lambda: self._postgres.hours(connection, user_id, since),
            connection,
        )

    async def material(self, connection: Connection, user_id: str, facts: Facts, now: datetime) -> Material:
        """Return the sums of one user's last weeks."""
        return await self._chooser.ask(
            lambda number: self._columns.material(user_id, facts, now, number),
            lambda: self._postgres.material(connection, user_id, facts, now),
            connection,
        )
