"""Deletes files and batches of applications that have ended: nobody else could find them, and they take up quota."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import structlog

from servicekit.clock import Clock
from servicekit.errors import invalid_parameter
from servicekit.postgres import database_errors
from services.router.batches.store.applications import ApplicationStore

log = structlog.get_logger()

MOST_AT_ONCE: Final = 500


class Applications:
    """Lists applications by their grants, and deletes what they own. The caller knows which have ended."""

    def __init__(self, store: ApplicationStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def page(self, after: str, limit: int) -> list[str]:
        """Return those that have something here, in order."""
        with database_errors():
            return await self._store.page(after, max(1, min(limit, MOST_AT_ONCE)))

    async def end(self, applications: Sequence[str]) -> None:
        """Delete what ended applications have; what runs is finished first, and deleted when this is said again.

        Raises:
            InvalidRequest: these are too many at once.
        """
        if len(applications) > MOST_AT_ONCE:
            text = f"End {MOST_AT_ONCE} at most."
            raise invalid_parameter("applications", text)
        with database_errors():
            for batch_id in await self._store.cancel_batches(applications, self._clock.now()):
                log.info("batches.cancelled_with_its_application", batch=batch_id)
            await self._store.remove(applications)
