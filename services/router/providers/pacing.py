"""Keeps calls within a provider's quota of so many in any second: whoever comes too early waits for its turn."""

from __future__ import annotations

from collections import deque
from typing import Final

from servicekit.clock import Clock
from services.router.providers import failures

# The provider counts when a call arrives, we when it leaves: turns of two seconds may not meet in one of its own.
SECOND_S: Final = 1.1


class Pacer:
    """Turns under one credential in this process; other replicas have their own, so a refusal is still possible."""

    def __init__(self, per_second: int, clock: Clock) -> None:
        self._clock = clock
        self._per_second = per_second
        self._turns: deque[float] = deque(maxlen=per_second or None)

    def seconds_for(self, calls: int) -> float:
        """Return how long so many turns take at least, if nobody else wants any."""
        return (calls - 1) // self._per_second * SECOND_S if self._per_second and calls else 0.0

    async def turn(self, deadline: float | None) -> None:
        """Return when a call may be made.

        Args:
            deadline: on the monotonic clock; None: none.

        Raises:
            Unavailable: that would be later than the deadline.
        """
        if not self._per_second:
            return
        now = self._clock.monotonic()
        at = max(now, self._turns[0] + SECOND_S) if len(self._turns) == self._per_second else now
        if deadline is not None and at >= deadline:
            raise failures.rate_limited(at - now, limit="rate", waits_long=True)
        self._turns.append(at)
        if at > now:
            await self._clock.sleep(at - now)
