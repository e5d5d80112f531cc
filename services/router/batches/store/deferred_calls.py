"""Table `deferred_calls`: what providers have taken and answer later. It fits `providers.provider.DeferredCalls`."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from servicekit.clock import Clock
from servicekit.postgres import database_errors
from services.router.store import Pool


class DeferredCallStore:
    """Names of providers' operations. Methods raise Unavailable when PostgreSQL cannot be used."""

    def __init__(self, pool: Pool, clock: Clock) -> None:
        self._pool = pool
        self._clock = clock

    FIND_CALL: Final = """
SELECT operation
FROM router.deferred_calls
WHERE id = $1
"""

    async def find(self, deferral: str) -> str | None:
        """Return the provider's name for a call, None: it was not asked yet."""
        with database_errors():
            found: str | None = await self._pool.fetchval(self.FIND_CALL, deferral)
        return found

    KEEP_CALL: Final = """
INSERT INTO router.deferred_calls (id, operation, created_at)
VALUES ($1, $2, $3)
ON CONFLICT (id) DO UPDATE
SET operation = excluded.operation,
    created_at = excluded.created_at
"""

    async def keep(self, deferral: str, operation: str) -> None:
        """Remember that a provider has taken a call."""
        with database_errors():
            await self._pool.execute(self.KEEP_CALL, deferral, operation, self._clock.now())

    FORGET_CALL: Final = """
DELETE FROM router.deferred_calls
WHERE id = $1
"""

    async def forget(self, deferral: str) -> None:
        """Have a call asked anew."""
        with database_errors():
            await self._pool.execute(self.FORGET_CALL, deferral)

    REMOVE_OLD: Final = """
DELETE FROM router.deferred_calls
WHERE created_at < $1
"""

    async def remove_older(self, than: datetime) -> None:
        """Forget what providers keep no longer."""
        await self._pool.execute(self.REMOVE_OLD, than)
