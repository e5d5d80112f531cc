"""A fresh database, and what makes reports of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import asyncpg
import pytest

from servicekit.testing import FakeClock
from services.usage.reports.assembly import ReportRoom, Surroundings, build_reports
from services.usage.reports.generation import Generation
from services.usage.reports.settings import ReportSettings
from services.usage.reports.store.snapshot import Snapshots

MakeRoom = Callable[..., ReportRoom]


@pytest.fixture
def generation(pool: asyncpg.Pool[asyncpg.Record], clock: FakeClock, tmp_path) -> Generation:
    """Return what writes reports of a fresh database."""
    return Generation(Snapshots(pool), clock, scratch=str(tmp_path), rows_max=1_000)


@pytest.fixture
def told() -> list[Any]:
    """Return the events that were raised."""
    return []


@pytest.fixture
def make_room(pool: asyncpg.Pool[asyncpg.Record], clock: FakeClock, tmp_path, told: list[Any]) -> MakeRoom:
    """Return a maker of instances on one database; keyword arguments are settings."""

    async def raise_event(*event: Any) -> int:
        told.append(event)
        return 1

    around = Surroundings(raise_event, "https://llm.example/", clock)

    def make(**settings: object) -> ReportRoom:
        return build_reports(pool, pool, ReportSettings(**{"scratch_dir": tmp_path, **settings}), around)

    return make
