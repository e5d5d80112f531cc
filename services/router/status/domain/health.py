"""Health of each model: its calls in the last five minutes, here and on the other routers."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from services.router.status.domain.times import Times, add_up, bucket_of, percentile_ms

WINDOW_S: Final = 300.0
SLICES: Final = 10
# The newest slices, half a minute to a minute: what is wrong now, and over as soon as it is over.
RECENT: Final = 2
DEGRADED_AT: Final = 0.10
DOWN_AT: Final = 0.50
# Fewer calls than this say nothing about a rate.
ENOUGH_CALLS: Final = 3

OPERATIONAL: Final = "operational"
DEGRADED: Final = "degraded"
DOWN: Final = "down"
UNKNOWN: Final = "unknown"
# The reason of what calls say; others are of circuits and of administrators.
FAILURES: Final = "failures"


@dataclass(frozen=True, slots=True)
class ModelHealth:
    """The health of one model.

    Attributes:
        status: operational, degraded, down or unknown, as the public API has it.
        latency_ms: of half of the answers, to their end.
        error_rate: share of failed calls.
        updated_at: when the last call ended, or the status changed.
        reason: why it is not operational.
        since: when this status began; None: nobody has seen it begin.
        latency_p95_ms, first_content_p50_ms, first_content_p95_ms: of answers in the last five minutes.
        calls: in the last five minutes.
    """

    provider: str
    model: str
    status: str
    latency_ms: int
    error_rate: float
    updated_at: datetime
    reason: str = ""
    since: datetime | None = None
    latency_p95_ms: int = 0
    first_content_p50_ms: int = 0
    first_content_p95_ms: int = 0
    calls: int = 0

    @property
    def is_by_calls(self) -> bool:
        """Whether calls say so, and neither a circuit nor an administrator."""
        return self.reason in ("", FAILURES)


@dataclass(slots=True)
class Seen:
    """Counted calls of one model; durations are of answers: to their first content, and to their end."""

    provider: str
    model: str
    calls: int = 0
    failed: int = 0
    first_content: Times = field(default_factory=dict)
    whole: Times = field(default_factory=dict)

    def add(self, other: Seen) -> None:
        """Count what the other has counted."""
        self.calls += other.calls
        self.failed += other.failed
        add_up(self.first_content, other.first_content)
        add_up(self.whole, other.whole)


class _Slices:
    __slots__ = ("numbered", "seen_at")

    def __init__(self) -> None:
        self.numbered: deque[tuple[int, Seen]] = deque(maxlen=SLICES)
        self.seen_at: datetime | None = None


class HealthTracker:
    """Counts by (provider, model). `monotonic` are seconds, `now` the wall clock's time."""

    def __init__(self) -> None:
        self._slices: dict[tuple[str, str], _Slices] = {}
        self._untold: dict[tuple[str, str], Seen] = {}

    def answered(self, provider: str, model: str, first_content_s: float, now: datetime, monotonic: float) -> None:
        """Count a call with its first content."""
        bucket = bucket_of(first_content_s)
        for seen in self._both(provider, model, now, monotonic):
            seen.calls += 1
            seen.first_content[bucket] = seen.first_content.get(bucket, 0) + 1

    def ended(self, provider: str, model: str, whole_s: float, now: datetime, monotonic: float) -> None:
        """Note how long an answer took that was counted before."""
        bucket = bucket_of(whole_s)
        for seen in self._both(provider, model, now, monotonic):
            seen.whole[bucket] = seen.whole.get(bucket, 0) + 1

    def failed(self, provider: str, model: str, now: datetime, monotonic: float, *, had_answered: bool) -> None:
        """Count a failure; of a call that had begun to answer, the call is counted already."""
        for seen in self._both(provider, model, now, monotonic):
            seen.calls += not had_answered
            seen.failed += 1

    def absorb(self, told: Iterable[Seen], now: datetime, monotonic: float) -> None:
        """Count what a peer has seen a moment ago."""
        for each in told:
            self._slice(each.provider, each.model, now, monotonic).add(each)

    def take_untold(self) -> list[Seen]:
        """Return what was counted here since the last time: what peers do not know."""
        untold, self._untold = self._untold, {}
        return list(untold.values())

    def find(self, provider: str, model: str, monotonic: float) -> ModelHealth | None:
        """Return what calls say of a model; None when there was none lately."""
        slices = self._slices.get((provider, model))
        if slices is None or slices.seen_at is None:
            return None
        number = _number(monotonic)
        lately = [seen for at, seen in slices.numbered if at > number - SLICES]
        if not lately:
            return None
        recent = _sum(provider, model, [seen for at, seen in slices.numbered if at > number - RECENT])
        all = _sum(provider, model, lately)
        return _health(all, recent if recent.calls >= ENOUGH_CALLS else all, slices.seen_at)

    def _both(self, provider: str, model: str, now: datetime, monotonic: float) -> tuple[Seen, Seen]:
        key = (provider, model)
        untold = self._untold.get(key)
        if untold is None:
            untold = self._untold[key] = Seen(provider, model)
        return untold, self._slice(provider, model, now, monotonic)

    def _slice(self, provider: str, model: str, now: datetime, monotonic: float) -> Seen:
        slices = self._slices.get((provider, model))
        if slices is None:
            slices = self._slices[provider, model] = _Slices()
        slices.seen_at = now
        number = _number(monotonic)
        if not slices.numbered or slices.numbered[-1][0] != number:
            slices.numbered.append((number, Seen(provider, model)))
        return slices.numbered[-1][1]


def _number(monotonic: float) -> int:
    return int(monotonic * SLICES / WINDOW_S)


def _sum(provider: str, model: str, parts: Iterable[Seen]) -> Seen:
    total = Seen(provider, model)
    for part in parts:
        total.add(part)
    return total


def _health(all: Seen, recent: Seen, seen_at: datetime) -> ModelHealth:
    status = _status(recent)
    return ModelHealth(
        all.provider,
        all.model,
        status,
        percentile_ms(all.whole, 0.5),
        min(1.0, recent.failed / recent.calls) if recent.calls else 0.0,
        seen_at,
        reason="" if status == OPERATIONAL else FAILURES,
        latency_p95_ms=percentile_ms(all.whole, 0.95),
        first_content_p50_ms=percentile_ms(all.first_content, 0.5),
        first_content_p95_ms=percentile_ms(all.first_content, 0.95),
        calls=all.calls,
    )


def _status(seen: Seen) -> str:
    if seen.failed >= DOWN_AT * seen.calls and seen.calls >= ENOUGH_CALLS:
        return DOWN
    return DEGRADED if seen.failed and seen.failed >= DEGRADED_AT * seen.calls else OPERATIONAL
