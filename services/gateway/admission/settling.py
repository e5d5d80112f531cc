"""Sends settlements, and keeps what Redis missed until it is back, tried again with backoff.

An answer waits until its settlement is on its way, not until Redis has answered: whatever is asked of Redis after that,
by whichever gateway, comes after it.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from servicekit.clock import Clock
from services.gateway.admission import metrics
from services.gateway.admission.redis.running import RedisLost, RunsScripts
from services.gateway.admission.redis.scripts import SETTLE
from services.gateway.admission.settlements import Settlements

FIRST_WAIT_S: Final = 0.2
MAX_WAIT_S: Final = 5.0
# Of a cluster one server can be lost and the others not: so many are tried at once before what fails is left for later.
MOST_FAILURES: Final = 8

Calls = Sequence[tuple[str, bytes]]
"""Key and payload of each script of one settlement, in their order."""


class Settling:
    """Settles once, and again while Redis is lost; what waits is bounded: the rest is left to the reaper."""

    def __init__(
        self, runner: RunsScripts, settlements: Settlements, clock: Clock, rng: random.Random, *, limit: int
    ) -> None:
        self._runner = runner
        self._settlements = settlements
        self._clock = clock
        self._rng = rng
        self._limit = limit
        self._unanswered: set[asyncio.Future[Any]] = set()
        self._waiting: deque[Calls] = deque()
        self._wake = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()

    def __len__(self) -> int:
        """Return how many wait for Redis to come back."""
        return len(self._waiting)

    async def settle(self, user_id: str, calls: Calls) -> None:
        """Return when Redis has done it, or is lost; nothing is lost if that is not waited for. It never raises."""
        # Not as soon as it is sent: Redis reads the connections that are ready in any order, so what the caller asks
        # another gateway next could overtake it, and find no room where there is some.
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if len(calls) == 1:
            (key, payload), *_ = calls
            settled = asyncio.ensure_future(self._runner.run(SETTLE, key, payload))
        else:
            settled = asyncio.ensure_future(self._in_turn(calls))
        self._unanswered.add(settled)
        settled.add_done_callback(partial(self._ended, user_id, calls, ended))
        await ended

    def _ended(self, user_id: str, calls: Calls, ended: asyncio.Future[None], settled: asyncio.Future[Any]) -> None:
        self._unanswered.discard(settled)
        if not ended.done():
            ended.set_result(None)
        try:
            settled.result()
        except (RedisLost, asyncio.CancelledError):
            self.add(calls)
        else:
            self._settlements.told(user_id)

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
        """Return when Redis has answered all that was sent, and nothing waits."""
        while self._unanswered:
            await asyncio.wait(self._unanswered)
        await self._empty.wait()

    async def _in_turn(self, calls: Calls) -> None:
        for key, payload in calls:
            await self._runner.run(SETTLE, key, payload)

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
            await self._in_turn(self._waiting[0])
        except RedisLost:
            self._waiting.rotate(-1)
            return False
        self._waiting.popleft()
        metrics.LATE_SETTLES.set(len(self._waiting))
        if not self._waiting:
            self._wake.clear()
            self._empty.set()
        return True
