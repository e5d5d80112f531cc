"""Scheduled jobs of usage: creates partitions ahead of time, and checks that rows and rollups agree."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

import structlog

from servicekit.clock import Clock
from servicekit.errors import ServiceError, cause_of
from services.usage import metrics
from services.usage.domain.invariant import CheckResult, Invariant
from services.usage.domain.months import months_from
from services.usage.domain.spend import start_of
from services.usage.settings import InvariantSettings, PartitionSettings
from services.usage.store import UsageStore

log = structlog.get_logger()

# A job that failed (PostgreSQL is down) is tried again soon: partitions are needed before the first row.
RETRY_S: Final = 10.0
BACKUP_EVERY_S: Final = 60.0


class Upkeep:
    """The background jobs, and the check on demand."""

    def __init__(
        self, store: UsageStore, partitions: PartitionSettings, invariants: InvariantSettings, *, clock: Clock
    ) -> None:
        self._store = store
        self._partitions = partitions
        self._invariants = invariants
        self._clock = clock

    async def keep_partitions(self) -> None:
        """Make the partitions of the coming months, again and again."""
        await self.repeat("partitions", self._partitions.every_s, self.make_partitions)

    async def keep_checking(self) -> None:
        """Check the invariants of the last days, again and again."""
        await self.repeat("invariants", self._invariants.every_s, self.check_recent)

    async def make_partitions(self) -> None:
        """Make the partitions of this month and the coming ones; count the rows that have none."""
        *months, end = months_from(self._clock.now().date(), self._partitions.months_ahead + 1)
        await self._store.ensure_months(set(months))
        metrics.PARTITIONS_UNTIL.set(start_of(end).timestamp())
        strays = await self._store.count_strays()
        metrics.DEFAULT_PARTITION_ROWS.set(strays)
        if strays:
            log.error("usage.rows_without_partition", rows=strays)

    async def check_recent(self) -> None:
        """Check the last days and export what is broken."""
        result = await self.check_since(None)
        for invariant in Invariant:
            metrics.INVARIANTS_BROKEN.labels(invariant.value).set(result.counts[invariant])
        metrics.INVARIANT_ROWS.set(result.rows_checked)
        metrics.INVARIANTS_CHECKED_SECONDS.set(self._clock.now().timestamp())
        for broken in result.broken:
            log.error("usage.invariant_broken", invariant=broken.invariant.value, detail=broken.detail)

    async def keep_watching_backups(self, stamp: Path) -> None:
        """Export the time at which the last backup touched its file, again and again."""
        await self.repeat("backup_stamp", BACKUP_EVERY_S, partial(watch_backup, stamp))

    async def check_since(self, since: datetime | None) -> CheckResult:
        """Return what is broken since the start of that UTC day; None means what the job checks."""
        if since is None:
            day = self._clock.now().date() - timedelta(days=self._invariants.days - 1)
        else:
            day = since.astimezone(UTC).date()
        return await self._store.check(start_of(max(day, date(1970, 1, 1))))

    async def repeat(self, job: str, every_s: float, work: Callable[[], Awaitable[None]]) -> None:
        """Do a job now and then every so many seconds, whatever becomes of one time."""
        while True:
            wait_s = every_s
            try:
                await work()
            except ServiceError as exc:
                metrics.UPKEEP_FAILURES.labels(job).inc()
                log.warning("usage.upkeep_failed", job=job, reason=exc.reason.value, **cause_of(exc))
                wait_s = min(RETRY_S, every_s)
            except Exception:
                metrics.UPKEEP_FAILURES.labels(job).inc()
                log.exception("usage.upkeep_failed", job=job)
            await self._clock.sleep(wait_s)


async def watch_backup(stamp: Path) -> None:
    """Export the modification time of the file, 0 when there is none: no backup was ever finished."""
    try:
        finished_at = (await asyncio.to_thread(stamp.stat)).st_mtime
    except FileNotFoundError:
        finished_at = 0.0
    metrics.BACKUP_FINISHED.set(finished_at)
