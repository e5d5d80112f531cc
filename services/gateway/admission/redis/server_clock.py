"""What time it is at Redis, asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from redis.asyncio import Redis


def redis_now(redis: Redis) -> Callable[[], Awaitable[float | None]]:
    """Return what asks Redis for its time, in seconds since 1970."""

    async def now() -> float:
        seconds, microseconds = await redis.time()
        return float(seconds) + float(microseconds) / 1e6

    return now
