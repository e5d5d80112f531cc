"""One snapshot of a user's usage rows; everything in a report is read from it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

import asyncpg

from services.usage.statistics.answering import pages
from services.usage.statistics.domain.figures import Row
from services.usage.statistics.domain.query import Query
from services.usage.statistics.domain.request_line import RequestLine
from services.usage.statistics.store.request_log import read_page
from services.usage.statistics.store.statistics_store import answer
from services.usage.store.connection import Connection, connection_of


class Snapshot:
    """A consistent view of one moment; uses the statements of statistics."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def figures(self, query: Query) -> Sequence[Row]:
        """Return a row for each group and bucket in which there was a request."""
        return await answer(self._connection, query)

    def requests(self, query: Query, size: int) -> AsyncIterator[Sequence[RequestLine]]:
        """Yield the requests, earliest first, at most `size` at a time; memory holds no more than that."""
        return pages(query, size, partial(read_page, self._connection))


class Snapshots:
    """Opens snapshots, from a pool whose statements may take longer than those of requests."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self._pool = pool

    @asynccontextmanager
    async def open(self, user_id: str) -> AsyncIterator[Snapshot]:
        """Yield a snapshot of the rows of one user; it raises `Unavailable` while PostgreSQL cannot be used."""
        async with (
            connection_of(self._pool, user_id) as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            yield Snapshot(connection)
