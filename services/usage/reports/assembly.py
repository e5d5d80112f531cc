"""Who of the reports gets which instance."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import uuid4

import asyncpg

from servicekit.clock import Clock
from servicekit.postgres import open_pool
from servicekit.settings import PostgresSettings
from services.usage.reports.generation import Generation
from services.usage.reports.ordering import Reports
from services.usage.reports.performing import Performance
from services.usage.reports.scheduling import Schedules
from services.usage.reports.settings import ReportSettings
from services.usage.reports.store.report_store import ReportStore
from services.usage.reports.store.schedule_store import ScheduleStore
from services.usage.reports.store.snapshot import Snapshots
from services.usage.reports.upkeep import ReportUpkeep


@dataclass(frozen=True, slots=True)
class ReportRoom:
    """What reports offer to the service."""

    reports: Reports
    schedules: Schedules
    upkeep: ReportUpkeep


@asynccontextmanager
async def open_reports(
    pool: asyncpg.Pool[asyncpg.Record], postgres: PostgresSettings, settings: ReportSettings, clock: Clock
) -> AsyncIterator[ReportRoom]:
    """Yield the room.

    Snapshots last as long as a report is made: they have a pool of their own, so that neither ingest nor the progress
    of the same reports waits for them.
    """
    async with open_pool(postgres.model_copy(update={"pool_max": settings.parallel + 1})) as snapshot_pool:
        yield build_reports(pool, snapshot_pool, settings, clock)


def build_reports(
    pool: asyncpg.Pool[asyncpg.Record],
    snapshot_pool: asyncpg.Pool[asyncpg.Record],
    settings: ReportSettings,
    clock: Clock,
) -> ReportRoom:
    """Return the room on two pools."""
    scratch = str(settings.scratch_dir or tempfile.gettempdir())
    generation = Generation(Snapshots(snapshot_pool), clock, scratch=scratch, rows_max=settings.rows_max)
    store = ReportStore(pool)
    performance = Performance(store, generation, settings, scratch, clock)
    reports = Reports(store, generation, performance, settings, clock=clock, new_id=_new_id)
    schedules = Schedules(ScheduleStore(pool), settings, clock=clock, new_id=_new_id)
    upkeep = ReportUpkeep(reports, schedules, performance, store.delete_expired, clock=clock, poll_s=settings.poll_s)
    return ReportRoom(reports, schedules, upkeep)


def _new_id() -> str:
    return str(uuid4())
