"""Widths of forecast bands that should contain four days of five, learned from past errors.

Split-conformal: the method is run from every past day of the window on, and what it then missed by is counted. A band
of the ordinary quantile covers too little (73 of 80 %: the window that made the forecast also judges it), so the
quantile is a higher one, and moves by what past forecasts of the user really covered (`accuracy.next_quantile`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, stdev
from typing import Final

from services.usage.forecasting.domain.half import WEEK

HORIZON_MAX: Final = 35
WEEKS_MAX: Final = HORIZON_MAX // WEEK
NOMINAL: Final = 0.8
"""What a band promises to hold."""
FIRST_QUANTILE: Final = 0.88
"""Of past misses, before anything is known of how well the bands hold."""

# Misses of neighbouring leads are pooled: of one lead alone there are too few in three months.
_POOLED_LEADS: Final = 6
_DAILY_MIN: Final = 10
_WEEKLY_MIN: Final = 8
# Of a lead with too few misses to count: the misses of a week grow so from one week ahead to the next. Chosen on the
# six origins for tuning, for histories of 28 days, whose bands of a month held 72 % without it and hold 83 % with it.
_GROWTH: Final = 2.0
# A sum of seven days varies by the root of seven of what one does. Of four weeks, the last one again, that is 0.65 of
# four times a day's miss, which has the chance of two days in it; the rest is for what changes.
_CHANCE_OF_WEEKS: Final = 0.8 * math.sqrt(WEEK)
# Student's t of four cases of five, of three to six days.
_T_OF_FEW: Final = 1.5

Method = Callable[[Sequence[float], int], list[float]]


@dataclass(frozen=True, slots=True)
class Radii:
    """Half-widths of bands, in the unit of the days.

    Attributes:
        daily: of the day with each lead, 0 is today; never less than that of a shorter lead.
        weekly: of the sum of each week ahead; never less than that of an earlier week.
        weeks_measured: how many of the weeks had enough misses; the others are told from the one before.
    """

    daily: tuple[float, ...]
    weekly: tuple[float, ...]
    weeks_measured: int = WEEKS_MAX

    def of_sum(self, days: int) -> float:
        """Return the half width for the sum of the first days: weeks are added up as if they all missed one way."""
        if days <= 0:
            return 0.0
        first_day, first_week = self.daily[0], max(self.daily[0], self.weekly[0])
        if days <= WEEK:
            return first_day + (first_week - first_day) * (days - 1) / (WEEK - 1)
        weeks, rest = divmod(days - WEEK, WEEK)
        following = self.weekly[1:]
        return first_week + sum(following[:weeks]) + (following[weeks] * rest / WEEK if rest else 0.0)

    def with_chance_of_weeks(self) -> Radii:
        """Return weeks as wide, at least, as chance makes them whose days miss by so much, each by itself."""
        of_chance = [_CHANCE_OF_WEEKS * self.daily[week * WEEK] for week in range(WEEKS_MAX)]
        return replace(self, weekly=tuple(map(max, self.weekly, of_chance)))

    def at_least(self, other: Radii) -> Radii:
        """Return the wider of the two at each lead."""
        weeks_measured = max(self.weeks_measured, other.weeks_measured)
        daily, weekly = map(max, self.daily, other.daily), map(max, self.weekly, other.weekly)
        return Radii(tuple(daily), tuple(weekly), weeks_measured)


def of_past_misses(days: Sequence[float], method: Method, first: int, quantile: float) -> Radii:
    """Return the radii of a method from what it would have missed by from the day `first` of the window on."""
    daily: list[list[float]] = [[] for _ in range(HORIZON_MAX)]
    weekly: list[list[float]] = [[] for _ in range(WEEKS_MAX)]
    for origin in range(first, len(days)):
        horizon = min(HORIZON_MAX, len(days) - origin)
        misses = [a - b for a, b in zip(method(days[:origin], horizon), days[origin:], strict=False)]
        for lead, miss in enumerate(misses):
            daily[lead].append(abs(miss))
        for week in range(horizon // WEEK):
            weekly[week].append(abs(sum(misses[week * WEEK : (week + 1) * WEEK])))
    weeks_measured = sum(len(of_week) >= _WEEKLY_MIN for of_week in weekly)
    return Radii(tuple(_daily(daily, quantile)), tuple(_weekly(weekly, quantile)), weeks_measured)


def of_spread(days: Sequence[float]) -> Radii:
    """Return the radii of the mean of a few days, by what they differ; the mean of fewer is the less sure."""
    spread = _T_OF_FEW * stdev(days)
    return Radii((spread,) * HORIZON_MAX, (WEEK * spread / math.sqrt(len(days)),) * WEEKS_MAX)


def relative(days: Sequence[float], daily: float, weekly: float) -> Radii:
    """Return radii that are shares of a mean day: for histories too short to have mistakes of their own."""
    mean = fmean(days)
    return Radii((daily * mean,) * HORIZON_MAX, (weekly * mean,) * WEEKS_MAX, WEEKS_MAX if weekly else 0)


def upper_quantile(misses: Sequence[float], quantile: float) -> float:
    """Return the conformal quantile: of n values the ceil((n + 1) q)th, the greatest at most."""
    rank = math.ceil((len(misses) + 1) * quantile)
    return sorted(misses)[min(rank, len(misses)) - 1]


def _daily(misses: Sequence[Sequence[float]], quantile: float) -> Iterator[float]:
    radius = 0.0
    for lead in range(len(misses)):
        near = misses[max(0, lead - _POOLED_LEADS) : lead + _POOLED_LEADS + 1]
        pool = [miss for of_lead in near for miss in of_lead]
        if len(pool) >= _DAILY_MIN:
            radius = max(radius, upper_quantile(pool, quantile))
        yield radius


def _weekly(misses: Sequence[Sequence[float]], quantile: float) -> Iterator[float]:
    radius = 0.0
    for of_week in misses:
        enough = len(of_week) >= _WEEKLY_MIN
        radius = max(radius, upper_quantile(of_week, quantile)) if enough else radius * _GROWTH
        yield radius
