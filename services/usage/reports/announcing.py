"""Raises an event when a report ends that its owner did not wait for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeAlias
from urllib.parse import urlencode

from services.usage.reports.domain.link import Link
from services.usage.reports.domain.report import Report, Status
from services.usage.reports.store.report_store import ReportStore

# Of notifications, which this room does not know: user, kind, what is told once, facts.
RaiseEvent: TypeAlias = Callable[[str, str, str, Mapping[str, Any]], Awaitable[int]]
READY: Final = "report.ready"
FAILED: Final = "report.failed"


class Announcements:
    """Raises an event for each report that its owner did not wait for: scheduled or large ones."""

    def __init__(
        self, store: ReportStore, link_of: Callable[[Report], Link], raise_event: RaiseEvent, public_url: str
    ) -> None:
        self._store = store
        self._link_of = link_of
        self._raise_event = raise_event
        self._public_url = public_url.rstrip("/")

    async def announce(self) -> None:
        """Tell of all that have ended and were not told of; telling again after a crash tells nothing new.

        Raises:
            Unavailable: PostgreSQL is gone; what is left is told in another round.
        """
        for report in await self._store.untold():
            kind, facts = (FAILED, _failure(report)) if report.status is Status.FAILED else (READY, self._facts(report))
            await self._raise_event(report.order.user_id, kind, report.id, facts)
            await self._store.mark_told(report)

    def _facts(self, report: Report) -> dict[str, Any]:
        link = self._link_of(report)
        query = urlencode({"expires": link.expires, "signature": link.signature})
        return {
            **_which(report),
            "url": f"{self._public_url}/v1/reports/{report.id}/download?{query}",
            "rows": report.rows_total,
            "size_bytes": report.size_bytes,
            "sha256": report.sha256.hex(),
            "expires_at": report.expires_at.isoformat(),
        }


def _failure(report: Report) -> dict[str, Any]:
    return {**_which(report), "error": report.error}


def _which(report: Report) -> dict[str, Any]:
    return {"name": report.file_name, "report_id": report.id, "schedule_id": report.schedule_id or None}
