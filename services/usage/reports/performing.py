"""Generates queued reports: claimed with a lease, stored in pieces, restarted if their worker vanishes."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import BinaryIO, Final

import structlog

from servicekit import lifecycle
from servicekit.clock import Clock
from servicekit.errors import InvalidRequest, Unavailable
from services.usage.reports import metrics
from services.usage.reports.domain.report import Report
from services.usage.reports.generation import Generation, Made
from services.usage.reports.settings import ReportSettings
from services.usage.reports.store.report_store import GAVE_UP, ReportStore

log = structlog.get_logger()

PIECE: Final = 1 << 20


class LeaseLost(Exception):
    """Another instance generates this report now, or its owner has deleted it."""


class Performance:
    """Generates reports, up to a concurrency limit."""

    def __init__(
        self, store: ReportStore, generation: Generation, settings: ReportSettings, scratch: str, clock: Clock
    ) -> None:
        self._store = store
        self._generation = generation
        self._settings = settings
        self._scratch = scratch
        self._clock = clock
        self._free = asyncio.Semaphore(settings.parallel)

    @property
    def is_busy(self) -> bool:
        """Tell whether one more would have to wait."""
        return self._free.locked()

    async def make_next(self) -> bool:
        """Make the next report that waits; False: there is none."""
        async with self._free:
            now = self._clock.now()
            report = await self._store.claim(now, now + self._lease)
            if report is None:
                return False
            await self._make(report)
            return True

    async def make_now(self, report: Report) -> bool:
        """Keep and make a new report while its owner waits; False: they have as many as one may have."""
        async with self._free:
            if not await self._store.add(report, self._settings.per_user, self._clock.now() + self._lease):
                return False
            await self._make(report)
            return True

    @property
    def _lease(self) -> timedelta:
        return timedelta(seconds=self._settings.lease_s)

    async def _make(self, report: Report) -> None:
        began = self._clock.monotonic()
        format_name = report.order.wishes.format.value
        try:
            outcome = await self._outcome(report)
        except LeaseLost:
            outcome = "lost"
        metrics.REPORTS.labels(format_name, outcome).inc()
        metrics.REPORT_SECONDS.labels(format_name).observe(self._clock.monotonic() - began)

    async def _outcome(self, report: Report) -> str:
        try:
            async with self._renewed(report):
                await self._write_and_keep(report)
        except (LeaseLost, Unavailable):
            # Not made, and not its fault: whoever has the lease next begins anew.
            raise
        except InvalidRequest as exc:
            return await self._failed(report, exc.message)
        except Exception:
            log.exception("usage.report_failed", report=report.id, format=report.order.wishes.format.value)
            return await self._failed(report, GAVE_UP)
        return "done"

    async def _failed(self, report: Report, error: str) -> str:
        if not await self._store.fail(report, error, self._clock.now()):
            raise LeaseLost
        return "failed"

    async def _write_and_keep(self, report: Report) -> None:
        async def progress(done: int, total: int) -> None:
            if not await self._store.renew(report, self._clock.now() + self._lease, done, total):
                raise LeaseLost

        with tempfile.TemporaryFile(dir=self._scratch) as file:
            made = await self._generation.write(report.order, file, progress)
            await self._keep(report, file, made)

    async def _keep(self, report: Report, file: BinaryIO, made: Made) -> None:
        size, digest, number = 0, hashlib.sha256(), 0
        file.seek(0)
        while piece := await asyncio.to_thread(file.read, PIECE):
            digest.update(piece)
            size += len(piece)
            await self._store.add_piece(report, number, piece)
            number += 1
        done = replace(report, rows_total=made.rows, size_bytes=size, sha256=digest.digest(), snapshot_at=made.taken_at)
        if not await self._store.finish(done, self._clock.now()):
            raise LeaseLost

    @asynccontextmanager
    async def _renewed(self, report: Report) -> AsyncIterator[None]:
        async with lifecycle.background() as tasks:
            tasks.keep(lambda: self._keep_lease(report), name="report_lease")
            yield

    async def _keep_lease(self, report: Report) -> None:
        while True:
            await self._clock.sleep(self._settings.lease_s / 3)
            try:
                if not await self._store.renew(report, self._clock.now() + self._lease):
                    return
            except Unavailable as exc:
                # The next one comes in time: a moment without PostgreSQL must not cost the work of minutes.
                log.warning("usage.report_lease_not_renewed", report=report.id, reason=exc.reason.value)
