"""The store of a fresh database, and what is built on it."""

from __future__ import annotations

import random

import asyncpg
import pytest

from servicekit.testing import FakeClock
from services.usage.ingest import Ingest
from services.usage.settings import IngestSettings, InvariantSettings, PartitionSettings
from services.usage.store import UsageStore
from services.usage.upkeep import Upkeep
from tools.testing.plugin import MakeDatabase


class NoPauses(random.Random):
    """Draws the least of every range: what collided is tried again at once, by a clock that nobody moves, too."""

    def uniform(self, a: float, b: float) -> float:
        """Return the lower end."""
        return a


@pytest.fixture
async def pool(make_database: MakeDatabase) -> asyncpg.Pool[asyncpg.Record]:
    """Return a pool as the service's role."""
    return await make_database("usage")


@pytest.fixture
def store(pool: asyncpg.Pool[asyncpg.Record]) -> UsageStore:
    """Return the store of a fresh database."""
    return UsageStore(pool)


@pytest.fixture
def ingest(store: UsageStore, clock: FakeClock) -> Ingest:
    """Return an ingest at noon, 2026-11-23."""
    return Ingest(store, IngestSettings(), clock=clock, rng=NoPauses())


@pytest.fixture
def upkeep(store: UsageStore, clock: FakeClock) -> Upkeep:
    """Return the background jobs, not running."""
    return Upkeep(store, PartitionSettings(), InvariantSettings(), clock=clock)
