"""Composition root of reports."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import asyncpg

from servicekit.clock import Clock
from servicekit.postgres import open_pool
from servicekit.settings import PostgresSettings
from services.usage.reports.announcing import Announcements, RaiseEvent
from services.usage.reports.generation import Generation
from services.usage.reports.ordering import Reports
from services.usage.reports.performing import Performance
from services.usage.reports.scheduling import Schedules
from services.usage.reports.settings import ReportSettings
from services.usage.reports.store.report_store import ReportStore
from services.usage.reports.store.schedule_store import ScheduleStore
from services.usage.reports.store.snapshot import Snapshots
from services.usage.reports.upkeep import ReportUpkeep
from services.usage.statistics.reader import OpensSnapshots

Work = Callable[[], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True)
class ReportRoom:
    """What the service needs of reports.

    Attributes:
        reports: those of users.
        schedules: those of users.
        upkeep: what is done by itself.
        every_s: seconds from one round of it to the next.
    """

    reports: Reports
    schedules: Schedules
    upkeep: ReportUpkeep
    every_s: float

    @property
    def jobs(self) -> dict[str, tuple[Work, float]]:
        """What is to be repeated, and how many seconds apart."""
        return {"reports": (self.upkeep.round, self.every_s)}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What reports need from the rest of the service.

    Attributes:
        raise_event: tells owners.
        public_url: of the gateway, for links.
        clock: tells the time.
        choose: makes of PostgreSQL's snapshots those that reports are made of.
    """

    raise_event: RaiseEvent
    public_url: str
    clock: Clock
    choose: Callable[[OpensSnapshots], OpensSnapshots] = lambda snapshots: snapshots


@asynccontextmanager
async def open_reports(
    pool: asyncpg.Pool[asyncpg.Record], postgres: PostgresSettings, settings: ReportSettings, around: Surroundings
) -> AsyncIterator[ReportRoom]:
    """Yield the room.

    Snapshots last as long as a report is made: they have a pool of their own, so that neither ingest nor the progress
    of the same reports waits for them.
    """
    patient = {"pool_max": settings.parallel + 1, "statement_timeout_s": settings.statement_timeout_s}
    async with open_pool(postgres.model_copy(update=patient), name="reports") as snapshot_pool:
        yield build_reports(pool, snapshot_pool, settings, around)


def build_reports(
    pool: asyncpg.Pool[asyncpg.Record],
    snapshot_pool: asyncpg.Pool[asyncpg.Record],
    settings: ReportSettings,
    around: Surroundings,
) -> ReportRoom:
    """Return the room on two pools."""
    clock, scratch = around.clock, str(settings.scratch_dir or tempfile.gettempdir())
    generation = Generation(around.choose(Snapshots(snapshot_pool)), clock, scratch=scratch, rows_max=settings.rows_max)
    store = ReportStore(pool)
    performance = Performance(store, generation, settings, scratch, clock)
    reports = Reports(store, generation, performance, settings, clock=clock, new_id=_new_id)
    schedules = Schedules(ScheduleStore(pool), settings, clock=clock, new_id=_new_id)
    announcements = Announcements(store, reports.link, around.raise_event, around.public_url)
    upkeep = ReportUpkeep(reports, schedules, performance, announcements, store.delete_expired, clock=clock)
    return ReportRoom(reports, schedules, upkeep, settings.every_s)


def _new_id() -> str:
    return str(uuid4())
