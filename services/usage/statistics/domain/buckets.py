"""The boundaries of a question's buckets: calendar periods of a time zone, as UTC moments."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from services.usage.statistics.domain.query import Bucket

_HOUR: Final = timedelta(hours=1)
# Some zones change by half an hour: the hour in which they do is this short.
_SHORTEST_HOUR: Final = timedelta(minutes=30)


def starts_of(bucket: Bucket, zone: str, since: datetime, until: datetime) -> list[datetime]:
    """Return where each bucket begins that has a part in `since` until before `until`, earliest first.

    The first may begin before `since`. A day of a zone that changes its clock has 23 or 25 hours, an hour that comes
    twice is two buckets.
    """
    area = ZoneInfo(zone)
    starts = [_start_of(bucket, since.astimezone(area))]
    while (following := _next(bucket, starts[-1], area)) < until:
        starts.append(following)
    return starts


def _start_of(bucket: Bucket, local: datetime) -> datetime:
    if bucket is Bucket.HOUR:
        # Taken off in UTC: subtraction on the wall clock would lose which of two equal hours it is.
        start = local.astimezone(UTC) - (local - local.replace(minute=0, second=0, microsecond=0))
        # Where the clock was changed by half an hour within this one, it begins with the change.
        return start + abs(_offset(local) - _offset(start.astimezone(local.tzinfo)))
    day = local.date()
    if bucket is Bucket.WEEK:
        day -= timedelta(days=day.weekday())
    elif bucket is Bucket.MONTH:
        day = day.replace(day=1)
    return datetime.combine(day, time(), local.tzinfo).astimezone(UTC)


def _offset(local: datetime) -> timedelta:
    return local.utcoffset() or timedelta()


def _next(bucket: Bucket, start: datetime, area: ZoneInfo) -> datetime:
    if bucket is Bucket.HOUR:
        following = _start_of(Bucket.HOUR, (start + _HOUR).astimezone(area))
        return following if following > start else start + _SHORTEST_HOUR
    day = start.astimezone(area).date()
    if bucket is Bucket.MONTH:
        day = (day.replace(day=1) + timedelta(days=31)).replace(day=1)
    else:
        day += timedelta(days=7 if bucket is Bucket.WEEK else 1)
    return datetime.combine(day, time(), area).astimezone(UTC)
