"""Where answers of the Responses API are kept for a while: Redis, by owner. What is kept is unreadable to Redis."""

from __future__ import annotations

from typing import Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from servicekit.errors import ErrorReason, Unavailable, name_of

log = structlog.get_logger()

_AWAY: Final = "What was said before cannot be looked up at the moment; try again shortly."


class RedisResponseStore:
    """Keeps bytes for `ttl_s` seconds."""

    def __init__(self, redis: Redis, *, ttl_s: float) -> None:
        self._redis = redis
        self._ttl_s = max(1, int(ttl_s))

    async def save(self, user_id: str, name: str, value: bytes) -> bool:
        """Keep bytes; False: Redis is away."""
        try:
            await self._redis.set(_key(user_id, name), value, ex=self._ttl_s)
        except (RedisError, OSError) as exc:
            log.warning("responses.not_kept", error=name_of(exc))
            return False
        return True

    async def load(self, user_id: str, name: str) -> bytes | None:
        """Return them, or None: there are none, or not any more.

        Raises:
            Unavailable: Redis is away.
        """
        try:
            found = await self._redis.get(_key(user_id, name))
        except (RedisError, OSError) as exc:
            raise _away() from exc
        return found if isinstance(found, bytes) else None

    async def delete(self, user_id: str, name: str) -> bool:
        """Forget them; False: there were none.

        Raises:
            Unavailable: Redis is away.
        """
        try:
            return bool(await self._redis.delete(_key(user_id, name)))
        except (RedisError, OSError) as exc:
            raise _away() from exc


def _away() -> Unavailable:
    return Unavailable(ErrorReason.CACHE_ERROR, _AWAY, retry_after_s=1.0)


def _key(user_id: str, name: str) -> str:
    return f"gw:{{{user_id}}}:response:{name}"
