"""Connections: of its own, or borrowed from a pool in the name of a user, or of all."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from servicekit.postgres import database_errors

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"
# The policies of row security let a session see nothing before it says whose rows it is for. No user has this name.
EVERYBODY: Final = "*"
NAME_USER: Final = "SELECT set_config('razvilka.user', $1, false)"


@asynccontextmanager
async def connection_of(pool: "asyncpg.Pool[asyncpg.Record]", whose: str = EVERYBODY) -> AsyncIterator[Connection]:
    """Yield a connection that sees the rows of one user, or of all; the pool forgets the name when it comes back.

    Raises:
        Unavailable: PostgreSQL cannot be used.
    """
    with database_errors():
        async with pool.acquire() as connection:
            await connection.execute(NAME_USER, whose)
            yield connection
