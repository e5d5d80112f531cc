"""What settlements have written down of requests that ended lately: in Redis, by user, readable at every gateway."""

from __future__ import annotations

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from servicekit.errors import name_of
from services.gateway.admission.keys import explanation_key

log = structlog.get_logger()


class RedisExplanations:
    """Finds them; the settlement script writes them."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def find(self, user_id: str, request_id: str) -> bytes | None:
        """Return what was kept of a request of the user; None: nothing any more, someone else's, or Redis is away."""
        try:
            found = await self._redis.get(explanation_key(user_id, request_id))
        except (RedisError, OSError) as exc:
            log.warning("explanations.away", error=name_of(exc))
            return None
        return found if isinstance(found, bytes) else None
