"""The accuracy of past forecasts, and what the next one learns from it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from statistics import fmean
from typing import Final

from services.usage.forecasting.domain.radii import FIRST_QUANTILE, NOMINAL

# Adaptive conformal inference: after a miss the quantile rises by 0.8 of this, after a hit it falls by 0.2 of it.
_PACE: Final = 0.02
_LEAST_QUANTILE: Final = 0.6
_MOST_QUANTILE: Final = 0.99


@dataclass(frozen=True, slots=True)
class Kept:
    """A day's forecast, made on that day before its spending was known, and the actual spending; micro-roubles."""

    day: date
    p10: int
    p50: int
    p90: int
    actual: int

    @property
    def was_held(self) -> bool:
        """Tell whether the day was inside its band."""
        return self.p10 <= self.actual <= self.p90


@dataclass(frozen=True, slots=True)
class Accuracy:
    """The accuracy of a user's past forecasts.

    Attributes:
        days: how many were compared.
        held_share: of them, how many were inside their band; four of five should be.
        error_share: what they missed by together, as a share of what was spent; None: nothing was.
    """

    days: int
    held_share: float
    error_share: float | None


def accuracy_of(kept: Iterable[Kept]) -> Accuracy | None:
    """Return how forecasts fared; None when there are none to compare."""
    each = list(kept)
    if not each:
        return None
    missed, spent = sum(abs(one.p50 - one.actual) for one in each), sum(one.actual for one in each)
    return Accuracy(len(each), fmean(one.was_held for one in each), missed / spent if spent else None)


def learned_quantile(kept: Iterable[Kept]) -> float:
    """Return the quantile for the next bands of a user, given the kept forecasts in order of days."""
    quantile = FIRST_QUANTILE
    for one in kept:
        quantile = next_quantile(quantile, was_held=one.was_held)
    return quantile


def next_quantile(quantile: float, *, was_held: bool) -> float:
    """Return the quantile after one more day: bands that held too often get narrower, those that did not wider."""
    return min(max(quantile + _PACE * (NOMINAL - was_held), _LEAST_QUANTILE), _MOST_QUANTILE)
