"""What can answer a question: a rollup where it has the dimensions, else the rows."""

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


_OF_MODELS: Final = (Dimension.PROVIDER, Dimension.MODEL, Dimension.VERSION, Dimension.STATUS)
_OF_CALLS: Final = (*_OF_MODELS, Dimension.ENDPOINT, Dimension.ERROR)
_DAYS: Final = _daily("usage.rollup_day", *_OF_CALLS, Dimension.KEY, Dimension.APP, Dimension.USER)
# The smallest first.
_OF_A_USER: Final = (_DAYS, _hourly("usage.rollup_hour_user", *_OF_MODELS, Dimension.USER))
_OF_EVERYBODY: Final = (
    _daily("usage.rollup_day_platform", *_OF_CALLS),
    _daily("usage.rollup_day_user", Dimension.USER),
    _DAYS,
    _hourly("usage.rollup_hour_platform", *_OF_CALLS),
)


def sources_of(query: Query) -> tuple[Rollup | None, Rollup | None]:
    """Return the rollup that answers the question, and a finer one for the parts of its slots; None: rows do."""
    needed = {*query.group_by, *query.filters}
    fitting = [each for each in (_OF_EVERYBODY if query.user_id is None else _OF_A_USER) if needed <= each.dimensions]
    hours = next((each for each in fitting if each.slot == _HOUR), None)
    # An hour of a day has to be counted from the finer one anyway.
    days = None if query.bucket is Bucket.HOUR else next((each for each in fitting if each.slot == _DAY), None)
    return (hours, None) if days is None else (days, hours)
