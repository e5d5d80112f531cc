"""Settles that Redis missed: kept until it is back, tried again with backoff."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Sequence
from typing import Final

from servicekit.clock import Clock
from services.gateway.admission import metrics
from services.gateway.admission.redis.running import RedisLost, RunsScripts
from services.gateway.admission.redis.scripts import SETTLE

FIRST_WAIT_S: Final = 0.2
MAX_WAIT_S: Final = 5.0
# Of a cluster one server can be lost and the others not: so many are tried at once before what fails is left for later.
MOST_FAILURES: Final = 8

Calls = Sequence[tuple[str, bytes]]
"""Key and payload of each script of one settlement, in their order."""


class LateSettles:
    """A bounded queue; what does not fit is left to the reaper and the reconciliation."""

    def __init__(self, runner: RunsScripts, clock: Clock, rng: random.Random, *, limit: int) -> None:
        self._runner = runner
        self._clock = clock
        self._rng = rng
        self._limit = limit
        self._waiting: deque[Calls] = deque()
        self._wake = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, calls: Calls) -> None:
        """Settle this as soon as Redis answers."""
        if len(self._waiting) >= self._limit:
            metrics.LOST_SETTLES.inc()
            return
        self._waiting.append(calls)
        metrics.LATE_SETTLES.set(len(self._waiting))
        self._empty.clear()
        self._wake.set()

    async def serve(self) -> None:
        """Try again, for ever; cancel it to stop."""
        wait_s = FIRST_WAIT_S
        while True:
            await self._wake.wait()
            if await self._try_some():
                wait_s = FIRST_WAIT_S
            else:
                await self._clock.sleep(wait_s * self._rng.uniform(0.5, 1.0))
                wait_s = min(wait_s * 2, MAX_WAIT_S)

    async def drained(self) -> None:
        """Return when nothing waits."""
        await self._empty.wait()

    async def _try_some(self) -> bool:
        """Try until too many failed, which go to the end; tell whether any was settled."""
        settled, failures = False, 0
        while self._waiting and failures < (MOST_FAILURES if self._runner.is_cluster else 1):
            if await self._try_first():
                settled = True
            else:
                failures += 1
        return settled

    async def _try_first(self) -> bool:
        try:
            for key, payload in self._waiting[0]:
                await self._runner.run(SETTLE, key, payload)
        except RedisLost:
            self._waiting.rotate(-1)
            return False
        self._waiting.popleft()
        metrics.LATE_SETTLES.set(len(self._waiting))
        if not self._waiting:
            self._wake.clear()
            self._empty.set()
        return True
