"""What clocks that are put back change of anomalies: nothing that their user would see."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from servicekit.testing import FakeClock
from services.usage.domain.record import UsageRecord
from services.usage.ingest import Ingest
from services.usage.insights.assembly import Insights
from services.usage.insights.domain.incident import Grain
from services.usage.store.connection import NAME_USER
from services.usage.tests.insights.story import ROUBLE, Writer, write

USER: Final = "user-1"
NEW_YORK: Final = ZoneInfo("America/New_York")
# The day after clocks were put back there.
MONDAY: Final = datetime(2026, 11, 2, tzinfo=NEW_YORK)


@pytest.fixture(autouse=True)
async def in_new_york(pool: asyncpg.Pool[asyncpg.Record]) -> None:
    async with pool.acquire() as connection:
        await connection.execute(NAME_USER, USER)
        await connection.execute(
            "INSERT INTO usage.notification_people (user_id, language, time_zone, told_at)"
            " VALUES ($1, 'en', 'America/New_York', now())",
            USER,
        )


def stand_at(clock: FakeClock, moment: datetime) -> None:
    clock.jump((moment.astimezone(UTC) - clock.now()).total_seconds())


@pytest.mark.parametrize(("cost", "new"), [(400, 0), (1_300, 1)])
async def test_a_batch_of_each_morning_is_no_anomaly_the_day_after_clocks_changed(
    ingest: Ingest, insights: Insights, clock: FakeClock, cost: int, new: int
) -> None:
    """At eight for 400 roubles: at the same hour of UTC there was nothing the weeks before, and each day rang."""
    stand_at(clock, MONDAY.replace(hour=8, minute=30))

    def mornings(writer: Writer) -> Iterator[UsageRecord]:
        for ago in range(28, 0, -1):
            yield writer.row((MONDAY - timedelta(days=ago)).replace(hour=8), cost_micro_rub=400 * ROUBLE)
        yield writer.row(MONDAY.replace(hour=8), cost_micro_rub=cost * ROUBLE)

    await write(ingest, USER, mornings)

    assert await insights.anomalies.watch_hours() == new


async def test_a_cause_is_compared_with_the_same_days_of_the_weeks_before(
    ingest: Ingest, insights: Insights, clock: FakeClock
) -> None:
    """What a Monday costs at half past midnight was left out of those before clocks changed; Tuesday's was there."""
    stand_at(clock, MONDAY + timedelta(days=1, hours=1))

    def nights(writer: Writer) -> Iterator[UsageRecord]:
        for ago in range(40, 0, -1):
            cost = 100 if ago % 7 else 300
            yield writer.row((MONDAY - timedelta(days=ago)).replace(minute=30), cost_micro_rub=cost * ROUBLE)
        yield writer.row(MONDAY.replace(minute=30), cost_micro_rub=1_900 * ROUBLE)

    await write(ingest, USER, nights)

    await insights.jobs.look()

    found = await insights.anomalies.list_of(USER, MONDAY - timedelta(days=9), MONDAY + timedelta(days=9), 50)
    (day,) = [each for each in found if each.grain is Grain.DAY]
    assert (day.begins_at, day.actual_micro_rub) == (MONDAY, 1_900 * ROUBLE)
    assert (day.cause.expected_micro_rub, day.cause.actual_micro_rub) == (300 * ROUBLE, 1_900 * ROUBLE)
