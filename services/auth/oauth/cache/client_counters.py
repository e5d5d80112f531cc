"""Counts requests of each client per minute, in Redis; the counters of IP addresses are the gateway's."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from redis.asyncio import Redis

from servicekit.once.repeating import may_repeat
from services.auth.shared.cache.counting import COUNT
from services.auth.shared.cache.errors import cache_errors

ASKED: Final = "razvilka:auth:client_asked:"
WINDOW_S: Final = 60


class ClientCounters:
    """Requests by client and minute."""

    def __init__(self, client: Redis) -> None:
        self._counted = client.register_script(COUNT)

    async def count(self, name: str, now: datetime) -> int:
        """Count a request; return how many there were in this minute.

        Raises:
            Unavailable: Redis is down.
        """
        key = f"{ASKED}{name}:{int(now.timestamp()) // WINDOW_S}"
        # Counted twice, a request whose answer was late costs one of a minute's thousands; refused, it fails.
        with cache_errors(), may_repeat():
            asked, _ = await self._counted(keys=[key], args=[1, 2 * WINDOW_S])
        return int(asked)
