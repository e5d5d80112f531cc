"""Scheduled jobs of reports: order those due, generate queued ones, delete expired ones."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime

from servicekit.clock import Clock
from services.usage.reports.announcing import Announcements
from services.usage.reports.ordering import Reports
from services.usage.reports.performing import Performance
from services.usage.reports.scheduling import Schedules


class ReportUpkeep:
    """Runs the jobs; several instances share the work, since every step claims what it does."""

    def __init__(
        self,
        reports: Reports,
        schedules: Schedules,
        performance: Performance,
        announcements: Announcements,
        delete_expired: Callable[[datetime], Awaitable[None]],
        *,
        clock: Clock,
    ) -> None:
        self._reports = reports
        self._schedules = schedules
        self._performance = performance
        self._announcements = announcements
        self._delete_expired = delete_expired
        self._clock = clock

    async def round(self) -> None:
        """Do everything that is due now.

        Raises:
            ServiceError: something is away; what is left is done in another round.
        """
        await self._schedules.order_due(self._reports.new)
        await self._delete_expired(self._clock.now())
        while await self._performance.make_next():
            await self._announcements.announce()
        await self._announcements.announce()
