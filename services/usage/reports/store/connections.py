"""Connections that see the rows of one user, or of all."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from servicekit.postgres import database_errors
from services.usage.store.connection import Connection
from services.usage.store.usage_store import EVERYBODY, NAME_USER


@asynccontextmanager
async def connection_of(pool: asyncpg.Pool[asyncpg.Record], whose: str = EVERYBODY) -> AsyncIterator[Connection]:
    """Yield a connection in the name of a user; the pool forgets the name when it comes back.

    Raises:
        Unavailable: PostgreSQL cannot be used.
    """
    with database_errors():
        async with pool.acquire() as connection:
            await connection.execute(NAME_USER, whose)
            yield connection
