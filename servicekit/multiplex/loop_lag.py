"""How late the event loop is: what tells a busy process from an idle one."""

from __future__ import annotations

import asyncio
from typing import Final

SAMPLE_EVERY_S: Final = 0.025
# The mean of about the last five samples: one slow turn is no load.
WEIGHT: Final = 0.2


class LoopLag:
    """A running mean of the lateness of timers, sampled only while there is work."""

    def __init__(self, behind_s: float, hold_s: float = 0.0) -> None:
        """Count as behind from `behind_s` seconds of mean lateness; then what can wait may wait `hold_s`."""
        self._behind_s = behind_s
        self._hold_s = hold_s
        self._mean_s = 0.0
        self._working: set[object] = set()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_behind(self) -> bool:
        """Whether the process has more to do than it gets done."""
        return self._mean_s >= self._behind_s

    def left_s(self, read_at: float) -> float:
        """Return how long what follows a read at `read_at`, on the loop's clock, may wait for more; 0: not at all."""
        if not self._hold_s or self._mean_s < self._behind_s:
            return 0.0
        return read_at + self._hold_s - asyncio.get_running_loop().time()

    async def hold(self, read_at: float) -> None:
        """Wait for so long."""
        left_s = self.left_s(read_at)
        if left_s > 0:
            await asyncio.sleep(left_s)

    def begin(self, work: object) -> None:
        """A piece of work is in hand."""
        self._working.add(work)
        if self._timer is None:
            # What was measured before a pause says nothing about now.
            self._mean_s = 0.0
            self._arm()

    def end(self, work: object) -> None:
        """It is done; to say so twice does no harm."""
        self._working.discard(work)

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
