"""Spans of a calendar in a time zone: days, weeks, months, and what came before a span."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

MIDNIGHT = time()


class Every(StrEnum):
    """How often a scheduled report is made."""

    DAY = "day"
    WEEK = "week"
    """On Mondays."""
    MONTH = "month"
    """On the first."""


@dataclass(frozen=True, slots=True)
class Period:
    """From `since` until before `until`, both in UTC."""

    since: datetime
    until: datetime


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
    return Period(day_begins(first_day(ends - timedelta(days=1), every), zone), day_begins(ends, zone))


def equal_period_before(period: Period, zone: ZoneInfo) -> Period:
    """Return the span before this one: whole months before whole months, else as many days and hours of the clock."""
    since, until = period.since.astimezone(zone), period.until.astimezone(zone)
    if _begins_month(since) and _begins_month(until):
        months = (until.year - since.year) * 12 + until.month - since.month
        return Period(day_begins(_months_before(since.date(), months), zone), period.since)
    # Differences of times of one zone are those of its clocks: seven days are seven days when one has 23 hours.
    before = since - (until.replace(tzinfo=None) - since.replace(tzinfo=None))
    return Period(min(before.astimezone(UTC), period.since), period.since)


def _begins_month(moment: datetime) -> bool:
    return moment.day == 1 and moment.time() == MIDNIGHT


def _months_before(day: date, months: int) -> date:
    counted = day.year * 12 + day.month - 1 - months
    return day.replace(year=counted // 12, month=counted % 12 + 1)
