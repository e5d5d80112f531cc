"""How late the event loop is: what tells a busy process from an idle one."""

from __future__ import annotations

import asyncio
from typing import Final

SAMPLE_EVERY_S: Final = 0.025
# The mean of about the last five samples: one slow turn is no load.
WEIGHT: Final = 0.2


class LoopLag:
    """A running mean of the lateness of timers, sampled only while there is work."""

    def __init__(self, behind_s: float) -> None:
        """Count as behind from `behind_s` seconds of mean lateness."""
        self._behind_s = behind_s
        self._mean_s = 0.0
        self._working = 0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_behind(self) -> bool:
        """Whether the process has more to do than it gets done."""
        return self._mean_s >= self._behind_s

    def begin(self) -> None:
        """One more piece of work is in hand."""
        self._working += 1
        if self._timer is None:
            # What was measured before a pause says nothing about now.
            self._mean_s = 0.0
            self._arm()

    def end(self) -> None:
        """It is done."""
        self._working -= 1

    def observe(self, late_s: float) -> None:
        """Add one sample."""
        self._mean_s += WEIGHT * (max(0.0, late_s) - self._mean_s)

    def _arm(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + SAMPLE_EVERY_S
        self._timer = loop.call_at(due, self._sample, due)

    def _sample(self, due: float) -> None:
        self.observe(asyncio.get_running_loop().time() - due)
        self._timer = None
        if self._working:
            self._arm()
