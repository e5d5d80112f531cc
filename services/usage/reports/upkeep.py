"""What reports do by themselves: schedules that are due, reports that wait, and the end of what has expired."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime

import structlog

from servicekit.clock import Clock
from servicekit.errors import ServiceError
from services.usage.reports import metrics
from services.usage.reports.ordering import Reports
from services.usage.reports.performing import Performance
from services.usage.reports.scheduling import Schedules

log = structlog.get_logger()


class ReportUpkeep:
    """One round after another; several instances share the work, since every step claims what it does."""

    def __init__(
        self,
        reports: Reports,
        schedules: Schedules,
        performance: Performance,
        delete_expired: Callable[[datetime], Awaitable[None]],
        *,
        clock: Clock,
        poll_s: float,
    ) -> None:
        self._reports = reports
        self._schedules = schedules
        self._performance = performance
        self._delete_expired = delete_expired
        self._clock = clock
        self._poll_s = poll_s

    async def run(self) -> None:
        """Go on for ever; what failed is tried again in the next round."""
        while True:
            try:
                await self.round()
            except ServiceError as exc:
                metrics.ROUNDS_FAILED.inc()
                log.warning("usage.report_round_failed", reason=exc.reason.value)
            except Exception:
                metrics.ROUNDS_FAILED.inc()
                log.exception("usage.report_round_failed")
            await self._wait()

    async def round(self) -> None:
        """Do everything that is due now."""
        self._reports.waiting.clear()
        await self._schedules.order_due(self._reports.new)
        await self._delete_expired(self._clock.now())
        while await self._performance.make_next():
            pass

    async def _wait(self) -> None:
        """Return when a report waits, at the latest when it is time to look."""
        waits = {asyncio.ensure_future(self._clock.sleep(self._poll_s)), asyncio.ensure_future(self._woken())}
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _woken(self) -> None:
        await self._reports.waiting.wait()
