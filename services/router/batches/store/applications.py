"""Reads, from `files` and `batches`, the applications that own something."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from servicekit.postgres import in_pieces
from services.router.batches.store.files import REMOVED_AT_ONCE
from services.router.store import Pool


class ApplicationStore:
    """Files and batches by application. Methods raise what is in UNUSABLE."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    LIST_APPLICATIONS: Final = """
(
    SELECT DISTINCT application
    FROM router.files
    WHERE application <> '' AND application > $1
    ORDER BY application
    LIMIT $2
)
UNION
(
    SELECT DISTINCT application
    FROM router.batches
    WHERE application <> '' AND application > $1
    ORDER BY application
    LIMIT $2
)
ORDER BY application
LIMIT $2
"""

    async def page(self, after: str, most: int) -> list[str]:
        """Return the applications that have something, in order."""
        return [row["application"] for row in await self._pool.fetch(self.LIST_APPLICATIONS, after, most)]

    CANCEL_BATCHES: Final = """
UPDATE router.batches
SET status = 'cancelling', moments = moments || jsonb_build_object('cancelling_at', $2::bigint)
WHERE application <> '' AND application = ANY($1::text[]) AND status IN ('validating', 'in_progress')
RETURNING id
"""

    async def cancel_batches(self, applications: Sequence[str], now: datetime) -> list[str]:
        """Begin no further line of theirs; return the batches for which that is new."""
        rows = await self._pool.fetch(self.CANCEL_BATCHES, applications, int(now.timestamp()))
        return [row["id"] for row in rows]

    # One that has not ended has lines, which run or are being written down.
    REMOVE_BATCHES: Final = """
DELETE FROM router.batches
WHERE id IN (
    SELECT id
    FROM router.batches
    WHERE application <> '' AND application = ANY($1::text[])
        AND status IN ('failed', 'completed', 'expired', 'cancelled')
    LIMIT $2
    FOR UPDATE SKIP LOCKED
)
"""
    REMOVE_FILES: Final = """
DELETE FROM router.files
WHERE id IN (
    SELECT id
    FROM router.files
    WHERE application <> '' AND application = ANY($1::text[])
    LIMIT $2
    FOR UPDATE SKIP LOCKED
)
"""

    async def remove(self, applications: Sequence[str]) -> None:
        """Delete their files and those of their batches that have ended."""
        await in_pieces(self._pool, self.REMOVE_BATCHES, applications)
        await in_pieces(self._pool, self.REMOVE_FILES, applications, most=REMOVED_AT_ONCE)
