"""What a change of rows changes in the rollups: sums by key, sorted so that writers lock rows in one order."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from operator import attrgetter
from typing import Final, TypeVar

from services.usage.domain.record import EPOCH, SUMMED, Source, UsageRecord

# 8 % wide: percentiles are at most 4 % off, and 20 ms to 10 min fit into 135 buckets.
BUCKET_GROWTH: Final = 1.08
_LOG_GROWTH: Final = math.log(BUCKET_GROWTH)
_HOUR_MS: Final = 3_600_000

SUMS: Final = ("requests", *SUMMED)
_summed: Final = attrgetter(*SUMMED)

Sums = list[int]
"""Amounts in the order of `SUMS`."""

DayKey = tuple[str, date, str, str, str, str, str, str, str, str]
PlatformKey = tuple[datetime, str, str, str, str, str]
PlatformDayKey = tuple[date, str, str, str, str, str]
UserHourKey = tuple[str, datetime, str, str, str]
UserDayKey = tuple[date, str]
LatencyKey = tuple[datetime, str, str, str, int]

Key = TypeVar("Key", bound=tuple[object, ...])


@dataclass(frozen=True, slots=True)
class Rollups:
    """Amounts to add to each rollup, by its primary key, in the order of the keys."""

    day: tuple[tuple[DayKey, Sums], ...]
    platform: tuple[tuple[PlatformKey, Sums], ...]
    platform_day: tuple[tuple[PlatformDayKey, Sums], ...]
    user_hour: tuple[tuple[UserHourKey, Sums], ...]
    user_day: tuple[tuple[UserDayKey, Sums], ...]
    latency: tuple[tuple[LatencyKey, int], ...]


def latency_bucket(milliseconds: int) -> int:
    """Return the histogram bucket: bucket b holds values up to 1.08**b ms."""
    return math.ceil(math.log(milliseconds) / _LOG_GROWTH) if milliseconds > 1 else 0


def rollups(added: Iterable[UsageRecord], removed: Iterable[UsageRecord] = ()) -> Rollups:
    """Return what storing `added` and taking back `removed` changes."""
    tally = _Tally()
    for record in added:
        tally.count(record, 1)
    for record in removed:
        tally.count(record, -1)
    return Rollups(
        day=_ordered(tally.day),
        platform=_ordered(tally.platform),
        platform_day=_ordered(tally.platform_day),
        user_hour=_ordered(tally.user_hour),
        user_day=_ordered(tally.user_day),
        latency=_ordered(tally.latency),
    )


Amount = TypeVar("Amount", Sums, int)


def _ordered(amounts: dict[Key, Amount]) -> tuple[tuple[Key, Amount], ...]:
    return tuple((key, amounts[key]) for key in sorted(amounts))


class _Tally:
    """Sums by key while records are counted."""

    def __init__(self) -> None:
        self.day: dict[DayKey, Sums] = {}
        self.platform: dict[PlatformKey, Sums] = {}
        self.platform_day: dict[PlatformDayKey, Sums] = {}
        self.user_hour: dict[UserHourKey, Sums] = {}
        self.user_day: dict[UserDayKey, Sums] = {}
        self.latency: dict[LatencyKey, int] = {}
        self._hours: dict[int, tuple[datetime, date]] = {}

    def count(self, record: UsageRecord, sign: int) -> None:
        """Add the record (`sign` 1) or take it back (-1)."""
        hour, day = self._hour_of(record.time_ms // _HOUR_MS)
        user, provider, model, status = record.user_id, record.provider, record.model, str(record.status)
        call = (provider, model, status, record.endpoint, record.error_code)
        amounts = [sign, *[sign * amount for amount in _summed(record)]]
        _add(self.day, (user, day, record.key_id, record.grant_id, record.client_id, *call), amounts)
        _add(self.platform, (hour, *call), amounts)
        _add(self.platform_day, (day, *call), amounts)
        _add(self.user_hour, (user, hour, provider, model, status), amounts)
        _add(self.user_day, (day, user), amounts)
        if record.source is not Source.IMPORTED:
            self._count_latency((hour, provider, model, "latency", latency_bucket(record.latency_ms)), sign)
        if record.first_token_ms > 0:
            self._count_latency((hour, provider, model, "first_token", latency_bucket(record.first_token_ms)), sign)

    def _hour_of(self, number: int) -> tuple[datetime, date]:
        found = self._hours.get(number)
        if found is None:
            hour = EPOCH + timedelta(hours=number)
            found = self._hours[number] = (hour, hour.date())
        return found

    def _count_latency(self, key: LatencyKey, sign: int) -> None:
        self.latency[key] = self.latency.get(key, 0) + sign


def _add(into: dict[Key, Sums], key: Key, amounts: Sums) -> None:
    sums = into.get(key)
    if sums is None:
        into[key] = list(amounts)
        return
    for index, amount in enumerate(amounts):
        sums[index] += amount
