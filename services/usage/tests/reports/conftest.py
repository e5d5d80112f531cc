"""A fresh database, and what makes reports of it."""

from __future__ import annotations

from collections.abc import Callable

import asyncpg
import pytest

from servicekit.testing import FakeClock
from services.usage.reports.assembly import ReportRoom, build_reports
from services.usage.reports.generation import Generation
from services.usage.reports.settings import ReportSettings
from services.usage.reports.store.snapshot import Snapshots

MakeRoom = Callable[..., ReportRoom]


@pytest.fixture
def generation(pool: asyncpg.Pool[asyncpg.Record], clock: FakeClock, tmp_path) -> Generation:
    """Return what writes reports of a fresh database."""
    return Generation(Snapshots(pool), clock, scratch=str(tmp_path), rows_max=1_000)


@pytest.fixture
def make_room(pool: asyncpg.Pool[asyncpg.Record], clock: FakeClock, tmp_path) -> MakeRoom:
    """Return a maker of instances on one database; keyword arguments are settings."""

    def make(**settings: object) -> ReportRoom:
        return build_reports(pool, pool, ReportSettings(**{"scratch_dir": tmp_path, **settings}), clock)

    return make
