"""The interface that reads figures and the request log, independent of the store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from services.usage.statistics.domain.figures import Row
from services.usage.statistics.domain.query import Query
from services.usage.statistics.domain.request_line import LogQuery, RequestLine


class StatisticsReader(Protocol):
    """Answers questions from rows and rollups; each method raises `Unavailable` while the store is away."""

    async def figures(self, query: Query) -> Sequence[Row]:
        """Return a row for each group and bucket in which there was a request, by bucket, then by group.

        Durations are None unless the query asks for quantiles.
        """
        ...


class ReadsTogether(StatisticsReader, Protocol):
    """Answers several questions consistently: a concurrent write is in all answers or in none."""

    async def figures_together(self, queries: Sequence[Query]) -> Sequence[Sequence[Row]]:
        """Return the figures of each question, in order."""
        ...


class ReadsLog(Protocol):
    """Reads the request log."""

    async def request_lines(self, query: LogQuery) -> Sequence[RequestLine]:
        """Return the lines that follow the position of the query, at most `limit`, in its order."""
        ...


class ReadsUsage(ReadsTogether, ReadsLog, Protocol):
    """Reads both."""


class ReadsSnapshot(Protocol):
    """Reads one user's rows as of one moment."""

    async def figures(self, query: Query) -> Sequence[Row]:
        """Return a row for each group and bucket in which there was a request."""
        ...

    def requests(self, query: Query, size: int) -> AsyncIterator[Sequence[RequestLine]]:
        """Yield the requests, earliest first, at most `size` at a time; memory holds no more than that."""
        ...


class OpensSnapshots(Protocol):
    """Opens snapshots."""

    def open(self, user_id: str) -> AbstractAsyncContextManager[ReadsSnapshot]:
        """Return a snapshot of the rows of one user; it raises `Unavailable` while its store cannot be used."""
        ...
