"""The retry budget: retries are limited to a share of all calls, so that they never become the load."""

from __future__ import annotations

from typing import Final

from services.router.circuits.domain.sliding_counts import SlidingCounts

WINDOW_S: Final = 60.0


class RetryBudget:
    """The retries of one provider over the last minute; times are monotonic seconds."""

    __slots__ = ("_floor", "_requests", "_retries", "_share")

    def __init__(self, share: float, floor: int) -> None:
        self._share = share
        self._floor = floor
        self._requests = SlidingCounts(WINDOW_S)
        self._retries = SlidingCounts(WINDOW_S)

    def note_request(self, now: float) -> None:
        """Count a first try."""
        self._requests.add(now)

    def note_retry(self, now: float) -> None:
        """Count a repetition."""
        self._retries.add(now)

    def allows(self, now: float) -> bool:
        """Tell whether one more repetition fits."""
        allowed = max(self._floor, self._share * self._requests.totals(now).calls)
        return self._retries.totals(now).calls + 1 <= allowed
