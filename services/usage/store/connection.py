"""Connections: its own, or borrowed from a pool in the name of one user or of all."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from servicekit.errors import ErrorReason, Unavailable
from servicekit.postgres import database_errors

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"
# The policies of row security let a session see nothing before it says whose rows it is for. No user has this name.
EVERYBODY: Final = "*"
# PostgreSQL ended one of two that waited for each other: nothing of it is done, and it can be done again.
COLLIDED: Final = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
NAME_USER: Final = "SELECT set_config('razvilka.user', $1, false)"


@asynccontextmanager
async def connection_of(pool: "asyncpg.Pool[asyncpg.Record]", whose: str = EVERYBODY) -> AsyncIterator[Connection]:
    """Yield a connection that sees the rows of one user, or of all; the pool forgets the name when it comes back.

    Raises:
        Unavailable: PostgreSQL cannot be used, or ended what another transaction waited for.
    """
    try:
        with database_errors():
            async with pool.acquire() as connection:
                await connection.execute(NAME_USER, whose)
                yield connection
    except COLLIDED as exc:
        raise Unavailable(ErrorReason.DATABASE_ERROR, "The database is busy. Try again.", retry_after_s=1.0) from exc
