"""Connections that have said whose rows they are for: row security shows a session nothing before that."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import asyncpg

from servicekit.errors import ErrorReason, InvalidRequest
from servicekit.postgres import database_errors
from services.usage.store.connection import Connection
from services.usage.store.usage_store import EVERYBODY, NAME_USER

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
            raise InvalidRequest(ErrorReason.INVALID_PARAMETERS, "user_id is missing or malformed.", param="user_id")
        async with self._opened(user_id) as connection:
            yield connection

    @asynccontextmanager
    async def of_everybody(self) -> AsyncIterator[Connection]:
        """Yield one that sees all: for what nobody asked for by name."""
        async with self._opened(EVERYBODY) as connection:
            yield connection

    @asynccontextmanager
    async def _opened(self, whose: str) -> AsyncIterator[Connection]:
        with database_errors():
            async with self._pool.acquire() as connection, connection.transaction():
                await connection.execute(NAME_USER, whose)
                yield connection
