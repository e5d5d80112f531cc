"""A value that is told again for a while, so that however many ask, its source is asked once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

from servicekit.clock import Clock
from servicekit.errors import ServiceError

T = TypeVar("T")
# A source that fails is left alone for a while, and not for as long as what it says would be good for.
AGAIN_AFTER_S: Final = 30.0


class Remembered(Generic[T]):
    """Keeps what was found for `kept_s` seconds. What cannot be found anew is told as it was; None: it never was."""

    def __init__(self, clock: Clock, kept_s: float) -> None:
        self._clock = clock
        self._kept_s = kept_s
        self._asking = asyncio.Lock()
        self._found: T | None = None
        self._until = float("-inf")

    async def get(self, find: Callable[[], Awaitable[T]]) -> T | None:
        """Return what was found not long ago, or what `find` does."""
        async with self._asking:
            if self._clock.monotonic() >= self._until:
                self._until = await self._found_until(find)
            return self._found

    async def _found_until(self, find: Callable[[], Awaitable[T]]) -> float:
        try:
            self._found = await find()
        except ServiceError:
            return self._clock.monotonic() + min(self._kept_s, AGAIN_AFTER_S)
        return self._clock.monotonic() + self._kept_s
