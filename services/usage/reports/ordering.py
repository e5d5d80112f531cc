"""Ordering, reading and deleting reports, by their owners."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Final

from servicekit.clock import Clock
from servicekit.errors import Conflict, ErrorReason, NotFound, QuotaExceeded
from services.usage.domain.identifiers import id_of
from services.usage.reports.domain.link import Link, opens, sign_link
from services.usage.reports.domain.order import Format, Order, Wishes, check_order
from services.usage.reports.domain.report import Report, Status
from services.usage.reports.generation import Generation
from services.usage.reports.performing import Performance
from services.usage.reports.settings import ReportSettings
from services.usage.reports.store.report_store import ReportStore
from services.usage.reports.writers.formats import check_writable

LINK_KEY_BYTES: Final = 32
USUAL_DAYS: Final = 30
NewId = Callable[[], str]


class Reports:
    """The reports of users. Each method raises `Unavailable` while PostgreSQL cannot be used."""

    def __init__(
        self,
        store: ReportStore,
        generation: Generation,
        performance: Performance,
        settings: ReportSettings,
        *,
        clock: Clock,
        new_id: NewId,
    ) -> None:
        self._store = store
        self._generation = generation
        self._performance = performance
        self._settings = settings
        self._clock = clock
        self._new_id = new_id

    def new(self, order: Order, schedule_id: str = "") -> Report:
        """Return a report that is to be made."""
        now = self._clock.now()
        return Report(
            id=self._new_id(),
            order=order,
            status=Status.QUEUED,
            created_at=now,
            expires_at=now + timedelta(days=self._settings.kept_days),
            link_key=secrets.token_bytes(LINK_KEY_BYTES),
            schedule_id=schedule_id,
        )

    def usual_order(self, user_id: str, format: Format) -> Order:
        """Return the order of a summary of the last thirty days, today included."""
        now = self._clock.now()
        first = now.date() - timedelta(days=USUAL_DAYS - 1)
        return Order(user_id, datetime.combine(first, time(), UTC), now, Wishes(format))

    async def order(self, order: Order) -> Report:
        """Return a new report: done already when it is about few requests, else waiting for its turn.

        Raises:
            InvalidRequest: it cannot be made; the field is named.
            QuotaExceeded: the user has too many.
        """
        check_order(order)
        check_writable(order.wishes)
        if await self._store.count(order.user_id) >= self._settings.per_user:
            raise self._too_many()
        report = self.new(order)
        rows = await self._generation.count(order)
        if rows <= self._settings.at_once_rows and not self._performance.is_busy:
            is_kept = await self._performance.make_now(_begun(report, rows))
        else:
            is_kept = await self._store.add(_counted(report, rows), self._settings.per_user)
        if not is_kept:
            raise self._too_many()
        return await self.find(order.user_id, report.id)

    def _too_many(self) -> QuotaExceeded:
        text = f"You have {self._settings.per_user} reports. Delete one (DELETE /v1/reports/{{id}}) or wait."
        return QuotaExceeded(ErrorReason.QUOTA_EXCEEDED, text)

    async def find(self, user_id: str, report_id: str) -> Report:
        """Return a report of the user.

        Raises:
            NotFound: there is none.
        """
        return _found(await self._store.find(user_id, str(id_of("report", report_id))))

    async def list(self, user_id: str) -> Sequence[Report]:
        """Return the user's reports, newest first."""
        return await self._store.list(user_id, self._settings.per_user)

    async def delete(self, user_id: str, report_id: str) -> None:
        """Delete a report, and what was begun of it.

        Raises:
            NotFound: there is none.
        """
        if not await self._store.delete(user_id, str(id_of("report", report_id))):
            raise _absent()

    def link(self, report: Report) -> Link:
        """Return a link that opens the report without a credential, for a day or until it is deleted."""
        ends = self._clock.now() + timedelta(hours=self._settings.link_hours)
        return sign_link(report.link_key, report.id, int(min(ends, report.expires_at).timestamp()))

    async def open_link(self, report_id: str, link: Link) -> Report:
        """Return the report that a link opens.

        Raises:
            NotFound: it is no link of ours, it has expired, the report is gone, or the account of its owner is shut;
                nobody learns which.
        """
        report = await self._store.find_linked(str(id_of("report", report_id)))
        if report is None or not opens(link, report.link_key, report.id, self._clock.now()):
            raise _absent()
        return report

    def content(self, report: Report) -> AsyncIterator[bytes]:
        """Return the pieces of a report's content.

        Raises:
            Conflict: it is not done.
        """
        if report.status is not Status.DONE:
            text = f"The report is {report.status.value}. Its content is there when `status` is done."
            raise Conflict(ErrorReason.CONFLICT, text)
        return self._store.content(report)


def _begun(report: Report, rows: int) -> Report:
    return replace(report, rows_total=rows, status=Status.RUNNING, attempt=1)


def _counted(report: Report, rows: int) -> Report:
    return replace(report, rows_total=rows)


def _found(report: Report | None) -> Report:
    if report is None:
        raise _absent()
    return report


def _absent() -> NotFound:
    return NotFound(ErrorReason.NOT_FOUND, "There is no such report.", param="report_id")
