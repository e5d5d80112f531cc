"""The question about a period, and its answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from services.usage.domain.record import EPOCH
from services.usage.statistics.domain.drivers import ModelChange
from services.usage.statistics.domain.figures import Figures, Row
from services.usage.statistics.domain.query import NO_FILTERS, Bucket, Dimension, Query, RowPosition


@dataclass(frozen=True, slots=True)
class Period:
    """A half-open period, and the time zone in which its days begin."""

    since: datetime
    until: datetime
    zone: str = "UTC"

    def previous(self) -> Period:
        """Return the period of the same length that ends where this one begins; its length is the wall clock's.

        So what begins at a midnight and lasts whole days is preceded by whole days, also when the clock changed. Within
        the hour of the change the clock's lengths mean nothing, and real ones count. Before 1970 there is nothing.
        """
        area = ZoneInfo(self.zone)
        since, until = self.since.astimezone(area), self.until.astimezone(area)
        begins = _earlier(since, until - since)
        if begins >= since.astimezone(UTC):
            begins = _earlier(since, until.astimezone(UTC) - since.astimezone(UTC), UTC)
        return Period(begins, self.since, self.zone)


def _earlier(moment: datetime, by: timedelta, zone: tzinfo | None = None) -> datetime:
    """Return a moment so much earlier by the clock of a zone (None: of its own), in UTC."""
    try:
        return max(EPOCH, (moment.astimezone(zone or moment.tzinfo) - by).astimezone(UTC))
    except OverflowError:
        return EPOCH


@dataclass(frozen=True, slots=True)
class Grouping:
    """How a period is grouped, and which extra figures are wanted.

    Attributes:
        bucket: None: the period is one.
        group_by: at most two dimensions.
        filters: as of a query.
        top: so many groups, by cost, then requests; the others become one. 0: all groups.
        quantiles: of durations, in the total and in the rows.
        compared: with the previous period of the same length.
        limit: so many rows, the first ones behind `after`. 0: all rows.
        after: where the page before ended.
    """

    bucket: Bucket | None = None
    group_by: tuple[Dimension, ...] = ()
    filters: Mapping[Dimension, tuple[str, ...]] = field(default_factory=lambda: NO_FILTERS)
    top: int = 0
    quantiles: bool = False
    compared: bool = False
    limit: int = 0
    after: RowPosition | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """The previous period, and each model's change since.

    Attributes:
        models: largest change first; their effects add up to the difference of the totals' cost.
    """

    period: Period
    total: Figures
    models: tuple[ModelChange, ...]


@dataclass(frozen=True, slots=True)
class DetailedStats:
    """The figures of a period.

    Attributes:
        rows: one for each bucket and group; empty when neither was asked for.
        comparison: None: not asked for.
        as_of: when it was counted.
    """

    period: Period
    rows: tuple[Row, ...]
    total: Figures
    comparison: Comparison | None
    as_of: datetime


def query_of(user_id: str | None, period: Period, grouping: Grouping) -> Query:
    """Return the question to the store."""
    return Query(
        user_id,
        period.since,
        period.until,
        period.zone,
        grouping.bucket,
        grouping.group_by,
        grouping.filters,
        quantiles=grouping.quantiles,
        top=grouping.top,
        limit=grouping.limit,
        after=grouping.after,
    )
