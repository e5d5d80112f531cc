"""Counts guesses at the codes that devices show, in Redis."""

from __future__ import annotations

from typing import Final

from redis.asyncio import Redis

from services.auth.shared.cache.errors import cache_errors

GUESSES: Final = "razvilka:auth:guesses:"


class GuessCounter:
    """Counts wrong guesses. Redis down: nobody may guess."""

    def __init__(self, client: Redis, *, window_s: int) -> None:
        self._client = client
        self._window_s = window_s

    async def begin(self, *who: str) -> int:
        """Count a guess of all of these before it is looked at, and return the highest count.

        Counting first leaves no gap in which many guesses at once would all see a low count.

        Raises:
            Unavailable: Redis is down.
        """
        pipe = self._client.pipeline(transaction=True)
        for name in who:
            pipe.incr(GUESSES + name)
            pipe.expire(GUESSES + name, self._window_s, nx=True)
        with cache_errors():
            answers = await pipe.execute()
        return max(int(count) for count in answers[::2])

    async def forgive(self, *who: str) -> None:
        """Take back a guess that was right."""
        pipe = self._client.pipeline(transaction=True)
        for name in who:
            pipe.decr(GUESSES + name)
            pipe.expire(GUESSES + name, self._window_s, nx=True)
        with cache_errors():
            await pipe.execute()
