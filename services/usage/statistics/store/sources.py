"""Chooses the source of a query: a rollup if it has the dimensions, else the rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from services.usage.statistics.domain.query import Bucket, Dimension, Query

_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Rollup:
    """A table of sums.

    Attributes:
        table: its name.
        slot: what one of its rows covers, in UTC.
        time: its column with the beginning of the slot.
        time_type: of that column.
        dimensions: what its columns can tell apart.
    """

    table: str
    slot: timedelta
    time: str
    time_type: str
    dimensions: frozenset[Dimension]


def _hourly(table: str, *dimensions: Dimension) -> Rollup:
    return Rollup(table, _HOUR, "hour", "timestamptz", frozenset(dimensions))


def _daily(table: str, *dimensions: Dimension) -> Rollup:
    return Rollup(table, _DAY, "day", "date", frozenset(dimensions))


_OF_CALLS: Final = (
    *(Dimension.PROVIDER, Dimension.MODEL, Dimension.VERSION),
    *(Dimension.STATUS, Dimension.ENDPOINT, Dimension.ERROR),
)
_OF_KEYS: Final = (Dimension.KEY, Dimension.APP, Dimension.USER)
_KEYS: Final = _daily("usage.rollup_day_key", *_OF_KEYS)
_TAGS: Final = _daily("usage.rollup_day_tag", Dimension.TAG, Dimension.USER)
_DAYS: Final = _daily("usage.rollup_day", *_OF_CALLS, *_OF_KEYS)
# The smallest first.
_OF_A_USER: Final = (
    _daily("usage.rollup_day_user_model", *_OF_CALLS, Dimension.USER),
    _KEYS,
    _DAYS,
    _TAGS,
    _hourly("usage.rollup_hour_user", *_OF_CALLS, Dimension.USER),
)
_PLATFORM_DAYS: Final = _daily("usage.rollup_day_platform", *_OF_CALLS)
_PLATFORM_HOURS: Final = _hourly("usage.rollup_hour_platform", *_OF_CALLS)
_OF_EVERYBODY: Final = (
    _PLATFORM_DAYS,
    _daily("usage.rollup_day_user", Dimension.USER),
    _KEYS,
    _DAYS,
    _TAGS,
    _PLATFORM_HOURS,
)
_WEEKS: Final = Rollup("usage.rollup_week_key", timedelta(days=7), "week", "date", frozenset(_OF_KEYS))
# Of fewer days there are hardly any whole weeks.
_WEEKS_FROM: Final = timedelta(days=21)


def sources_of(query: Query) -> tuple[Rollup | None, Rollup | None]:
    """Return the rollup that answers the question, and a finer one for the parts of its slots; None: rows do."""
    if Dimension.TAG in query.filters:
        # Sums of tags do not know which requests have two of them, nor what else those have.
        return None, None
    needed = {*query.group_by, *query.filters}
    fitting = [each for each in (_OF_EVERYBODY if query.user_id is None else _OF_A_USER) if needed <= each.dimensions]
    hours = next((each for each in fitting if each.slot == _HOUR), None)
    # An hour of a day has to be counted from the finer one anyway.
    days = None if query.bucket is Bucket.HOUR else next((each for each in fitting if each.slot == _DAY), None)
    if days is _KEYS and _is_long(query):
        return _WEEKS, days
    return (hours, None) if days is None else (days, hours)


def is_of_platform(query: Query) -> bool:
    """Tell whether sums answer that are as few with a billion requests as with a million: everybody's, by call."""
    return query.user_id is None and sources_of(query)[0] in (_PLATFORM_DAYS, _PLATFORM_HOURS)


def _is_long(query: Query) -> bool:
    """Tell whether weeks of all keys are fewer to read than their days."""
    is_whole = query.bucket in {None, Bucket.WEEK, Bucket.MONTH}
    return query.user_id is None and is_whole and query.until - query.since >= _WEEKS_FROM
