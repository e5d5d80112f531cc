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
        has_users: it tells users apart.
    """

    table: str
    slot: timedelta
    time: str
    time_type: str
    dimensions: frozenset[Dimension]
    has_users: bool = True


_OF_MODELS: Final = {Dimension.PROVIDER, Dimension.MODEL, Dimension.VERSION, Dimension.STATUS}
_OF_CALLS: Final = {*_OF_MODELS, Dimension.ENDPOINT, Dimension.ERROR}
# The cheapest first.
ROLLUPS: Final = (
    Rollup("usage.rollup_hour_platform", _HOUR, "hour", "timestamptz", frozenset(_OF_CALLS), has_users=False),
    Rollup("usage.rollup_hour_user", _HOUR, "hour", "timestamptz", frozenset()),
    Rollup(
        "usage.rollup_day",
        _DAY,
        "day",
        "date",
        frozenset({*_OF_CALLS, Dimension.KEY, Dimension.APP, Dimension.USER}),
    ),
)


def source_of(query: Query) -> Rollup | None:
    """Return the rollup that answers the question; None: rows do."""
    needed = {*query.group_by, *query.filters}
    fitting = (each for each in ROLLUPS if needed <= each.dimensions and _fits(each, query))
    return next(fitting, None)


def _fits(rollup: Rollup, query: Query) -> bool:
    if not rollup.has_users:
        return query.user_id is None
    # Of everybody, hours of users are more rows than days of models and keys.
    if rollup.slot == _HOUR:
        return query.user_id is not None
    # An hour of a day has to be counted from rows anyway.
    return query.bucket is not Bucket.HOUR
