"""A concurrency limit for each caller, and one for all of them, so that no caller can take everything."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext


class Shares:
    """Limits concurrency by name: a name that has used its limit waits in its own queue; unused names are forgotten.

    Args:
        each: how many everybody has.
        altogether: how many there are, whatever the names; None: as many as they have.
    """

    def __init__(self, each: int, altogether: int | None = None) -> None:
        self._each = each
        self._all = nullcontext() if altogether is None else asyncio.Semaphore(altogether)
        self._places: dict[str, asyncio.Semaphore] = {}
        self._users: Counter[str] = Counter()

    @asynccontextmanager
    async def one_of(self, whose: str) -> AsyncIterator[None]:
        """Hold one of the name's places for the block; wait until one is free."""
        places = self._places.setdefault(whose, asyncio.Semaphore(self._each))
        self._users[whose] += 1
        try:
            # One's own comes first: in the line of all nobody stands with all that they want.
            async with places, self._all:
                yield
        finally:
            self._users[whose] -= 1
            if not self._users[whose]:
                del self._users[whose], self._places[whose]


def shares_of_pool(connections: int) -> Shares:
    """Return the shares of users in a service that has so many connections: half each, three of four altogether.

    The others are never theirs: who keeps the books or verifies keys stands behind no crowd.
    """
    each = max(1, connections // 2)
    return Shares(each, max(each, connections * 3 // 4))
