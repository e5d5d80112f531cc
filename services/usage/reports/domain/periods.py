"""Calendar days, weeks and months in a time zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from services.usage.statistics.domain.detailed_stats import Period

MIDNIGHT = time()


class Every(StrEnum):
    """How often a scheduled report is made."""

    DAY = "day"
    WEEK = "week"
    """On Mondays."""
    MONTH = "month"
    """On the first."""


def day_begins(day: date, zone: ZoneInfo) -> datetime:
    """Return the first moment of a day, also where clocks are put forward at midnight, in UTC."""
    return datetime.combine(day, MIDNIGHT, zone).astimezone(UTC)


def first_day(day: date, every: Every) -> date:
    """Return the first day of the day, week or month in which `day` is."""
    if every is Every.WEEK:
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if every is Every.MONTH else day


def next_first_day(day: date, every: Every) -> date:
    """Return the first day of the next day, week or month."""
    longest = {Every.DAY: 1, Every.WEEK: 7, Every.MONTH: 31}[every]
    return first_day(first_day(day, every) + timedelta(days=longest), every)


def period_before(day: date, every: Every, zone: ZoneInfo) -> Period:
    """Return the last whole day, week or month before the one in which `day` is."""
    ends = first_day(day, every)
    begins = first_day(ends - timedelta(days=1), every)
    return Period(day_begins(begins, zone), day_begins(ends, zone), zone.key)
