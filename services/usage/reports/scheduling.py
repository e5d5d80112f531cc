"""Schedules of reports: each period's report is ordered once, by whichever instance comes first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import time

from servicekit.clock import Clock
from servicekit.errors import ErrorReason, NotFound, QuotaExceeded
from services.usage.domain.identifiers import id_of
from services.usage.domain.maker import THEMSELVES, checked_maker
from services.usage.reports.domain.order import Order, Wishes, check_wishes, zone_of
from services.usage.reports.domain.periods import Every
from services.usage.reports.domain.report import Report, Schedule, WhenEmpty, next_due
from services.usage.reports.settings import ReportSettings
from services.usage.reports.store.schedule_store import ScheduleStore
from services.usage.reports.writers.formats import check_writable


@dataclass(frozen=True, slots=True)
class Rhythm:
    """When a schedule's reports come, what an empty period gives, and whether the schedule is paused."""

    every: Every
    at: time
    when_empty: WhenEmpty
    paused: bool = False


class Schedules:
    """The schedules of users. Each method raises `Unavailable` while PostgreSQL cannot be used."""

    def __init__(
        self, store: ScheduleStore, settings: ReportSettings, *, clock: Clock, new_id: Callable[[], str]
    ) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock
        self._new_id = new_id

    async def create(self, user_id: str, wishes: Wishes, rhythm: Rhythm, maker: str = THEMSELVES) -> Schedule:
        """Return a new schedule, which ends with its maker.

        Raises:
            InvalidRequest: its reports could not be made; the field is named.
            QuotaExceeded: the user has too many.
        """
        most, made = self._settings.schedules_per_user, self._schedule(self._new_id(), user_id, wishes, rhythm)
        schedule = replace(made, maker=checked_maker(maker))
        if not await self._store.add(schedule, most):
            raise QuotaExceeded(ErrorReason.QUOTA_EXCEEDED, f"You have {most} schedules. Delete or change one.")
        return schedule

    async def replace(self, user_id: str, schedule_id: str, wishes: Wishes, rhythm: Rhythm) -> Schedule:
        """Return the schedule with other wishes and another rhythm.

        What is due next stays due, though it be at another time of its day: no period is left out by a change.

        Raises:
            InvalidRequest: its reports could not be made; the field is named.
            NotFound: there is none.
        """
        found = await self.find(user_id, schedule_id)
        said = self._schedule(found.id, user_id, wishes, rhythm)
        schedule = replace(said, created_at=found.created_at, maker=found.maker)
        if schedule.goes_on_from(found):
            schedule = replace(schedule, next_at=schedule.due_on(found.next_day))
        if not await self._store.change(schedule):
            raise _absent()
        return schedule

    async def find(self, user_id: str, schedule_id: str) -> Schedule:
        """Return a schedule of the user.

        Raises:
            NotFound: there is none.
        """
        found = await self._store.find(user_id, str(id_of("schedule", schedule_id)))
        if found is None:
            raise _absent()
        return found

    async def list(self, user_id: str) -> Sequence[Schedule]:
        """Return the user's schedules, oldest first."""
        return await self._store.list(user_id)

    async def delete(self, user_id: str, schedule_id: str) -> None:
        """Delete a schedule; reports that it made stay.

        Raises:
            NotFound: there is none.
        """
        if not await self._store.delete(user_id, str(id_of("schedule", schedule_id))):
            raise _absent()

    async def order_due(self, new_report: Callable[[Order, str], Report]) -> None:
        """Order all reports that are due, also those of periods missed while nobody ran."""

        def new(order: Order, schedule: Schedule) -> Report:
            return new_report(order, schedule.id)

        passed = set[str]()
        while await self._store.order_due(self._clock.now(), new, passed):
            pass

    def _schedule(self, schedule_id: str, user_id: str, wishes: Wishes, rhythm: Rhythm) -> Schedule:
        check_wishes(wishes)
        check_writable(wishes)
        now = self._clock.now()
        due = next_due(rhythm.every, rhythm.at, zone_of(wishes), now)
        when = (rhythm.every, rhythm.at, wishes, rhythm.when_empty)
        return Schedule(schedule_id, user_id, *when, next_at=due, created_at=now, paused=rhythm.paused)


def _absent() -> NotFound:
    return NotFound(ErrorReason.NOT_FOUND, "There is no such schedule.", param="schedule_id")
