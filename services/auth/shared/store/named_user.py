"""Sets the user whose rows a transaction may see: row security (migration 0146), besides the owner in each WHERE."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, TypeAlias

import asyncpg

from servicekit.postgres import database_errors

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

Connection: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"
EVERYBODY: Final = "*"
# Until the transaction ends: a connection that goes back to the pool names nobody.
NAME_USER: Final = """
SELECT set_config('razvilka.user', $1, true)
"""


@asynccontextmanager
async def rows_of(connection: Connection, user_id: str) -> AsyncIterator[None]:
    """Keep the block, which is in a transaction, to one user's rows; what fails in it fails the transaction."""
    await connection.execute(NAME_USER, user_id)
    yield
    await connection.execute(NAME_USER, EVERYBODY)


@asynccontextmanager
async def reading_rows_of(pool: asyncpg.Pool[asyncpg.Record], user_id: str) -> AsyncIterator[Connection]:
    """Yield a connection that sees one user's rows, at one moment, and changes none.

    Raises:
        Unavailable: the database cannot be used now.
    """
    with database_errors():
        async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
            await connection.execute(NAME_USER, user_id)
            yield connection
