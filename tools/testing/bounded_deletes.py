"""A database in which no statement may delete, or change, more than so many rows of a table."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, TypeAlias

import asyncpg

from tools.testing.databases import Databases

Admin: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
BOUND: Final = """
CREATE FUNCTION public.bound_{event}_{name}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT count(*) FROM gone) > {most} THEN
        RAISE EXCEPTION 'one {event} touches too much of {table}';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER bound_{event} AFTER {event} ON {table} REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION public.bound_{event}_{name}()
"""


@asynccontextmanager
async def admin_of(pool: asyncpg.Pool[asyncpg.Record], databases: Databases) -> AsyncIterator[Admin]:
    """Yield a connection to the pool's database that may do anything."""
    name = await pool.fetchval("SELECT current_database()")
    connection: Admin = await asyncpg.connect(databases.admin_dsn_of(databases.dsn("router", name)))
    try:
        yield connection
    finally:
        await connection.close()


async def bound_deletes(admin: Admin, table: str, most: int) -> None:
    """Refuse statements that delete more than `most` rows of a table, such as `router.files`."""
    await _bound(admin, "delete", table, most)


async def bound_updates(admin: Admin, table: str, most: int) -> None:
    """Refuse statements that change more than `most` rows of a table."""
    await _bound(admin, "update", table, most)


async def _bound(admin: Admin, event: str, table: str, most: int) -> None:
    await admin.execute(BOUND.format(event=event, table=table, name=table.replace(".", "_"), most=most))
