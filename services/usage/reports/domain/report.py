"""A stored report, and a schedule of reports."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from services.usage.reports.domain.order import Order, Wishes, zone_of
from services.usage.reports.domain.periods import Every, first_day, next_first_day, period_before

# A report that ended three instances, or that three could not finish, would end a fourth one too.
ATTEMPTS: Final = 3


class Status(StrEnum):
    """The status of a report."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Report:
    """A report.

    Attributes:
        rows_total: requests that it is about; 0 until they are counted.
        rows_done: of a report of requests, those that are written.
        error: why it failed, for its owner.
        link_key: signs links to it.
        attempt: counts who began to make it.
        schedule_id: of the schedule that ordered it; empty: its owner did.
        snapshot_at: the moment whose rows it shows.
        expires_at: when it is deleted.
    """

    id: str
    order: Order
    status: Status
    created_at: datetime
    expires_at: datetime
    link_key: bytes
    rows_total: int = 0
    rows_done: int = 0
    error: str = ""
    size_bytes: int = 0
    sha256: bytes = b""
    attempt: int = 0
    schedule_id: str = ""
    snapshot_at: datetime | None = None
    finished_at: datetime | None = None

    @property
    def progress(self) -> float:
        """Return how much of it is made, from 0 to 1."""
        if self.status is Status.DONE:
            return 1.0
        return self.rows_done / self.rows_total if self.rows_total else 0.0

    @property
    def file_name(self) -> str:
        """Return what to save it as: days of its zone, the last one included."""
        zone = zone_of(self.order.wishes)
        first = self.order.since.astimezone(zone).date()
        last = (self.order.until - timedelta(microseconds=1)).astimezone(zone).date()
        wishes = self.order.wishes
        return f"razvilka-{wishes.kind.value}-{first}-{last}.{wishes.format.value}"


class WhenEmpty(StrEnum):
    """What a schedule does for a period without requests."""

    SKIP = "skip"
    REPORT = "report"


@dataclass(frozen=True, slots=True)
class Schedule:
    """A recurring report of the last whole day, week or month.

    Attributes:
        every: which period; a week's report comes on Monday, a month's on the first.
        at: of the clock in the zone of the wishes, on the day after the period.
        next_at: when the next one is due.
        paused: none comes, and none that was missed when it goes on.
        maker: the credential that made it, and with which it ends; "": a person.
    """

    id: str
    user_id: str
    every: Every
    at: time
    wishes: Wishes
    when_empty: WhenEmpty
    next_at: datetime
    created_at: datetime
    paused: bool = False
    maker: str = ""

    @property
    def next_day(self) -> date:
        """Return the day of its zone on which the next one is due."""
        return self.next_at.astimezone(zone_of(self.wishes)).date()

    def goes_on_from(self, before: Schedule) -> bool:
        """Tell whether what was due next is also due of this one, which takes its place."""
        return self.every is before.every and not self.paused and not before.paused

    def due_on(self, day: date) -> datetime:
        """Return when the report is due that comes on a day, in UTC."""
        return _moment(day, self.at, zone_of(self.wishes))

    def due_order(self) -> Order:
        """Return what is ordered at `next_at`: the period that ended before."""
        period = period_before(self.next_day, self.every, zone_of(self.wishes))
        return Order(self.user_id, period.since, period.until, self.wishes)

    def following(self) -> datetime:
        """Return when the one after the next is due."""
        return next_due(self.every, self.at, zone_of(self.wishes), self.next_at)


def next_due(every: Every, at: time, zone: ZoneInfo, after: datetime) -> datetime:
    """Return the first moment later than `after` at which a report is due, in UTC."""
    day = first_day(after.astimezone(zone).date(), every)
    due = _moment(day, at, zone)
    while due <= after:
        day = next_first_day(day, every)
        due = _moment(day, at, zone)
    return due


def _moment(day: date, at: time, zone: ZoneInfo) -> datetime:
    # A time that clocks skip counts as if they had not been put forward yet; of one that comes twice, the first counts.
    return datetime.combine(day, at, zone).astimezone(UTC)
