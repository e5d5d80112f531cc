"""Chooses the forecasting method for a history, or refuses a history that is too short."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from statistics import fmean, pvariance
from typing import Final

from services.usage.forecasting.domain import radii
from services.usage.forecasting.domain.half import WEEK, half, plain_mean, usual_week
from services.usage.forecasting.domain.radii import HORIZON_MAX, WEEKS_MAX, Method, Radii

WINDOW: Final = 84
"""Days of history that are looked at; older ones tell less than they cost."""
LEAST_DAYS: Final = 3
"""With fewer there is no forecast."""
HALF_FROM_DAYS: Final = 28
# With fewer a week that is repeated has missed by less than the ten days of which a quantile is taken.
_MISSES_FROM_DAYS: Final = 11

# Of 5 kB each.
_KEPT: Final = 512
# Half needs two weeks to tell weekdays apart; the longer the window, the longer what its mistakes are made from.
_FIRST_ORIGIN_DAYS: Final = 14
_IRREGULAR_WEEKS: Final = 4
_IRREGULAR_SHARE: Final = 0.6
# Half widths of days and of weeks' sums, as shares of a mean day, for histories of fewer days than the first number:
# too short to have made as many mistakes as are needed. Such bands held 80 % on the six origins for tuning.
_SHORT_WIDTHS: Final = ((7, 0.25, 1.0), (14, 0.2, 0.7), (21, 0.0, 0.7), (HALF_FROM_DAYS, 0.0, 0.0))


class MethodName(StrEnum):
    """The forecasting method."""

    HALF = "half"
    SEASONAL_NAIVE = "seasonal_naive"
    MEAN = "mean"
    ACTIVE_DAYS = "active_days"
    """Spending of an active day times how often there is one: for those who pause more than they spend."""
    NONE = "none"


class Refusal(StrEnum):
    """Why there is no forecast."""

    SHORT_HISTORY = "short_history"
    IRREGULAR = "irregular"


@dataclass(frozen=True, slots=True)
class Outlook:
    """The expected spending of the coming days; day 0 is today.

    Attributes:
        method: what it was made by.
        expected: of each day, HORIZON_MAX of them; the unit is that of the history.
        radii: half widths of the bands.
        history_days: how many days, of those in the window, it was made from.
        days_are_meant: False: only sums are, a single day says nothing.
        refusal: why none of this may be shown as a forecast.
    """

    method: MethodName
    expected: tuple[float, ...]
    radii: Radii
    history_days: int
    days_are_meant: bool = True
    refusal: Refusal | None = None

    @property
    def is_preliminary(self) -> bool:
        """Tell whether the history is so short that only the range should be read."""
        return self.history_days < WEEK

    def sum_of(self, days: int) -> float:
        """Return what to expect of the first days together."""
        return sum(self.expected[:days])


def outlook(days: Sequence[float], quantile: float = radii.FIRST_QUANTILE) -> Outlook:
    """Return what to expect after full days, in order; days before the first spending do not count as history."""
    return _after(tuple(days[-WINDOW:]), quantile)


# Some milliseconds, and asked for again with every look at a page, while the days that are over stay what they are.
@lru_cache(maxsize=_KEPT)
def _after(days: tuple[float, ...], quantile: float) -> Outlook:
    history = _since_first_spending(days)
    found = _by_length(history, quantile)
    return found if found.refusal or not _is_irregular(found) else replace(found, refusal=Refusal.IRREGULAR)


def _by_length(history: Sequence[float], quantile: float) -> Outlook:
    if len(history) < LEAST_DAYS:
        return Outlook(MethodName.NONE, (), Radii((), ()), len(history), refusal=Refusal.SHORT_HISTORY)
    if sum(day == 0 for day in history) * 2 > len(history):
        return _of_active_days(history)
    if len(history) < WEEK:
        return _made(MethodName.MEAN, plain_mean, history, radii.of_spread(history).at_least(_short_radii(history)))
    if len(history) < HALF_FROM_DAYS:
        few = len(history) < _MISSES_FROM_DAYS
        own = radii.of_spread(history) if few else radii.of_past_misses(history, usual_week, WEEK, quantile)
        widths = own.at_least(_short_radii(history)).with_chance_of_weeks()
        return _made(MethodName.SEASONAL_NAIVE, usual_week, history, widths)
    first_origin = max(_FIRST_ORIGIN_DAYS, len(history) // 3)
    return _made(MethodName.HALF, half, history, radii.of_past_misses(history, half, first_origin, quantile))


def _short_radii(history: Sequence[float]) -> Radii:
    daily, weekly = next(widths for days, *widths in _SHORT_WIDTHS if len(history) < days)
    return radii.relative(history, daily, weekly)


def _since_first_spending(days: Sequence[float]) -> Sequence[float]:
    first = next((at for at, day in enumerate(days) if day > 0), len(days))
    return days[first:]


def _made(name: MethodName, method: Method, history: Sequence[float], widths: Radii) -> Outlook:
    return Outlook(name, tuple(method(history, HORIZON_MAX)), widths, len(history))


def _of_active_days(history: Sequence[float]) -> Outlook:
    """Return Croston's idea: how much an active day costs, times how often there is one."""
    # Days are taken as independent: the sum of a week varies by seven times what a day varies.
    spread = math.sqrt(pvariance(history))
    z_of_80 = 1.2816
    widths = Radii((z_of_80 * spread,) * HORIZON_MAX, (z_of_80 * spread * math.sqrt(WEEK),) * WEEKS_MAX)
    expected = (fmean(history),) * HORIZON_MAX
    return Outlook(MethodName.ACTIVE_DAYS, expected, widths, len(history), days_are_meant=False)


def _is_irregular(found: Outlook) -> bool:
    """Tell whether four weeks, or as many of them as misses were counted for, are too unsure to be told."""
    days = WEEK * min(_IRREGULAR_WEEKS, max(1, found.radii.weeks_measured))
    return found.radii.of_sum(days) > _IRREGULAR_SHARE * found.sum_of(days)
