"""The expected spending from today on: an outlook, corrected by today's cost so far and by known price changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from services.usage.forecasting.domain.outlook import Outlook
from services.usage.forecasting.domain.radii import HORIZON_MAX

_HOURS: Final = 24
_MINUTES: Final = 60
# The share of a day's spending that must usually be over for what it has cost to be taken for its pace.
_TELLING: Final = 0.1


@dataclass(frozen=True, slots=True)
class Band:
    """Micro-roubles: with 80 % probability between p10 and p90, and equally likely above or below p50."""

    p10: int
    p50: int
    p90: int

    def plus(self, spent: int) -> Band:
        """Return the band after so much was spent already."""
        return Band(self.p10 + spent, self.p50 + spent, self.p90 + spent)


@dataclass(frozen=True, slots=True)
class Today:
    """The current day: its cost so far, and the share of a day's spending that is usual by now."""

    spent: int
    passed: float


class Course:
    """Bands of days and of sums from today on; day 0 is today, with what it has cost so far.

    Args:
        outlook: of full days; it must not be refused.
        today: what is known of today.
        factors: what the same use costs on each day, as a share of today's prices; HORIZON_MAX of them.
    """

    def __init__(self, outlook: Outlook, today: Today, factors: Sequence[float]) -> None:
        self._outlook = outlook
        self._today = today
        expected = [_rest_of(today, outlook.expected[0]), *outlook.expected[1:]]
        self._coming = [day * factor for day, factor in zip(expected, factors, strict=True)]
        self._factors = factors
        self._sums = [0.0, *accumulate(self._coming)]

    def day(self, lead: int) -> Band:
        """Return the band of a day."""
        radius = self._outlook.radii.daily[lead] * self._factors[lead]
        if lead == 0:
            return _band(self._coming[0], radius * (1 - self._today.passed)).plus(self._today.spent)
        return _band(self._coming[lead], radius)

    def sum_of(self, days: int) -> Band:
        """Return the band of the first days together, HORIZON_MAX at most; what today has cost is in it."""
        if days <= 0:
            return Band(0, 0, 0)
        known = self._today.passed * self._outlook.radii.daily[0]
        dearer = sum(self._factors[:days]) / days
        radius = max(0.0, self._outlook.radii.of_sum(days) - known) * dearer
        return _band(self._sums[days], radius).plus(self._today.spent)

    def first_day(self, amount: int, pick: Callable[[Band], int]) -> int | None:
        """Return the first day by which so much is spent, by one of a band's figures; None: on none of those known."""
        return next((lead for lead in range(HORIZON_MAX) if pick(self.sum_of(lead + 1)) >= amount), None)


def share_passed(by_hour: Sequence[float], hour: int, minute: int) -> float:
    """Return which share of a day's spending is over at a time of day, given what each of its hours usually costs."""
    total = sum(by_hour)
    if total <= 0:
        return (hour + minute / _MINUTES) / _HOURS
    return min(1.0, (sum(by_hour[:hour]) + by_hour[hour] * minute / _MINUTES) / total)


def _rest_of(today: Today, expected: float) -> float:
    """Return what the rest of today will cost: the later it is, the more today itself says, and not the forecast.

    Before the hours in which the user spends today says nothing: a night's batch that came early would be taken for
    the pace of the whole day, and be foretold twice beside it.
    """
    ahead = today.spent - today.passed * expected
    return (1 - today.passed) * max(0.0, expected + ahead * min(1.0, today.passed / _TELLING))


def _band(expected: float, radius: float) -> Band:
    return Band(round(max(0.0, expected - radius)), round(expected), round(expected + radius))
