"""The protocol: forecasts from nine days in the past of each series, each judged by the four weeks that followed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Final

from services.usage.forecasting.domain.half import WEEK, seasonal_naive
from services.usage.forecasting.domain.outlook import MethodName, Outlook, outlook
from services.usage.forecasting.domain.radii import FIRST_QUANTILE, NOMINAL, of_past_misses
from tools.forecast_eval.series import Series

HORIZON: Final = 28
HALF_HORIZON: Final = 14
TUNING: Final = tuple(HORIZON * number for number in range(1, 7))
"""Days before the end of a series from which it is foretold. What the method is was chosen by these."""
UNSEEN: Final = tuple(HORIZON * number for number in range(7, 10))
"""By these nothing was chosen."""

Forecaster = Callable[[Sequence[float]], Outlook]


@dataclass(frozen=True, slots=True)
class Judged:
    """What one forecast was worth.

    Attributes:
        mase: mean absolute error, as a share of what a series changes by from week to week.
        smape: of the first two weeks, percent.
        total: how far the sum of four weeks is off, percent.
        held_daily: share of the days inside their band.
        held_total: whether the sum was inside its band.
        msis: width of the daily bands with a fine for what lies outside, scaled as `mase`.
        width: half width of the sum's band, as a share of the sum.
        refused: whether users would not be shown it.
    """

    mase: float
    smape: float
    total: float
    held_daily: float
    held_total: float
    msis: float
    width: float
    refused: float


def judged(series: Iterable[Series], length: int, origins: Sequence[int], forecaster: Forecaster) -> Judged:
    """Return the means over every series and origin, given `length` days of history each time."""
    each = [_judge(one.days, length, origin, forecaster) for one in series for origin in origins]
    names = Judged.__slots__
    return Judged(*(fmean(getattr(one, name) for one in each) for name in names))


def ours(history: Sequence[float]) -> Outlook:
    """Return the service's forecast."""
    return outlook(history)


def naive(history: Sequence[float]) -> Outlook:
    """Return the last week repeated, its bands made as ours are."""
    radii = of_past_misses(history, seasonal_naive, WEEK, FIRST_QUANTILE)
    return Outlook(MethodName.SEASONAL_NAIVE, tuple(seasonal_naive(history, HORIZON)), radii, len(history))


def _judge(days: Sequence[float], length: int, origin: int, forecaster: Forecaster) -> Judged:
    now = len(days) - origin
    found = forecaster(days[max(0, now - length) : now])
    actual, expected, radii = days[now : now + HORIZON], found.expected[:HORIZON], found.radii
    misses = [abs(a - b) for a, b in zip(actual, expected, strict=True)]
    scale = fmean(abs(days[at] - days[at - WEEK]) for at in range(WEEK, len(days)))
    off, allowed = abs(sum(actual) - sum(expected)), radii.of_sum(HORIZON)
    return Judged(
        mase=fmean(misses) / scale,
        smape=fmean(map(_smape, actual[:HALF_HORIZON], expected)),
        total=100 * off / max(sum(actual), 1.0),
        held_daily=fmean(miss <= radius for miss, radius in zip(misses, radii.daily, strict=False)),
        held_total=float(off <= allowed),
        msis=fmean(map(_interval_score, misses, radii.daily)) / scale,
        width=allowed / max(sum(expected), 1.0),
        refused=float(found.refusal is not None),
    )


def _smape(actual: float, expected: float) -> float:
    return 200 * abs(actual - expected) / (actual + expected) if actual + expected else 0.0


def _interval_score(miss: float, radius: float) -> float:
    return 2 * radius + 2 / (1 - NOMINAL) * max(0.0, miss - radius)
