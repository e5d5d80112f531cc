"""The lease of a report that is being made is kept."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from servicekit.errors import ErrorReason, Unavailable
from services.usage.reports.domain.report import Status
from services.usage.reports.generation import Made
from services.usage.reports.performing import Performance
from services.usage.reports.settings import ReportSettings
from services.usage.reports.store.report_store import ReportStore
from services.usage.tests.reports.histories import history, store_history
from services.usage.tests.reports.test_jobs import CSV


class AwayOnce(ReportStore):
    """A store whose PostgreSQL is away when a lease is renewed for the first time."""

    def __init__(self, pool):
        super().__init__(pool)
        self.renewals = 0

    async def renew(self, report, lease_until, done=0, total=0):
        self.renewals += 1
        if self.renewals == 1:
            raise Unavailable(ErrorReason.DATABASE_ERROR, "The database is unavailable. Try again.")
        return await super().renew(report, lease_until, done, total)


class Slow:
    """Writes a report until it is told that it is done."""

    def __init__(self, clock):
        self.is_done = asyncio.Event()
        self._clock = clock

    async def write(self, order, file, progress):
        await self.is_done.wait()
        return Made(0, self._clock.now())


async def test_a_lease_outlives_a_moment_without_postgresql(make_room, store, pool, clock, tmp_path):
    """Else another instance begins a long report anew, and after some such moments it is given up."""
    await store_history(store, history(1))
    report = await make_room(at_once_rows=0).reports.order(CSV)
    leases = AwayOnce(pool)
    slow: Any = Slow(clock)
    performance = Performance(leases, slow, ReportSettings(lease_s=60), str(tmp_path), clock)
    making = asyncio.create_task(performance.make_next())

    async with asyncio.timeout(60):
        for _ in range(4):
            while not clock.sleepers and not making.done():
                await asyncio.sleep(0.01)
            renewals = leases.renewals
            clock.advance(20)
            while leases.renewals == renewals:
                await asyncio.sleep(0.01)
            for _ in range(100):
                await asyncio.sleep(0)
            assert leases.renewals > 1 or clock.sleepers, "the lease is renewed no more"
        while not clock.sleepers:
            await asyncio.sleep(0.01)
    taken_over = await ReportStore(pool).claim(clock.now(), clock.now() + timedelta(seconds=60))
    slow.is_done.set()
    await making

    assert taken_over is None
    found = await make_room().reports.find("user-1", report.id)
    assert (found.status, found.attempt) == (Status.DONE, 1)
