"""Counts wrong device codes, in Redis."""

from __future__ import annotations

from typing import Final

from redis.asyncio import Redis

from services.auth.shared.cache.counting import COUNT
from services.auth.shared.cache.errors import cache_errors

GUESSES: Final = "razvilka:auth:guesses:"


class GuessCounter:
    """Counts wrong guesses. While Redis is down, nobody may guess."""

    def __init__(self, client: Redis, *, window_s: int) -> None:
        self._counted = client.register_script(COUNT)
        self._window_s = window_s

    async def begin(self, *who: str, most: int) -> float:
        """Count a guess of all of these before it is looked at; return the seconds to wait, 0: it may be looked at.

        Counting first leaves no gap in which many guesses at once would all see a low count.

        Raises:
            Unavailable: Redis is down.
        """
        with cache_errors():
            counts = [await self._count(GUESSES + name, 1) for name in who]
        return max((wait_s for guesses, wait_s in counts if guesses > most), default=0.0)

    async def forgive(self, *who: str) -> None:
        """Take back a guess that was right."""
        with cache_errors():
            for name in who:
                await self._count(GUESSES + name, -1)

    async def _count(self, key: str, by: int) -> tuple[int, float]:
        """Count; return the sum, and seconds until it is forgotten.

        A counter of its own each, for a cluster may have them on different servers.
        """
        count, left_ms = await self._counted(keys=[key], args=[by, self._window_s])
        return int(count), int(left_ms) / 1000
