"""The two kinds of provider limits: how many at once, and how many in a period."""

from collections import deque


class Gauge:
    """Counts calls in flight; clears when they end."""

    __slots__ = ("in_flight", "limit")

    def __init__(self) -> None:
        """Start empty."""
        self.in_flight, self.limit = 0, 1

    def enter(self) -> bool:
        """Take a place; False when all are taken."""
        if self.in_flight >= self.limit:
            return False
        self.in_flight += 1
        return True

    def leave(self) -> None:
        """Give the place back."""
        self.in_flight -= 1


class Window:
    """Counts calls in a sliding period."""

    __slots__ = ("_limit", "_seconds", "_times")

    def __init__(self, limit: int, seconds: float) -> None:
        """Allow `limit` calls in any `seconds`; 0 allows all."""
        self._limit, self._seconds, self._times = limit, seconds, deque[float]()

    def enter(self, now: float) -> bool:
        """Count a call; False when it is over the limit."""
        if self._limit == 0:
            return True
        while self._times and self._times[0] <= now - self._seconds:
            self._times.popleft()
        if len(self._times) >= self._limit:
            return False
        self._times.append(now)
        return True
