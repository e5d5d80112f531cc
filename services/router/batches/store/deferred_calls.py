"""Table `deferred_calls`: calls that providers answer later. Implements `providers.provider.DeferredCalls`."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import structlog

from servicekit.clock import Clock
from servicekit.errors import name_of
from servicekit.postgres import UNUSABLE, database_errors, in_pieces
from services.router.store import Connection, Pool

log = structlog.get_logger()


class DeferredCallStore:
    """Names of providers' operations. Methods raise Unavailable when PostgreSQL cannot be used, but for `keep`."""

    def __init__(self, pool: Pool | Connection, clock: Clock) -> None:
        self._pool = pool
        self._clock = clock
        # What a provider has taken while PostgreSQL was away.
        self._unwritten: dict[str, str] = {}

    FIND_CALL: Final = """
SELECT operation
FROM router.deferred_calls
WHERE id = $1
"""

    async def find(self, deferral: str) -> str | None:
        """Return the provider's name for a call, None: it was not asked yet."""
        if (unwritten := self._unwritten.get(deferral)) is not None:
            return unwritten
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
        """Remember that a provider has taken a call: it is billed, and must not fail because it cannot be written down.

        What PostgreSQL does not take now is known to this process alone, and written with the next one.
        """
        self._unwritten[deferral] = operation
        try:
            for known, name in list(self._unwritten.items()):
                if self._unwritten.get(known) != name:
                    # Written by another of these meanwhile, or forgotten.
                    continue
                await self._pool.execute(self.KEEP_CALL, known, name, self._clock.now())
                if self._unwritten.get(known) == name:
                    del self._unwritten[known]
        except UNUSABLE as exc:
            log.warning("batches.deferred_not_written", calls=len(self._unwritten), error=name_of(exc))

    FORGET_CALL: Final = """
DELETE FROM router.deferred_calls
WHERE id = $1
"""

    async def forget(self, deferral: str) -> None:
        """Have a call asked anew."""
        self._unwritten.pop(deferral, None)
        with database_errors():
            await self._pool.execute(self.FORGET_CALL, deferral)

    REMOVE_OLD: Final = """
DELETE FROM router.deferred_calls
WHERE id IN (
    SELECT id
    FROM router.deferred_calls
    WHERE created_at < $1
    ORDER BY created_at
    LIMIT $2
)
"""

    async def remove_older(self, than: datetime) -> None:
        """Forget what providers keep no longer."""
        await in_pieces(self._pool, self.REMOVE_OLD, than)
