"""One gateway at a time: a lock in Redis with a token and a life."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from redis.asyncio import Redis
from redis.exceptions import LockError, RedisError

log = structlog.get_logger()


@asynccontextmanager
async def elected(client: Redis, name: str, *, timeout_s: float) -> AsyncIterator[bool]:
    """Yield whether this process may do the chore now; the work is cut before the lock's life ends.

    Raises:
        TimeoutError: the work took too long.
        RedisError: Redis is lost.
    """
    lock = client.lock(f"gw:elected:{name}", timeout=timeout_s, blocking=False)
    if not await lock.acquire():
        yield False
        return
    try:
        async with asyncio.timeout(timeout_s * 0.9):
            yield True
    finally:
        try:
            await lock.release()
        except (LockError, RedisError, OSError, TimeoutError) as exc:
            log.debug("elected.release_missed", name=name, error=type(exc).__name__)
