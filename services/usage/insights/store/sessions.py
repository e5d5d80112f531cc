"""Connections that see the rows of one user, or of all users (row security)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import asyncpg

from services.usage.store.connection import EVERYBODY, Connection, connection_of

# One analysis of a user of a million requests a month scans them a few times; nobody waits for it.
SCAN_TIMEOUT_S: Final = 60.0


class Sessions:
    """A pool whose connections set the user whose rows they see; a lost PostgreSQL is `Unavailable`."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self._pool = pool

    @asynccontextmanager
    async def of(self, user_id: str) -> AsyncIterator[Connection]:
        """Yield a transaction of one user."""
        async with connection_of(self._pool, user_id) as connection, connection.transaction():
            yield connection

    @asynccontextmanager
    async def of_everybody(self) -> AsyncIterator[Connection]:
        """Yield a transaction that sees all rows: for jobs."""
        async with self.of(EVERYBODY) as connection:
            yield connection
