"""Counts requests of each client per minute, in Redis; the counters of IP addresses are the gateway's."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from redis.asyncio import Redis

from servicekit.once.repeating import may_repeat
from services.auth.shared.cache.errors import cache_errors

ASKED: Final = "razvilka:auth:client_asked:"
WINDOW_S: Final = 60

# GCRA, as the gateway's limits: of fixed minutes two minutes' worth passed at the border of two. KEYS: the theoretical
# arrival time in microseconds. ARGV: now, the window in microseconds, how many it has. Returns the microseconds to
# wait, 0: taken. What is later than full was written while a clock was ahead; a microsecond is rounding.
TAKE: Final = """
local now, window, limit = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local stored = math.min(tonumber(redis.call('GET', KEYS[1]) or 0), now + window)
local new = math.max(stored, now) + window / limit
if new - now - window > 1 then return math.ceil(new - now - window) end
redis.call('SET', KEYS[1], string.format('%.0f', new), 'PX', math.ceil(2 * window / 1000))
return 0
"""


class ClientCounters:
    """Requests by client: so many at once, and after them so many a minute."""

    def __init__(self, client: Redis) -> None:
        self._take = client.register_script(TAKE)

    async def take(self, name: str, per_minute: int, now: datetime) -> float:
        """Count a request; return the seconds after which there is room for it, 0: there is.

        Raises:
            Unavailable: Redis is down.
        """
        args = [int(now.timestamp() * 1_000_000), WINDOW_S * 1_000_000, per_minute]
        # Counted twice, a request whose answer was late costs one of a minute's thousands; refused, it fails.
        with cache_errors(), may_repeat():
            wait_us = await self._take(keys=[ASKED + name], args=args)
        return int(wait_us) / 1_000_000
