"""Counters over a sliding window, expired slice by slice."""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple

SLICES: Final = 10


class Counts(NamedTuple):
    """Calls, and how many of them failed or were slow."""

    calls: int = 0
    failed: int = 0
    slow: int = 0


class SlidingCounts:
    """Counts of the last `window_s` seconds, exact to a tenth of that. Times are monotonic seconds."""

    __slots__ = ("_slice_s", "_slices")

    def __init__(self, window_s: float) -> None:
        self._slice_s = window_s / SLICES
        # [number of the slice, calls, failed, slow], oldest first.
        self._slices: deque[list[int]] = deque(maxlen=SLICES)

    def add(self, now: float, *, calls: int = 1, failed: bool = False, slow: bool = False) -> None:
        """Count a call, or with `calls=0` how one has ended that was counted."""
        number = int(now / self._slice_s)
        slices = self._slices
        if not slices or slices[-1][0] != number:
            slices.append([number, 0, 0, 0])
        newest = slices[-1]
        newest[1] += calls
        newest[2] += failed
        newest[3] += slow

    def totals(self, now: float) -> Counts:
        """Return what the window holds."""
        oldest = int(now / self._slice_s) - SLICES + 1
        slices = self._slices
        while slices and slices[0][0] < oldest:
            slices.popleft()
        return Counts(*(sum(each[at] for each in slices) for at in (1, 2, 3)))

    def clear(self) -> None:
        """Forget everything."""
        self._slices.clear()
