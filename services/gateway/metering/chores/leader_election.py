"""One gateway at a time: a lock in Redis with a token and a life. The only module of metering that knows Redis.

The life is short and renewed while the work goes on: what a killed gateway was doing is taken up within seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import structlog
from redis.asyncio import Redis
from redis.asyncio.lock import Lock
from redis.exceptions import LockError

from servicekit.errors import ErrorReason, Unavailable, name_of
from servicekit.redis import LOST

log = structlog.get_logger()

LIFE_S: Final = 10.0
# How often a lock is renewed within its life.
RENEWALS: Final = 4


class LeaderElection:
    """Elects a leader for each chore."""

    def __init__(self, client: Redis) -> None:
        self._client = client

    @asynccontextmanager
    async def elected(self, chore: str, *, timeout_s: float) -> AsyncIterator[bool]:
        """Yield whether this process may do the chore now; the work is cut when the lock is no longer held.

        Raises:
            TimeoutError: the work took too long, or the lock was lost.
            Unavailable: Redis is lost.
        """
        life_s = min(LIFE_S, timeout_s)
        lock = self._client.lock(f"gw:elected:{chore}", timeout=life_s, blocking=False)
        if not await _acquire(lock):
            yield False
            return
        try:
            async with asyncio.timeout(timeout_s * 0.9) as limit:
                renewing = asyncio.ensure_future(_renew(lock, life_s, limit))
                try:
                    yield True
                finally:
                    renewing.cancel()
        finally:
            try:
                await lock.release()
            except LOST as exc:
                log.debug("elected.release_missed", name=chore, error=name_of(exc))


async def _renew(lock: Lock, life_s: float, limit: asyncio.Timeout) -> None:
    """Keep the lock; end the work before the lock's life ends."""
    loop = asyncio.get_running_loop()
    ends_at = loop.time() + life_s
    while True:
        await asyncio.sleep(life_s / RENEWALS)
        asked_at = loop.time()
        try:
            async with asyncio.timeout(life_s / RENEWALS):
                await lock.reacquire()
        except LockError:
            ends_at = asked_at
        except LOST as exc:
            log.debug("elected.renewal_missed", name=lock.name, error=name_of(exc))
        else:
            ends_at = asked_at + life_s
        if loop.time() >= ends_at - life_s / 3:
            limit.reschedule(loop.time())
            return


async def _acquire(lock: Lock) -> bool:
    try:
        return bool(await lock.acquire())
    except LOST as exc:
        raise Unavailable(ErrorReason.CACHE_ERROR, "Redis cannot elect a leader.") from exc
