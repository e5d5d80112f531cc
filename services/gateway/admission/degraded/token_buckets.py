"""Token buckets in memory: a strict limit for when nothing shared can be asked (also of login attempts)."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from servicekit.clock import Clock

MAX_BUCKETS: Final = 50_000


class TokenBuckets:
    """Buckets by name; each holds `limit` units and refills in `window_s`. The least used are forgotten."""

    def __init__(self, clock: Clock, *, max_buckets: int = MAX_BUCKETS) -> None:
        self._clock = clock
        self._max_buckets = max_buckets
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def wait_s(self, name: str, *, limit: float, window_s: float, cost: float = 1) -> float:
        """Return how long until `cost` units are there: 0 when they are now. Takes nothing."""
        now = self._clock.monotonic()
        full_at = max(self._full_at.get(name, now), now) + min(cost, limit) * window_s / limit
        # A billionth of tolerance: sums of fractions must not refuse the last unit.
        return max(0.0, full_at - now - window_s * (1 + 1e-9))

    def take(self, name: str, *, limit: float, window_s: float, cost: float = 1) -> float:
        """Take `cost` units, or as many as are there; return how many were taken."""
        now = self._clock.monotonic()
        before = max(self._full_at.get(name, now), now)
        after = self._full_at[name] = min(before + min(cost, limit) * window_s / limit, max(before, now + window_s))
        self._full_at.move_to_end(name)
        if len(self._full_at) > self._max_buckets:
            self._full_at.popitem(last=False)
        return (after - before) * limit / window_s

    def correct(self, name: str, *, limit: float, window_s: float, by: float) -> None:
        """Take so many units more than were taken, below 0 give them back; one that was forgotten is full anyway."""
        if name in self._full_at:
            now = self._clock.monotonic()
            self._full_at[name] = max(now, max(self._full_at[name], now) + by * window_s / limit)

    def try_take(self, name: str, *, limit: float, window_s: float, cost: float = 1) -> float:
        """Take `cost` units if they are there and return 0, or return the seconds to wait."""
        wait_s = self.wait_s(name, limit=limit, window_s=window_s, cost=cost)
        if wait_s == 0:
            self.take(name, limit=limit, window_s=window_s, cost=cost)
        return wait_s

    def left(self, name: str, *, limit: float, window_s: float) -> int:
        """Return how many whole units are there."""
        return max(0, int((window_s - self.full_in_s(name)) * limit / window_s + 1e-6))

    def full_in_s(self, name: str) -> float:
        """Return how long until it is full."""
        now = self._clock.monotonic()
        return max(0.0, self._full_at.get(name, now) - now)
