"""Thresholds of notifications: shares of budgets, days before an end, the day after."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Final, Protocol

MODEL_DAYS: Final = (90, 30, 14, 7, 1)
KEY_DAYS: Final = (14, 7, 3, 1)
SUMMARY_HOUR: Final = 9
# A pace is what was spent in so many days; both halves must have some of it, else there is none to speak of.
PACE: Final = timedelta(days=7)
SPENT: Final = 100
DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Reached:
    """When a budget will be spent: the moment or day, and the range of days that is likely."""

    at: datetime
    earliest: date | None = None
    latest: date | None = None


class LimitDates(Protocol):
    """When a limit is reached: most likely, at the earliest and at the latest; None: not within its period."""

    @property
    def on(self) -> date | None:
        """Most likely."""
        ...

    @property
    def earliest(self) -> date | None:
        """In one case of ten."""
        ...

    @property
    def latest(self) -> date | None:
        """In nine cases of ten."""
        ...


class Foretells(Protocol):
    """Forecasts from an account's history when it will have spent a limit."""

    async def __call__(
        self, user_id: str, zone: str, *, limit_micro_rub: int, spent_micro_rub: int, ends_on: date | None
    ) -> LimitDates:
        """Return the dates; those of an account whose history says nothing are None."""
        ...


def highest_reached(thresholds: Iterable[int], spent_micro_rub: int, limit_micro_rub: int) -> int | None:
    """Return the highest share in percent that is spent: exact, no division; None: none of them."""
    reached = [percent for percent in thresholds if spent_micro_rub * 100 >= percent * limit_micro_rub]
    return max(reached, default=None)


def next_step(left: timedelta, steps: Sequence[int]) -> int | None:
    """Return the narrowest of the steps, in days before an end, that has come; None: none has, or it is over."""
    if left <= timedelta(0):
        return None
    return min((days for days in steps if left <= timedelta(days=days)), default=None)


def reached_at(
    rest_micro_rub: int, halves_micro_rub: tuple[int, int], now: datetime, since: datetime
) -> datetime | None:
    """Return when the rest of a budget is spent at the pace of two halves of `PACE`; None: there is no pace.

    `since`: when the first half began to be spent, later than the half itself where the first request was.
    """
    if rest_micro_rub <= 0 or min(halves_micro_rub) <= 0:
        return None
    # In whole seconds: the rest of a large budget at a small pace is further than a calendar goes.
    seconds = rest_micro_rub * int((now - since).total_seconds()) // sum(halves_micro_rub)
    return now + timedelta(seconds=seconds) if seconds < 366 * 86_400 else None


def summary_day(now: datetime, zone: tzinfo) -> date | None:
    """Return the day that is told of now: yesterday, from nine o'clock on; None: it is too early."""
    local = now.astimezone(zone)
    return local.date() - DAY if local.hour >= SUMMARY_HOUR else None


def bounds_of(day: date, zone: tzinfo) -> tuple[datetime, datetime]:
    """Return when a day begins and ends in a zone, daylight saving included."""
    return datetime.combine(day, time(), zone), datetime.combine(day + DAY, time(), zone)
