"""Schedules that are changed between two reports: each period has one all the same."""

from __future__ import annotations

from dataclasses import replace
from datetime import time, timedelta
from zoneinfo import ZoneInfo

import pytest

from services.usage.reports.domain.periods import Every
from services.usage.reports.domain.report import WhenEmpty
from services.usage.tests.reports.test_schedules import DAILY, DAY_S, MOSCOW, NINE

ALWAYS = replace(DAILY, when_empty=WhenEmpty.REPORT)
HOUR_S = 3600


async def days_of(room, zone: str) -> list[int]:
    """Return the days that there are reports of."""
    reports = await room.reports.list("user-1")
    return sorted(report.order.since.astimezone(ZoneInfo(zone)).day for report in reports)


@pytest.mark.parametrize(
    ("at", "zone"),
    [
        (time(8), "Europe/Moscow"),
        (time(23), "Europe/Moscow"),
        (NINE, "Asia/Vladivostok"),
        (NINE, "America/New_York"),
    ],
)
async def test_another_time_or_zone_leaves_no_period_out_and_tells_none_twice(make_room, clock, at, zone):
    """Of a month's report that had been due in the evening, its owner got none when it was to come in the morning."""
    room = make_room()
    schedule = await room.schedules.create("user-1", MOSCOW, replace(ALWAYS, at=time(18)))

    await room.schedules.replace("user-1", schedule.id, replace(MOSCOW, zone=zone), replace(ALWAYS, at=at))
    for _ in range(48):
        await room.upkeep.round()
        clock.advance(HOUR_S)

    days = await days_of(room, zone)
    assert days in ([22, 23], [22, 23, 24])


async def test_a_change_while_a_report_is_due_does_not_call_it_off(make_room, clock):
    """A round that makes large reports is long: whatever was due meanwhile was lost by a change of the format."""
    room = make_room()
    schedule = await room.schedules.create("user-1", MOSCOW, ALWAYS)
    clock.advance(DAY_S)

    await room.schedules.replace("user-1", schedule.id, MOSCOW, ALWAYS)
    await room.upkeep.round()

    assert await days_of(room, MOSCOW.zone) == [23]


async def test_weeks_come_though_their_first_day_had_a_report(make_room, clock):
    """Monday's report and the week's begin at the same moment: the week's was taken for one that there was already."""
    room = make_room()
    schedule = await room.schedules.create("user-1", MOSCOW, ALWAYS)
    clock.advance(DAY_S)
    await room.upkeep.round()

    await room.schedules.replace("user-1", schedule.id, MOSCOW, replace(ALWAYS, every=Every.WEEK))
    clock.advance(6 * DAY_S)
    await room.upkeep.round()

    week, monday = await room.reports.list("user-1")
    assert week.order.since == monday.order.since
    assert [each.order.until - each.order.since for each in (monday, week)] == [timedelta(days=1), timedelta(days=7)]
    assert {week.schedule_id, monday.schedule_id} == {schedule.id}
