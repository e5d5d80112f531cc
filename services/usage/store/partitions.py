"""Creates the monthly partitions of `usage.usage`, through a function that acts in the owner's name."""

from __future__ import annotations

from datetime import date
from typing import Final

import asyncpg

from services.usage.store.connection import Connection

ENSURE_MONTH: Final = "SELECT usage.ensure_month($1::date)"


async def ensure_month(connection: Connection, month: date) -> bool:
    """Make the month's partition if it is missing; tell whether it exists now.

    False is no failure: rows without a partition go to the default one, and a metric counts them there.
    """
    try:
        return bool(await connection.fetchval(ENSURE_MONTH, month))
    except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
        return False


COUNT_STRAYS: Final = "SELECT count(*) FROM usage.usage_default"


async def count_strays(connection: Connection) -> int:
    """Return how many rows lie in the default partition."""
    return int(await connection.fetchval(COUNT_STRAYS))
