"""Does a quantile that learns from each day's band end nearer to what bands promise?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import Final

from services.usage.forecasting.domain.accuracy import next_quantile
from services.usage.forecasting.domain.outlook import WINDOW, outlook
from services.usage.forecasting.domain.radii import FIRST_QUANTILE
from tools.forecast_eval.series import Series

DAYS: Final = 84


def coverage_by_day(series: Iterable[Series]) -> tuple[float, float]:
    """Return the share of days inside that day's band: with the first quantile throughout, and with a learned one."""
    each = [_held(one.days) for one in series]
    return fmean(fixed for fixed, _ in each), fmean(adapted for _, adapted in each)


def _held(days: Sequence[float]) -> tuple[float, float]:
    quantile, fixed, adapted = FIRST_QUANTILE, [], []
    for today in range(len(days) - DAYS, len(days)):
        history = days[max(0, today - WINDOW) : today]
        fixed.append(_is_held(history, days[today], FIRST_QUANTILE))
        adapted.append(_is_held(history, days[today], quantile))
        quantile = next_quantile(quantile, was_held=adapted[-1])
    return fmean(fixed), fmean(adapted)


def _is_held(history: Sequence[float], actual: float, quantile: float) -> bool:
    found = outlook(history, quantile)
    return abs(actual - found.expected[0]) <= found.radii.daily[0]
