"""A small history, and what makes reports of it."""

from __future__ import annotations

import asyncpg
import pytest

from servicekit.testing import FakeClock
from services.usage.reports.generation import Generation
from services.usage.reports.store.snapshot import Snapshots


@pytest.fixture
def generation(pool: asyncpg.Pool[asyncpg.Record], clock: FakeClock, tmp_path) -> Generation:
    """Return what writes reports of a fresh database."""
    return Generation(Snapshots(pool), clock, scratch=str(tmp_path), rows_max=1_000)
