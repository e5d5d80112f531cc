"""So many at once for each who asks: however much one wants, the rest is the others'."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Shares:
    """Places by name. Who has all of theirs waits in a line of their own; a name that nobody uses is forgotten."""

    def __init__(self, each: int) -> None:
        self._each = each
        self._places: dict[str, asyncio.Semaphore] = {}
        self._users: Counter[str] = Counter()

    @asynccontextmanager
    async def one_of(self, whose: str) -> AsyncIterator[None]:
        """Have one of somebody's places for the block, as soon as one is free."""
        places = self._places.setdefault(whose, asyncio.Semaphore(self._each))
        self._users[whose] += 1
        try:
            async with places:
                yield
        finally:
            self._users[whose] -= 1
            if not self._users[whose]:
                del self._users[whose], self._places[whose]
