"""Insights on a fresh database."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest

from servicekit.testing import FakeClock
from services.usage.catalog_facts.store import FactsStore
from services.usage.insights.assembly import Insights
from services.usage.insights.store.sessions import Sessions
from services.usage.tests.insights.assembled import insights_on
from services.usage.tests.insights.story import MODELS


class Told:
    """Keeps the events that were raised."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str, dict[str, Any]]] = []

    async def __call__(
        self, user_id: str, kind: str, dedupe_key: str, facts: dict[str, Any], *, subject: str = ""
    ) -> int:
        self.events.append((user_id, kind, facts))
        return 1


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def sessions(pool: asyncpg.Pool[asyncpg.Record]) -> Sessions:
    return Sessions(pool)


@pytest.fixture
async def insights(pool: asyncpg.Pool[asyncpg.Record], clock: FakeClock, told: Told) -> Insights:
    """Return insights that know the models of the stories."""
    await FactsStore(pool).put(MODELS)
    return insights_on(pool, told, clock=clock)
