"""Connections that set the user whose rows they may see (row security)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import asyncpg

from servicekit.errors import invalid_parameter
from services.usage.store.connection import EVERYBODY, Connection, connection_of

LONGEST_ID: Final = 256


class Sessions:
    """Lends connections of a pool. Each method raises `Unavailable` while PostgreSQL cannot be reached."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self._pool = pool

    @asynccontextmanager
    async def of(self, user_id: str) -> AsyncIterator[Connection]:
        """Yield a connection in a transaction that sees one user's rows.

        Raises:
            InvalidRequest: nobody has this name.
        """
        if user_id in ("", EVERYBODY) or len(user_id) > LONGEST_ID or "\0" in user_id:
            raise invalid_parameter("user_id", "user_id is missing or malformed.")
        async with connection_of(self._pool, user_id) as connection, connection.transaction():
            yield connection

    @asynccontextmanager
    async def of_everybody(self) -> AsyncIterator[Connection]:
        """Yield one that sees all: for what nobody asked for by name."""
        async with connection_of(self._pool) as connection, connection.transaction():
            yield connection

    @asynccontextmanager
    async def for_upkeep(self) -> AsyncIterator[Connection]:
        """Yield one that sees all, outside of a transaction: what was done stays done, whatever becomes of the rest."""
        async with connection_of(self._pool) as connection:
            yield connection
