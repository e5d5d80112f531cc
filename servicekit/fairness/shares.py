"""A concurrency limit for each caller, so that no caller can take everything."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Shares:
    """Limits concurrency by name: a name that has used its limit waits in its own queue; unused names are forgotten."""

    def __init__(self, each: int) -> None:
        self._each = each
        self._places: dict[str, asyncio.Semaphore] = {}
        self._users: Counter[str] = Counter()

    @asynccontextmanager
    async def one_of(self, whose: str) -> AsyncIterator[None]:
        """Hold one of the name's places for the block; wait until one is free."""
        places = self._places.setdefault(whose, asyncio.Semaphore(self._each))
        self._users[whose] += 1
        try:
            async with places:
                yield
        finally:
            self._users[whose] -= 1
            if not self._users[whose]:
                del self._users[whose], self._places[whose]
