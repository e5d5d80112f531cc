"""Delivers revocations to the gateways: pushed at once, and again by a sweep until Redis has taken them.

The truth is the database, where the revocation is committed first. Redis being down delays the push; the gateways'
caches, which live a few seconds, bound what that can do.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import structlog

from servicekit.clock import Clock
from servicekit.errors import ServiceError
from services.auth.shared import metrics
from services.auth.shared.cache.revocation_channel import RevocationChannel
from services.auth.shared.domain.revocation import Revocation
from services.auth.shared.store.revocations import RevocationStore

log = structlog.get_logger()

BATCH: Final = 1000


class RevocationFeed:
    """Tells the gateways what ended."""

    def __init__(self, store: RevocationStore, channel: RevocationChannel, *, clock: Clock) -> None:
        self._store = store
        self._channel = channel
        self._clock = clock

    async def announce(self, revocation: Revocation) -> None:
        """Push a committed revocation. Never fails: what cannot be pushed now is left to the sweep."""
        try:
            await self._publish([revocation])
        except ServiceError as exc:
            log.warning("auth.revocation_waits", kind=str(revocation.kind), reason=exc.reason.value)

    async def sweep(self) -> None:
        """Push what is still unpublished, and everything recent when Redis has lost its memory.

        Raises:
            Unavailable: PostgreSQL or Redis is down.
        """
        waiting = await self._store.read_unpublished(BATCH)
        metrics.REVOCATIONS_WAITING.set(len(waiting))
        if waiting:
            await self._publish(waiting)
            metrics.REVOCATIONS_WAITING.set(0)
        if not await self._channel.holds_history():
            await self._restore()

    async def forget(self) -> None:
        """Delete revocations that nothing can outlive any more."""
        await self._store.forget_over(self._clock.now())

    async def _publish(self, revocations: Sequence[Revocation]) -> None:
        await self._channel.publish(revocations, self._clock.now())
        now = self._clock.now()
        for revocation in revocations:
            metrics.REVOCATION_PUBLISH_SECONDS.observe((now - revocation.at).total_seconds())
        await self._store.mark_published([revocation.number for revocation in revocations], now)

    async def _restore(self) -> None:
        now = self._clock.now()
        count, since, after = 0, datetime.fromtimestamp(0, UTC), 0
        while recent := await self._store.read_since(since, after, now, BATCH):
            await self._channel.publish(recent, now)
            count, since, after = count + len(recent), recent[-1].at, recent[-1].number
        await self._channel.note_history()
        log.info("auth.revocations_restored", count=count)
