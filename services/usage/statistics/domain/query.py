"""One query to the usage rows: user, period, filters and groups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final

MAX_DIMENSIONS: Final = 2


class Dimension(StrEnum):
    """Dimensions for grouping and filtering; the names are those of the API's parameters."""

    PROVIDER = "provider"
    MODEL = "model"
    """The family: `yandexgpt`."""
    VERSION = "version"
    """The model with its version: `yandexgpt:latest`."""
    KEY = "key"
    APP = "app"
    """The OAuth client."""
    STATUS = "status"
    ENDPOINT = "endpoint"
    ERROR = "error"
    """The error's code; empty where there was none."""
    TAG = "tag"
    """`name=value` of the caller's `metadata`; a row with two tags is in two groups, one without is in the group ''."""
    USER = "user"
    """For administrators only."""


class Bucket(StrEnum):
    """A calendar unit in the question's time zone; weeks begin on Monday."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


NO_FILTERS: Final[Mapping[Dimension, tuple[str, ...]]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class RowPosition:
    """Where a page of rows ended: they are in the order of this pair, groups by the code points of their values."""

    starts_at: datetime
    group: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Query:
    """A question.

    Attributes:
        user_id: whose rows; None: of everybody (administrators).
        since: the first moment, with a time zone.
        until: the end, itself excluded.
        zone: IANA name of the time zone in which buckets begin.
        bucket: None: the whole span is one.
        group_by: at most two dimensions.
        filters: rows whose value of the dimension is one of these; every dimension narrows.
        quantiles: whether durations are wanted too: they cost far more than sums.
        top: so many groups, by cost, then requests; the others are one row of each bucket. 0: all groups.
        limit: rows at most, of a question with buckets; what lies behind them is not counted. 0: all rows.
        after: the row behind which to go on; None: from the beginning.
    """

    user_id: str | None
    since: datetime
    until: datetime
    zone: str = "UTC"
    bucket: Bucket | None = None
    group_by: tuple[Dimension, ...] = ()
    filters: Mapping[Dimension, tuple[str, ...]] = field(default_factory=lambda: NO_FILTERS)
    quantiles: bool = False
    top: int = 0
    limit: int = 0
    after: RowPosition | None = None

    @property
    def is_folded(self) -> bool:
        """Tell whether groups beyond the largest are one."""
        return self.top > 0 and bool(self.group_by)
