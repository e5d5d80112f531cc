"""How long the event loop was busy with one thing, in CPU time: what else this machine does has no part in it."""

from __future__ import annotations

import asyncio
import time

EVERY_S = 0.001


class Heartbeat:
    """Beats as often as it is let; the longest CPU time between two beats is the longest stall of anybody else."""

    def __init__(self) -> None:
        self.worst_s = 0.0

    async def run(self) -> None:
        """Beat for ever."""
        last = time.thread_time()
        while True:
            await asyncio.sleep(EVERY_S)
            now = time.thread_time()
            self.worst_s = max(self.worst_s, now - last)
            last = now

    def take(self) -> float:
        """Return the longest stall since the last time, in seconds."""
        worst, self.worst_s = self.worst_s, 0.0
        return worst
