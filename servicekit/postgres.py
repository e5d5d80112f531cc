"""PostgreSQL pools: plain asyncpg, opened from settings."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from servicekit.settings import PostgresSettings


@asynccontextmanager
async def open_pool(settings: PostgresSettings) -> AsyncIterator[asyncpg.Pool]:
    """Yield a pool as the service's own role; every statement has a time limit.

    The pool opens its first connection when it is used, so a service starts (not ready) while PostgreSQL is down.
    """
    pool = await asyncpg.create_pool(
        settings.dsn.get_secret_value(),
        min_size=0,
        max_size=settings.pool_max,
        timeout=settings.connect_timeout_s,
        command_timeout=settings.statement_timeout_s,
        max_inactive_connection_lifetime=300.0,
    )
    try:
        yield pool
    finally:
        # close() waits for ever when a connection hangs; the process is ending anyway.
        pool.terminate()


async def is_alive(pool: asyncpg.Pool) -> bool:
    """Tell whether PostgreSQL answers within a second."""
    try:
        await pool.fetchval("SELECT 1", timeout=1.0)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return False
    return True
