"""Says again and again that the request that has a key is being answered, so that no retry takes it over."""

from __future__ import annotations

import asyncio

import structlog

from servicekit.errors import ServiceError, name_of
from servicekit.lifecycle import Background
from services.gateway.clients.kept.idempotency import IdempotencyStore, Record

log = structlog.get_logger()


class Lease:
    """Renewed three times as often as it ends, until `end`. A timer: most answers are there before its first tick."""

    def __init__(self, record: Record, store: IdempotencyStore, tasks: Background, *, lease_s: float) -> None:
        self._record = record
        self._store = store
        self._tasks = tasks
        self._every_s = lease_s / 3
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(self._every_s, self._tick)

    def end(self) -> None:
        """Renew it no longer."""
        self._timer.cancel()

    def _tick(self) -> None:
        self._tasks.start(self._renew(), name="idempotency.renew")
        self._timer = self._loop.call_later(self._every_s, self._tick)

    async def _renew(self) -> None:
        try:
            await self._store.renew(self._record)
        except ServiceError as exc:
            log.warning("idempotency.not_renewed", request_id=self._record.owner, error=name_of(exc))
