"""One gateway at a time: a lock in Redis with a token and a life. The only module of metering that knows Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from redis.asyncio import Redis
from redis.asyncio.lock import Lock
from redis.exceptions import LockError, RedisError

from servicekit.errors import ErrorReason, Unavailable

log = structlog.get_logger()


class LeaderElection:
    """Elects a leader for each chore."""

    def __init__(self, client: Redis) -> None:
        self._client = client

    @asynccontextmanager
    async def elected(self, chore: str, *, timeout_s: float) -> AsyncIterator[bool]:
        """Yield whether this process may do the chore now; the work is cut before the lock's life ends.

        Raises:
            TimeoutError: the work took too long.
            Unavailable: Redis is lost.
        """
        lock = self._client.lock(f"gw:elected:{chore}", timeout=timeout_s, blocking=False)
        if not await _acquire(lock):
            yield False
            return
        try:
            async with asyncio.timeout(timeout_s * 0.9):
                yield True
        finally:
            try:
                await lock.release()
            except (LockError, RedisError, OSError, TimeoutError) as exc:
                log.debug("elected.release_missed", name=chore, error=type(exc).__name__)


async def _acquire(lock: Lock) -> bool:
    try:
        return bool(await lock.acquire())
    except (RedisError, OSError, TimeoutError) as exc:
        raise Unavailable(ErrorReason.CACHE_ERROR, "Redis cannot elect a leader.") from exc
