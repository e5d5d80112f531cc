"""How well each model answers, from what this router has seen: moving averages, no history."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

# After this many seconds an observation weighs a third.
MEMORY_S: Final = 60.0
DEGRADED_AT: Final = 0.10
DOWN_AT: Final = 0.50
# Fewer calls than this say nothing about a rate.
ENOUGH_CALLS: Final = 3.0


@dataclass(frozen=True, slots=True)
class ModelHealth:
    """What is known of one model; `status` as the public API has it."""

    provider: str
    model: str
    status: str
    latency_ms: int
    error_rate: float
    updated_at: datetime


class _Average:
    __slots__ = ("calls", "errors", "latency_ms", "seen_at", "updated_at")

    def __init__(self, now: datetime, monotonic: float) -> None:
        self.calls = 0.0
        self.errors = 0.0
        self.latency_ms = 0.0
        self.seen_at = monotonic
        self.updated_at = now


class HealthTracker:
    """Moving averages by (provider, model)."""

    def __init__(self) -> None:
        self._averages: dict[tuple[str, str], _Average] = {}

    def record(
        self, provider: str, model: str, *, failed: bool, latency_ms: float, now: datetime, monotonic: float
    ) -> None:
        """Add one attempt; latency is the time to its first content."""
        key = (provider, model)
        average = self._averages.get(key)
        if average is None:
            average = self._averages[key] = _Average(now, monotonic)
        fade = math.exp((average.seen_at - monotonic) / MEMORY_S)
        average.calls = average.calls * fade + 1.0
        average.errors = average.errors * fade + (1.0 if failed else 0.0)
        if not failed:
            share = 1.0 / min(average.calls, 20.0)
            average.latency_ms += (latency_ms - average.latency_ms) * share
        average.seen_at = monotonic
        average.updated_at = now

    def find(self, provider: str, model: str) -> ModelHealth | None:
        """Return what is known of one model; None when it was never asked."""
        average = self._averages.get((provider, model))
        return None if average is None else _health(provider, model, average)

    def __iter__(self) -> Iterator[ModelHealth]:
        return iter([_health(provider, model, average) for (provider, model), average in self._averages.items()])


def _health(provider: str, model: str, average: _Average) -> ModelHealth:
    rate = average.errors / average.calls if average.calls else 0.0
    return ModelHealth(
        provider, model, _status(rate, average.calls), round(average.latency_ms), rate, average.updated_at
    )


def _status(rate: float, calls: float) -> str:
    if rate >= DOWN_AT and calls >= ENOUGH_CALLS:
        return "down"
    if rate >= DEGRADED_AT:
        return "degraded"
    return "operational"
