"""The question and the answer of a forecast: spending until the end of the month, and when a limit is reached."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from services.usage.forecasting.domain.accuracy import Accuracy
from services.usage.forecasting.domain.course import Band, Course
from services.usage.forecasting.domain.outlook import Outlook
from services.usage.forecasting.domain.prices import PriceChange
from services.usage.forecasting.domain.what_if import WhatIf

_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit, and the spending that counts against it so far; micro-roubles.

    Attributes:
        spent: None: what the calendar month has cost, and the limit ends with it.
        ends_on: the first day that does not count any more; None: there is no such day.
    """

    amount: int
    spent: int | None = None
    ends_on: date | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """Whose spending, in which time zone (IANA name), how many days from today on, and what else is asked."""

    user_id: str
    zone: str
    horizon: int
    limit: Limit | None = None
    what_if_model: str = ""


@dataclass(frozen=True, slots=True)
class Spent:
    """The cost of this month: the days before today, and today so far; micro-roubles."""

    today: date
    before: int
    now: int

    @property
    def together(self) -> int:
        """Return the sum."""
        return self.before + self.now

    @property
    def month_ends(self) -> date:
        """Return the first day of the next month."""
        return (self.today.replace(day=1) + 31 * _DAY).replace(day=1)


@dataclass(frozen=True, slots=True)
class Point:
    """A day and its band."""

    day: date
    band: Band


@dataclass(frozen=True, slots=True)
class MonthEnd:
    """The calendar month: its last day, what it has cost so far, and what it will have cost (None: refused)."""

    last_day: date
    spent: int
    band: Band | None
    what_if: Band | None = None


@dataclass(frozen=True, slots=True)
class LimitDates:
    """When a limit is reached: most likely, at the earliest and at the latest (each in nine cases of ten).

    None: not before the limit's period ends, or not within the days that are foretold.
    """

    amount: int
    spent: int
    on: date | None
    earliest: date | None
    latest: date | None


@dataclass(frozen=True, slots=True)
class Forecast:
    """The answer. If `outlook.refusal` is set, there are no points and no bands."""

    as_of: datetime
    outlook: Outlook
    points: tuple[Point, ...]
    month_end: MonthEnd
    limit: LimitDates | None
    price_changes: tuple[PriceChange, ...]
    what_if: WhatIf | None
    accuracy: Accuracy | None


def points(course: Course, today: date, horizon: int) -> tuple[Point, ...]:
    """Return the bands of the days from today on."""
    return tuple(Point(today + lead * _DAY, course.day(lead)) for lead in range(horizon))


def month_end(course: Course | None, spent: Spent, other: WhatIf | None) -> MonthEnd:
    """Return the end of today's month."""
    last_day = spent.month_ends - _DAY
    if course is None:
        return MonthEnd(last_day, spent.together, None)
    band = course.sum_of((spent.month_ends - spent.today).days).plus(spent.before)
    changed = None if other is None else other.applied(band, spent.together)
    return MonthEnd(last_day, spent.together, band, changed)


def limit_dates(course: Course | None, limit: Limit, spent: Spent) -> LimitDates:
    """Return when the limit is reached."""
    counted = spent.together if limit.spent is None else limit.spent
    ends_on = spent.month_ends if limit.spent is None else limit.ends_on
    if counted >= limit.amount:
        return LimitDates(limit.amount, counted, *[spent.today] * 3)
    # What today has cost is counted already, while the course begins with it.
    left = limit.amount - counted + spent.now

    def reached(pick: Callable[[Band], int]) -> date | None:
        lead = None if course is None else course.first_day(left, pick)
        day = None if lead is None else spent.today + lead * _DAY
        return None if day is None or (ends_on is not None and day >= ends_on) else day

    by_each = map(reached, (_p50, _p90, _p10))
    return LimitDates(limit.amount, counted, *by_each)


def _p10(band: Band) -> int:
    return band.p10


def _p50(band: Band) -> int:
    return band.p50


def _p90(band: Band) -> int:
    return band.p90
