"""Detects whether a day, or the current hour, cost more than expected: rules, threshold and cause.

A day: it exceeds what was foreseen for it by more than nineteen of twenty misses of the last four weeks did, it is a
tenth above every day of those weeks, and it is enough to matter. On 51 public series twice that miss alone, without the
look at the highest day, raised twice as many false alarms and found fewer spikes: `make anomaly-eval` prints both.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Final

from services.usage.forecasting.domain.half import WEEK, smoothed_level, weekday_shares

LEAST_DAYS: Final = 10
WINDOW_DAYS: Final = 84
MISSES: Final = 28
BAR_MISSES: Final = 1.0
"""How many q95 misses above what was foreseen a day must be."""
BAR_HIGHEST: Final = 1.1
"""How many times the highest day of the last four weeks."""
QUANTILE: Final = 0.95
IMPACT_MICRO_RUB: Final = 100_000_000
IMPACT_SHARE: Final = 0.1
HOUR_TIMES: Final = 3.0
"""How many times the same hour of other weeks an hour must be: found before it has cost five times as much."""
WEEKS: Final = 4
_TWO_WEEKS: Final = 2 * WEEK
_HOURS: Final = 24


@dataclass(frozen=True, slots=True)
class Judgement:
    """The expected value and the threshold of an anomaly, in the unit of the history."""

    expected: float
    bar: float

    def is_exceeded(self, actual: float, mean_day: float) -> bool:
        """Tell whether so much is an anomaly: above the bar, and enough money to matter."""
        return actual > self.bar and matters(actual - self.expected, mean_day)


def matters(excess: float, mean_day: float) -> bool:
    """Tell whether so many micro-roubles above what was foreseen are worth a notice."""
    return excess >= max(IMPACT_MICRO_RUB, IMPACT_SHARE * mean_day)


def expected_next(days: Sequence[float]) -> float:
    """Return what to expect of the day after these: the level times the weekday's share; a mean of short histories."""
    if len(days) < _TWO_WEEKS:
        return fmean(days)
    shares = weekday_shares(days)
    values = [day / shares[at % WEEK] for at, day in enumerate(days) if shares[at % WEEK] > 0]
    return smoothed_level(values) * shares[len(days) % WEEK] if values else 0.0


def judge_next_day(days: Sequence[float], *, forgiven: int = 0) -> Judgement | None:
    """Return the bar of the day after these, None where there are fewer than ten since the first spending.

    Args:
        days: costs, in order.
        forgiven: how often the user said "this was expected" of the like: each raises the bar by one q95 miss.
    """
    first = next((at for at, day in enumerate(days) if day > 0), len(days))
    history = days[max(first, len(days) - WINDOW_DAYS) :]
    if len(history) < LEAST_DAYS:
        return None
    begin = max(WEEK, len(history) - MISSES)
    misses = sorted(abs(history[at] - expected_next(history[:at])) for at in range(begin, len(history)))
    q95 = misses[math.ceil(QUANTILE * len(misses)) - 1]
    expected = expected_next(history)
    highest = max(history[-MISSES:])
    return Judgement(expected, max(expected + BAR_MISSES * q95, BAR_HIGHEST * highest) + forgiven * q95)


def judge_hour(same_hours: Sequence[float], mean_day: float, *, forgiven: int = 0) -> Judgement:
    """Return the bar of an hour: three times the highest of the same hours of the last weeks, or of a mean hour.

    The mean hour is for those who begin to work at another time than they did.
    """
    expected = fmean(same_hours) if same_hours else 0.0
    return Judgement(expected, (HOUR_TIMES + forgiven) * max([*same_hours, mean_day / _HOURS]))


def weeks_of(days: int) -> int:
    """Return in how many of the last weeks a span can be looked for of somebody who began so many days before it."""
    return max(1, min(WEEKS, days // WEEK))


@dataclass(frozen=True, slots=True)
class Cause:
    """A key, model, provider or error: its cost and its expected cost, in micro-roubles."""

    dimension: str
    value: str
    expected_micro_rub: int
    actual_micro_rub: int

    @property
    def excess_micro_rub(self) -> int:
        """Return by how much it cost more."""
        return self.actual_micro_rub - self.expected_micro_rub

    def joined(self, later: Cause) -> Cause:
        """Return the cause of two spans together: the sum where it is one and the same, else the one that grew more."""
        if (self.dimension, self.value) != (later.dimension, later.value):
            return max(later, self, key=lambda cause: cause.excess_micro_rub)
        expected = self.expected_micro_rub + later.expected_micro_rub
        return replace(
            self, expected_micro_rub=expected, actual_micro_rub=self.actual_micro_rub + later.actual_micro_rub
        )


NO_CAUSE: Final = Cause("", "", 0, 0)
# Where several explain as much, the one that says most: a key is somebody's, a provider is half the world.
_TELLING: Final = ("key", "error", "model", "provider")


def root_cause(candidates: Iterable[Cause]) -> Cause:
    """Return the one that grew most; `NO_CAUSE` of none."""
    ordered = sorted(candidates, key=lambda cause: (-cause.excess_micro_rub, _TELLING.index(cause.dimension)))
    return ordered[0] if ordered else NO_CAUSE
