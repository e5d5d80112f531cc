"""What is asked of forecasts and what they answer. Money is in micro-roubles, dates are YYYY-MM-DD."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class ForecastLimit:
    """A limit and what counts against it.

    Attributes:
        spent: None: what the calendar month has cost, and the limit ends with it.
        ends_on: the first day that does not count; "": there is none.
    """

    amount: int
    spent: int | None = None
    ends_on: str = ""


@dataclass(frozen=True, slots=True)
class ForecastQuestion:
    """Days of which zone, how many from today on, until which limit, and which model would answer short calls."""

    zone: str
    horizon: int
    limit: ForecastLimit | None = None
    what_if_model: str = ""


class Band(NamedTuple):
    """In four cases of five it is between p10 and p90."""

    p10: int
    p50: int
    p90: int


class LimitDates(NamedTuple):
    """When a limit is reached: "" where not before its period ends, or not within five weeks."""

    amount: int
    spent: int
    on: str
    earliest: str
    latest: str


class WhatIf(NamedTuple):
    """What the short calls of four weeks cost, would cost, and how the month would end."""

    model: str
    requests: int
    cost: int
    would_cost: int
    month_end: Band | None


class Accuracy(NamedTuple):
    """How many past days were compared, which share was inside its band, and by which share of all they were off."""

    days: int
    held_share: float
    error_share: float | None


@dataclass(frozen=True, slots=True)
class Forecast:
    """The answer; with a refusal there are no points and no band of the month."""

    as_of: datetime
    method: str
    history_days: int
    preliminary: bool
    refusal: str
    points: tuple[tuple[str, Band], ...]
    month_ends_on: str
    month_spent: int
    month_end: Band | None
    limit: LimitDates | None
    price_changes: tuple[tuple[str, float], ...]
    what_if: WhatIf | None
    accuracy: Accuracy | None
