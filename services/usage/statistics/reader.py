"""StatisticsReader: what everything above the store asks it for figures."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Protocol

from services.usage.statistics.domain.figures import Row
from services.usage.statistics.domain.query import Query


class StatisticsReader(Protocol):
    """Answers questions from rows and rollups; each method raises `Unavailable` while the store is away."""

    async def figures(self, query: Query) -> Sequence[Row]:
        """Return a row for each group and bucket in which there was a request, by bucket, then by group.

        Durations are None unless the query asks for quantiles.
        """
        ...

    async def daily_cost(self, user_id: str | None, zone: str, since: date, until: date) -> Sequence[int]:
        """Return micro-roubles of each day in the zone, from `since` until before `until`, empty days too."""
        ...
