"""Tells those who wait for room in a budget that a request of the same user was settled, here or elsewhere."""

from __future__ import annotations

import asyncio
import random
from typing import Final

from services.gateway.admission import metrics

# So many of one user may wait at a gateway: each asks Redis again after every settlement.
MOST_WAITING: Final = 64
# Other gateways settle too, and nobody tells: so often it is asked anyway.
ASK_AGAIN_S: Final = 0.25


class Settlements:
    """Who waits, by user."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._waiting: dict[str, set[asyncio.Future[None]]] = {}

    def told(self, user_id: str) -> None:
        """A request of the user was settled."""
        for waiter in self._waiting.pop(user_id, ()):
            if not waiter.done():
                waiter.set_result(None)

    async def next(self, user_id: str, most_s: float) -> bool:
        """Wait for a settlement of the user's, at most `most_s`; tell whether it is worth asking again.

        It is not when too many wait already. Without news it ends when others may have settled at other gateways.
        """
        waiting = self._waiting.setdefault(user_id, set())
        if len(waiting) >= MOST_WAITING:
            return False
        news: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting.add(news)
        try:
            with metrics.WAITING.track_inprogress():
                # Jitter: those who were refused together shall not ask again together.
                await asyncio.wait([news], timeout=min(most_s, ASK_AGAIN_S * (0.5 + self._rng.random())))
        finally:
            # Also when the caller has left: nobody's place may stay taken.
            waiting.discard(news)
            if not waiting and self._waiting.get(user_id) is waiting:
                del self._waiting[user_id]
        return True
