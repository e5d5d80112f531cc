"""Reports and schedules of an account that an administrator shut, and that is open again later."""

from __future__ import annotations

from dataclasses import replace
from datetime import time, timedelta

import pytest

from servicekit.errors import NotFound
from services.usage.notifications.store.sessions import Sessions
from services.usage.notifications.store.shut import ShutStore
from services.usage.reports.domain.order import Format, Kind, Wishes
from services.usage.reports.domain.periods import Every
from services.usage.reports.domain.report import Status, WhenEmpty
from services.usage.reports.scheduling import Rhythm
from services.usage.store.connection import connection_of
from services.usage.tests.records import record
from services.usage.tests.reports.histories import BEGINS, history, order, store_history

MOSCOW = Wishes(Format.CSV, Kind.REQUESTS, "Europe/Moscow")
DAILY = Rhythm(Every.DAY, time(9), WhenEmpty.REPORT)
DAY_S = 86_400
USER = "user-1"


class Accounts:
    """Tells usage whose account is shut, as notifications do when the gateway tells them."""

    def __init__(self, store: ShutStore, clock) -> None:
        self._store = store
        self._clock = clock

    async def shut(self, user_id: str) -> None:
        await self._store.put([user_id], [], self._clock.now())

    async def open(self, user_id: str) -> None:
        await self._store.put([], [user_id], self._clock.now())


@pytest.fixture
def accounts(pool, clock) -> Accounts:
    return Accounts(ShutStore(Sessions(pool)), clock)


async def test_schedules_of_a_shut_account_order_nothing_and_go_on_without_what_they_missed(make_room, clock, accounts):
    """A report of each of the days would come at once else; another account's come as ever."""
    room = make_room()
    schedule = await room.schedules.create(USER, MOSCOW, DAILY)
    await room.schedules.create("user-2", MOSCOW, DAILY)
    await accounts.shut(USER)
    for _ in range(3):
        clock.advance(DAY_S)
        await room.upkeep.round()
    nothing = await room.reports.list(USER)
    kept = await room.schedules.find(USER, schedule.id)

    await accounts.open(USER)
    await room.upkeep.round()
    still_nothing = await room.reports.list(USER)
    clock.advance(DAY_S)
    await room.upkeep.round()

    (report,) = await room.reports.list(USER)
    assert (nothing, still_nothing, kept.paused) == ([], [], False)
    assert clock.now() - report.order.until < timedelta(days=1)
    assert len(await room.reports.list("user-2")) == 4


async def test_a_schedule_that_was_not_looked_at_while_its_account_was_shut_has_moved_on_by_then(
    make_room, clock, accounts
):
    """Nobody ran for days: all that it missed is passed over in the first round."""
    room = make_room()
    schedule = await room.schedules.create(USER, MOSCOW, DAILY)
    await accounts.shut(USER)
    clock.advance(5 * DAY_S)

    await room.upkeep.round()

    moved = await room.schedules.find(USER, schedule.id)
    assert await room.reports.list(USER) == []
    assert clock.now() < moved.next_at <= clock.now() + timedelta(days=1)


async def test_a_report_that_waits_is_made_and_told_of_once_its_account_is_open(make_room, store, accounts, told):
    """Its owner ordered it before; nobody behind it in the queue waits with it."""
    room = make_room(at_once_rows=0)
    await store_history(store, [*history(2), replace(record(9, BEGINS), user_id="user-2")])
    mine = await room.reports.order(order())
    theirs = await room.reports.order(replace(order(), user_id="user-2"))
    await accounts.shut(USER)
    await room.upkeep.round()
    waiting = await room.reports.find(USER, mine.id)
    while_shut = [event[0] for event in told]

    await accounts.open(USER)
    await room.upkeep.round()

    done = await room.reports.find(USER, mine.id)
    assert (waiting.status, done.status) == (Status.QUEUED, Status.DONE)
    assert (await room.reports.find("user-2", theirs.id)).status is Status.DONE
    assert (while_shut, [event[0] for event in told]) == (["user-2"], ["user-2", USER])


async def test_a_report_that_was_done_just_before_its_account_was_shut_is_told_of_once_it_is_open(
    make_room, store, accounts, pool, told
):
    """Told of meanwhile it would count as told, with nobody there to hear of it."""
    room = make_room(at_once_rows=0)
    await store_history(store, history(2))
    await room.reports.order(order())
    await room.upkeep.round()
    async with connection_of(pool) as connection:
        await connection.execute("UPDATE usage.reports SET told = false")
    told.clear()
    await accounts.shut(USER)
    await room.upkeep.round()
    while_shut = list(told)

    await accounts.open(USER)
    await room.upkeep.round()

    assert (while_shut, [event[0] for event in told]) == ([], [USER])


async def test_links_to_reports_of_a_shut_account_open_nothing_until_it_is_open(make_room, store, accounts):
    """As a link that is wrong: nobody learns why. The report stays, and so does the link, for the day that it has."""
    room = make_room()
    await store_history(store, history(2))
    report = await room.reports.order(order())
    link = room.reports.link(report)
    await accounts.shut(USER)

    with pytest.raises(NotFound, match="There is no such report"):
        await room.reports.open_link(report.id, link)

    await accounts.open(USER)
    assert (await room.reports.open_link(report.id, link)).id == report.id
