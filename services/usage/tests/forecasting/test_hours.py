"""What the hours of a day cost is as good as read anew, though it is read once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import TypeAlias

import asyncpg

from servicekit.testing import FakeClock
from services.usage.forecasting.forecaster import Forecaster
from services.usage.forecasting.hours import HOURS, HoursOfDay
from services.usage.ingest import Ingest
from services.usage.statistics.domain.figures import Row
from services.usage.statistics.domain.query import Query
from services.usage.statistics.store import StatisticsStore
from services.usage.tests.forecasting.test_forecaster import MOSCOW, QUESTION, RUB, days_before, on

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


class CountedReader(StatisticsStore):
    """A store that counts how often it is asked."""

    asked = 0

    async def figures(self, query: Query) -> Sequence[Row]:
        self.asked += 1
        return await super().figures(query)


def full_days(today: date) -> Query:
    """Return two full days of Moscow, without today."""
    midnight = datetime(today.year, today.month, today.day, tzinfo=MOSCOW)
    return Query("user-1", midnight - timedelta(days=2), midnight, "Europe/Moscow")


async def test_hours_are_read_again_when_a_full_day_has_changed(ingest: Ingest, pool: Pool, clock: FakeClock) -> None:
    """A record that came late changes what its day has cost, and with it what its hour has."""
    yesterday = days_before(clock, 1)[0]
    reader = CountedReader(pool)
    hours, asked = HoursOfDay(reader), full_days(yesterday + timedelta(days=1))
    await ingest.record([on(yesterday, 9, 1)])
    first = [await hours.of(asked, [0, RUB]) for _ in range(2)]
    await ingest.record([on(yesterday, 23, 2)])

    late = await hours.of(asked, [0, 2 * RUB])

    expected = [0] * HOURS
    expected[9] = RUB
    assert first == [tuple(expected)] * 2
    assert late[23] == RUB
    assert reader.asked == 2


async def test_hours_of_a_user_are_not_those_of_another_or_of_another_zone(
    ingest: Ingest, pool: Pool, clock: FakeClock
) -> None:
    """Though their days have cost the same."""
    yesterday = days_before(clock, 1)[0]
    hours, asked = HoursOfDay(StatisticsStore(pool)), full_days(yesterday + timedelta(days=1))
    await ingest.record([on(yesterday, 9, 1), on(yesterday, 14, 2, user_id="user-2")])

    found = [await hours.of(each, [0, RUB]) for each in (asked, Query("user-2", asked.since, asked.until, asked.zone))]

    assert [each.index(RUB) for each in found] == [9, 14]


async def test_where_nothing_was_spent_nothing_is_read(pool: Pool, clock: FakeClock) -> None:
    reader = CountedReader(pool)

    assert await HoursOfDay(reader).of(full_days(clock.now().date()), [0, 0]) == (0,) * HOURS
    assert reader.asked == 0


async def test_a_forecast_that_is_asked_for_again_writes_nothing(
    forecaster: Forecaster, ingest: Ingest, pool: Pool, clock: FakeClock
) -> None:
    """It would take a lock, and with it a place in the log that the disk has to confirm."""
    await ingest.record([on(day, 9, at) for at, day in enumerate(days_before(clock, 30))])

    first, again = [await forecaster.forecast(QUESTION) for _ in range(2)]

    assert again == first
    assert await pool.fetchval("SELECT array_agg(xmax::text) FROM usage.forecasts") == ["0"]
