"""Transactions that survive meeting each other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

import asyncpg

from servicekit.errors import ErrorReason, Unavailable
from servicekit.postgres import database_errors

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

Connection: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
T = TypeVar("T")

# Deleting a client or user locks its rows in another order than issuing tokens does; PostgreSQL then ends one of the
# two, which has done nothing and can be done again.
ATTEMPTS: Final = 3


async def in_transaction(pool: Pool, work: Callable[[Connection], Awaitable[T]]) -> T:
    """Do the work in one transaction: all of it, or, when it raises, nothing.

    Raises:
        Unavailable: the database cannot be used now.
    """
    with database_errors():
        for _ in range(ATTEMPTS):
            try:
                async with pool.acquire() as connection, connection.transaction():
                    return await work(connection)
            except (asyncpg.DeadlockDetectedError, asyncpg.SerializationError):
                continue
    raise Unavailable(ErrorReason.DATABASE_ERROR, "The database is busy. Try again.", retry_after_s=1.0)
