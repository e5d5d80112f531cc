"""Where answers are cached: Redis, by owner. What is cached is unreadable to Redis, and nobody waits for it."""

from __future__ import annotations

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from servicekit.errors import name_of

log = structlog.get_logger()


class RedisAnswerCache:
    """Keeps bytes for a while; without Redis it is empty."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def load(self, user_id: str, name: str) -> bytes | None:
        """Return what is cached, or None."""
        try:
            found = await self._redis.get(_key(user_id, name))
        except (RedisError, OSError) as exc:
            log.warning("cache.not_asked", error=name_of(exc))
            return None
        return found if isinstance(found, bytes) else None

    async def save(self, user_id: str, name: str, value: bytes, *, ttl_s: int) -> None:
        """Cache bytes for so many seconds."""
        try:
            await self._redis.set(_key(user_id, name), value, ex=ttl_s)
        except (RedisError, OSError) as exc:
            log.warning("cache.not_filled", error=name_of(exc))


def _key(user_id: str, name: str) -> str:
    return f"gw:{{{user_id}}}:cache:{name}"
