"""Does our clock agree with those of Redis and of other services?

Rows, budget periods and request ids carry our time; the usage service refuses a row from the future, and a row from the
past falls into another period than its budget counter. Between two readings our clock is held against the monotonic
one, so that a jump is seen at once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

import structlog

from servicekit.clock import Clock
from servicekit.errors import name_of
from services.gateway.metering import metrics

log = structlog.get_logger()

EVERY_S: Final = 5.0
BOUND_S: Final = 10.0

NowOf = Callable[[], Awaitable[float | None]]
"""Asks another clock for its Unix seconds; None: it does not say. What it raises means: not reachable."""


@dataclass(frozen=True, slots=True)
class _Reading:
    theirs_s: float
    monotonic_s: float


class ClockWatch:
    """Compares clocks; without a reading ours is believed.

    Args:
        sources: by name, those that paid requests need to agree with.
        clock: ours.
        told: by name, those whose difference is told in metrics, and stops nothing.
        bound_s: a difference above it is a problem.
    """

    def __init__(
        self,
        sources: Mapping[str, NowOf],
        clock: Clock,
        *,
        told: Mapping[str, NowOf] | None = None,
        bound_s: float = BOUND_S,
    ) -> None:
        self._sources = sources
        self._all = {**sources, **(told or {})}
        self._clock = clock
        self._bound_s = bound_s
        self._readings: dict[str, _Reading] = {}

    def offsets_s(self) -> dict[str, float]:
        """Return by how many seconds our clock is ahead of each that was ever read."""
        ours_s, monotonic_s = self._clock.now().timestamp(), self._clock.monotonic()
        return {
            name: ours_s - (reading.theirs_s + monotonic_s - reading.monotonic_s)
            for name, reading in self._readings.items()
        }

    def problems(self) -> list[str]:
        """Return which clocks that must agree differ from ours by more than the bound, in words."""
        return [
            f"the clock is {abs(offset_s):.0f} s {'ahead of' if offset_s > 0 else 'behind'} that of {name}"
            for name, offset_s in self.offsets_s().items()
            if name in self._sources and abs(offset_s) > self._bound_s
        ]

    async def look(self) -> None:
        """Read every other clock once; an answer that took too long says nothing."""
        for name, now_of in self._all.items():
            asked_s = self._clock.monotonic()
            try:
                theirs_s = await now_of()
            except Exception as exc:  # whoever cannot be asked is seen by others; his last reading stays
                log.debug("clock.not_read", of=name, error=name_of(exc))
                continue
            heard_s = self._clock.monotonic()
            if theirs_s is not None and heard_s - asked_s < self._bound_s:
                self._readings[name] = _Reading(theirs_s, (asked_s + heard_s) / 2)
        for name, offset_s in self.offsets_s().items():
            metrics.CLOCK_OFFSET.labels(name).set(offset_s)

    async def serve(self) -> None:
        """Look for ever; cancel it to stop."""
        while True:
            await self.look()
            await self._clock.sleep(EVERY_S)
