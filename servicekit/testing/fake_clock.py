"""A clock that stands still until a test moves it."""

import asyncio
import heapq
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Final

MIDDAY: Final = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


class FakeClock:
    """A `servicekit.clock.Clock` moved by `advance`; with `auto_advance` a sleep moves it by itself and returns."""

    def __init__(self, start: datetime = MIDDAY, *, auto_advance: bool = False) -> None:
        """Stand at `start`."""
        self._start = start
        self._elapsed_s = 0.0
        self._auto_advance = auto_advance
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = count()
        self.slept_s: list[float] = []

    def now(self) -> datetime:
        """Return the time set by the test."""
        return self._start + timedelta(seconds=self._elapsed_s)

    def monotonic(self) -> float:
        """Return the seconds the test has moved the clock."""
        return self._elapsed_s

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock has been moved that far."""
        self.slept_s.append(seconds)
        if self._auto_advance:
            self.advance(seconds)
        if self._auto_advance or seconds <= 0:
            await asyncio.sleep(0)
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._elapsed_s + seconds, next(self._order), woken))
        await woken

    def advance(self, seconds: float) -> None:
        """Move the clock and wake who has slept long enough, earliest first; they run when the test next awaits."""
        self._elapsed_s += max(seconds, 0.0)
        while self._sleepers and self._sleepers[0][0] <= self._elapsed_s:
            _, _, woken = heapq.heappop(self._sleepers)
            if not woken.done():
                woken.set_result(None)

    def jump(self, seconds: float) -> None:
        """Put the wall clock alone forward, or back, as who corrects it does; nobody wakes."""
        self._start += timedelta(seconds=seconds)

    @property
    def sleepers(self) -> int:
        """Return how many coroutines wait for the clock."""
        return sum(not woken.done() for _, _, woken in self._sleepers)
