"""The usual cost of each hour of the day, recomputed when a past day has changed."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from services.usage.statistics.domain.query import Bucket, Query
from services.usage.statistics.reader import StatisticsReader

HOURS: Final = 24
# A user takes 1 kB.
USERS_MAX: Final = 2_000


@dataclass(frozen=True, slots=True)
class _Read:
    """The hours, and of which question and days they are."""

    full_days: Query
    costs: tuple[int, ...]
    hours: tuple[int, ...]


class HoursOfDay:
    """Caches the hours: four weeks of them are most of what a forecast reads, and they rarely change."""

    def __init__(self, reader: StatisticsReader) -> None:
        self._reader = reader
        self._read: OrderedDict[tuple[str | None, str], _Read] = OrderedDict()

    async def of(self, full_days: Query, days: Sequence[int]) -> Sequence[int]:
        """Return micro-roubles of each hour of the clock over some full days of a zone.

        `days` is what each of them has cost; as long as that stays, so do the hours.
        """
        if not any(days):
            return (0,) * HOURS
        whose, costs = (full_days.user_id, full_days.zone), tuple(days)
        known = self._read.get(whose)
        if known is None or (known.full_days, known.costs) != (full_days, costs):
            known = _Read(full_days, costs, await self._hours(full_days))
        self._keep(whose, known)
        return known.hours

    async def _hours(self, full_days: Query) -> tuple[int, ...]:
        hours = [0] * HOURS
        for row in await self._reader.figures(replace(full_days, bucket=Bucket.HOUR)):
            if row.starts_at is not None:
                hours[row.starts_at.astimezone(full_days.since.tzinfo).hour] += row.figures.cost_micro_rub
        return tuple(hours)

    def _keep(self, whose: tuple[str | None, str], read: _Read) -> None:
        self._read[whose] = read
        self._read.move_to_end(whose)
        if len(self._read) > USERS_MAX:
            self._read.popitem(last=False)
