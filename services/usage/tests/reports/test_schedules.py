"""Schedules: at nine of the user's clock, once a period, in every zone and on every change of clocks."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

import pytest

from servicekit.errors import NotFound, QuotaExceeded, Unavailable
from services.usage.domain.record import Status as UsageStatus
from services.usage.reports.domain.link import Link
from services.usage.reports.domain.order import Format, Kind, Wishes
from services.usage.reports.domain.periods import Every, period_before
from services.usage.reports.domain.report import Status, WhenEmpty, next_due
from services.usage.reports.scheduling import Rhythm
from services.usage.statistics.domain.query import Dimension
from services.usage.tests.records import record
from services.usage.tests.reports.histories import ZONES, order, store_history

NINE = time(9)
MOSCOW = Wishes(Format.CSV, Kind.REQUESTS, "Europe/Moscow")
DAILY = Rhythm(Every.DAY, NINE, WhenEmpty.SKIP)
DAY_S = 86_400


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("every", list(Every))
def test_through_a_year_each_period_has_one_report_at_nine_of_the_clock(zone: str, every: Every):
    """No period is left out or told twice when clocks change; each report is of the whole period before."""
    place, moment = ZoneInfo(zone), datetime(2026, 1, 1, tzinfo=UTC)
    ends = None
    while moment < datetime(2027, 1, 1, tzinfo=UTC):
        moment = next_due(every, NINE, place, moment)
        local = moment.astimezone(place)
        period = period_before(local.date(), every, place)
        assert local.time() == NINE
        assert period.until.astimezone(place).time() == period.since.astimezone(place).time() == time()
        assert ends in {None, period.since}
        ends = period.until


def test_a_day_that_begins_at_one_is_a_day():
    """Where clocks skip midnight, a day begins with its first moment, and the one before ends there."""
    beirut = ZoneInfo("Asia/Beirut")
    first, second = (period_before(day, Every.DAY, beirut) for day in (datetime(2026, 3, 29), datetime(2026, 3, 30)))

    assert first.until == second.since == datetime(2026, 3, 28, 22, tzinfo=UTC)
    assert second.until - second.since == timedelta(hours=23)


async def test_a_due_report_is_ordered_once_however_many_look(make_room, store, clock):
    """Several instances, one report; the next is due a day later."""
    rooms = [make_room() for _ in range(3)]
    await store_history(store, [record(1, clock.now())])
    schedule = await rooms[0].schedules.create("user-1", MOSCOW, DAILY)
    clock.advance(DAY_S)

    await asyncio.gather(*[room.upkeep.round() for room in rooms])
    await rooms[0].upkeep.round()

    (report,) = await rooms[0].reports.list("user-1")
    assert (report.status, report.schedule_id, report.rows_total) == (Status.DONE, schedule.id, 1)
    assert report.order.since == datetime(2026, 11, 22, 21, tzinfo=UTC)
    assert report.file_name == "razvilka-requests-2026-11-23-2026-11-23.csv"
    moved = await rooms[0].schedules.find("user-1", schedule.id)
    assert (schedule.next_at.hour, moved.next_at - schedule.next_at) == (6, timedelta(days=1))


async def test_a_paused_schedule_orders_nothing_and_goes_on_without_what_it_missed(make_room, store, clock):
    """Days later its next report is of the day before, and of that day only."""
    room = make_room()
    await store_history(store, [record(number, clock.now() + timedelta(days=number)) for number in range(5)])
    schedule = await room.schedules.create("user-1", MOSCOW, DAILY)
    resting = await room.schedules.replace("user-1", schedule.id, MOSCOW, replace(DAILY, paused=True))
    clock.advance(3 * DAY_S)
    await room.upkeep.round()
    nothing = await room.reports.list("user-1")

    await room.schedules.replace("user-1", schedule.id, MOSCOW, DAILY)
    await room.upkeep.round()
    clock.advance(DAY_S)
    await room.upkeep.round()

    (report,) = await room.reports.list("user-1")
    assert (resting.paused, nothing) == (True, [])
    assert report.order.until - report.order.since == timedelta(days=1)
    assert clock.now() - report.order.until < timedelta(days=1)


async def test_a_period_without_what_the_filters_ask_for_is_empty(make_room, store, clock):
    """Who wants to see what failed, and nothing of a day without, has no file of zeros each morning."""
    room, failed = make_room(), {Dimension.STATUS: ("failed",)}
    await store_history(store, [record(1, clock.now())])
    await room.schedules.create("user-1", replace(MOSCOW, filters=failed), DAILY)
    clock.advance(DAY_S)
    await room.upkeep.round()
    nothing = await room.reports.list("user-1")
    await store_history(store, [replace(record(2, clock.now()), status=UsageStatus.FAILED)])
    clock.advance(DAY_S)

    await room.upkeep.round()

    (report,) = await room.reports.list("user-1")
    assert (nothing, report.rows_total) == ([], 1)


async def test_owners_are_told_once_of_reports_that_they_did_not_wait_for(make_room, store, clock, told):
    """With a link that opens them; of one that was ready at once they know."""
    room = make_room()
    await store_history(store, [record(1, clock.now())])
    await room.schedules.create("user-1", MOSCOW, DAILY)
    await room.reports.order(order(Format.CSV))
    clock.advance(DAY_S)

    for _ in range(2):
        await room.upkeep.round()

    ((user_id, kind, once, facts),) = told
    report, _ = await room.reports.list("user-1")
    assert (user_id, kind, once, facts["name"]) == ("user-1", "report.ready", report.id, report.file_name)
    address, _, query = facts["url"].partition("?")
    assert address == f"https://llm.example/v1/reports/{report.id}/download"
    given = dict(parse_qsl(query))
    link = Link(int(given["expires"]), given["signature"])
    assert (await room.reports.open_link(report.id, link)).id == report.id


async def test_owners_are_told_once_of_reports_that_failed_while_they_did_not_wait(make_room, store, clock, told):
    """With the reason; of one that failed in the answer to its order they know."""
    room = make_room(rows_max=1)
    await store_history(store, [record(number, clock.now()) for number in (1, 2)])
    await room.schedules.create("user-1", replace(MOSCOW, kind=Kind.REQUESTS), DAILY)
    await room.reports.order(order(Format.CSV, Kind.REQUESTS))
    clock.advance(DAY_S)

    for _ in range(2):
        await room.upkeep.round()

    ((user_id, kind, once, facts),) = told
    report, _ = await room.reports.list("user-1")
    assert (user_id, kind, once) == ("user-1", "report.failed", report.id)
    assert facts == {
        "name": report.file_name,
        "report_id": report.id,
        "schedule_id": report.schedule_id,
        "error": "The report would have 2 rows; 1 are allowed. Choose a shorter period.",
    }


async def test_periods_missed_while_nobody_ran_are_made_up_for(make_room, store, clock):
    """Each has its own report."""
    room = make_room()
    await room.schedules.create("user-1", MOSCOW, Rhythm(Every.DAY, NINE, WhenEmpty.REPORT))

    clock.advance(3 * DAY_S)
    await room.upkeep.round()

    days = [report.order.since.date().day for report in await room.reports.list("user-1")]
    assert sorted(days) == [22, 23, 24]


async def test_a_period_without_requests_is_quiet_if_so_wished(make_room, clock):
    """And the schedule moves on all the same."""
    room = make_room()
    quiet = await room.schedules.create("user-1", MOSCOW, Rhythm(Every.WEEK, NINE, WhenEmpty.SKIP))
    loud = await room.schedules.create("user-1", MOSCOW, Rhythm(Every.WEEK, NINE, WhenEmpty.REPORT))

    clock.advance(7 * DAY_S)
    await room.upkeep.round()

    assert [report.schedule_id for report in await room.reports.list("user-1")] == [loud.id]
    assert (await room.schedules.find("user-1", quiet.id)).next_at > clock.now()


async def test_schedules_are_changed_and_deleted_by_their_owner_only(make_room):
    """What is another's is not there."""
    room = make_room(schedules_per_user=1)
    schedule = await room.schedules.create("user-1", MOSCOW, DAILY)

    changed = await room.schedules.replace(
        "user-1", schedule.id, MOSCOW, Rhythm(Every.MONTH, time(7, 30), WhenEmpty.REPORT)
    )

    assert await room.schedules.list("user-1") == [changed]
    assert changed.next_at == datetime(2026, 12, 1, 4, 30, tzinfo=UTC)
    with pytest.raises(QuotaExceeded):
        await room.schedules.create("user-1", MOSCOW, DAILY)
    for change in (
        room.schedules.replace("user-2", schedule.id, MOSCOW, DAILY),
        room.schedules.delete("user-2", schedule.id),
    ):
        with pytest.raises(NotFound):
            await change
    await room.schedules.delete("user-1", schedule.id)
    assert await room.schedules.list("user-1") == []


async def test_a_schedule_that_is_deleted_while_it_is_changed_stays_deleted(make_room, pool):
    """Else its reports go on coming."""
    room = make_room()
    schedule = await room.schedules.create("user-1", MOSCOW, DAILY)

    async with pool.acquire() as other, other.transaction():
        await other.execute("DELETE FROM usage.report_schedules")
        changing = asyncio.create_task(room.schedules.replace("user-1", schedule.id, MOSCOW, DAILY))
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        async with asyncio.timeout(60):
            while not await pool.fetchval(waiting):
                await asyncio.sleep(0.01)
    with pytest.raises(NotFound):
        await changing

    assert await room.schedules.list("user-1") == []


async def test_many_schedules_at_once_do_not_get_past_the_bound(make_room):
    """Each counted before any was kept."""
    room = make_room(schedules_per_user=2)

    made = [room.schedules.create("user-1", MOSCOW, DAILY) for _ in range(4)]
    answers = await asyncio.gather(*made, return_exceptions=True)

    assert sum(isinstance(answer, QuotaExceeded) for answer in answers) == 2
    assert len(await room.schedules.list("user-1")) == 2


@pytest.mark.parametrize("strange", ['{"zone": "Antarctica/Vostok_2"}', '{"format": "ods"}'])
async def test_a_schedule_of_another_version_stops_nobody_elses(make_room, store, clock, pool, strange):
    """Beside a newer release, or after the way back: a zone or a format that this one does not have."""
    room = make_room()
    await store_history(store, [record(1, clock.now())])
    left = await room.schedules.create("user-1", MOSCOW, DAILY)
    ours = await room.schedules.create("user-1", MOSCOW, replace(DAILY, at=time(10)))
    await pool.execute("UPDATE usage.report_schedules SET wishes = wishes || $2::jsonb WHERE id = $1", left.id, strange)
    clock.advance(2 * DAY_S)

    await room.upkeep.round()

    assert {report.schedule_id for report in await room.reports.list("user-1")} == {ours.id}
    assert [each.id for each in await room.schedules.list("user-1")] == [ours.id]
    due = await pool.fetchval("SELECT next_at FROM usage.report_schedules WHERE id = $1", left.id)
    assert due == left.next_at
    with pytest.raises(Unavailable):
        await room.schedules.find("user-1", left.id)


@pytest.mark.parametrize("status", ["queued", "done"])
async def test_a_report_of_another_version_stops_nobody_elses(make_room, store, clock, pool, told, status):
    """Neither one that waits to be made nor one that is to be told of; whoever can make it has all its attempts."""
    room = make_room()
    await store_history(store, [record(1, clock.now())])
    for hour in (9, 10):
        await room.schedules.create("user-1", MOSCOW, replace(DAILY, at=time(hour)))
    clock.advance(DAY_S)
    await room.schedules.order_due(room.reports.new)
    first = "id = (SELECT id FROM usage.reports ORDER BY created_at, id LIMIT 1)"
    strange = "jsonb_set(ordered, '{wishes,zone}', '\"Antarctica/Vostok_2\"')"
    await pool.execute(f"UPDATE usage.reports SET ordered = {strange}, status = $1 WHERE {first}", status)

    await room.upkeep.round()

    (made,) = await room.reports.list("user-1")
    assert (made.status, [once for _, _, once, _ in told]) == (Status.DONE, [made.id])
    rows = await pool.fetch("SELECT status, attempt FROM usage.reports WHERE id <> $1", made.id)
    assert list(map(tuple, rows)) == [(status, 0)]
