"""One user whose rows cannot be looked at keeps nobody else waiting."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import asyncpg

from servicekit.errors import ErrorReason, Unavailable
from servicekit.testing import FakeClock
from servicekit.testing.fake_clock import MIDDAY
from services.usage.catalog_facts.domain.facts import Facts
from services.usage.ingest import Ingest
from services.usage.insights.domain.material import Material
from services.usage.insights.material_reader import PostgresMaterial
from services.usage.store.connection import EVERYBODY, NAME_USER, Connection
from services.usage.tests.insights.assembled import insights_on
from services.usage.tests.insights.conftest import Told
from services.usage.tests.insights.story import ROUBLE, Writer, even, write
from services.usage.tests.insights.test_anomalies import NUMBERS, spend

TOO_SLOW = Unavailable(ErrorReason.DATABASE_ERROR, "The database is unavailable. Try again.")


class SlowForOne(PostgresMaterial):
    """Reads everybody's rows but one's, whose scan is cut off again and again."""

    async def material(self, connection: Connection, user_id: str, facts: Facts, now: datetime) -> Material:
        if user_id == "user-1":
            raise TOO_SLOW
        return await super().material(connection, user_id, facts, now)


async def test_whose_rows_are_too_many_keeps_nobody_else_from_being_analysed(
    ingest: Ingest, told: Told, clock: FakeClock, pool: asyncpg.Pool[asyncpg.Record]
) -> None:
    """The round ended at them, by id, and began with them again: everybody behind was never analysed."""
    for user_id, first in (("user-1", 0), ("user-2", 10_000)):
        await write(ingest, user_id, even, first=first)

    await insights_on(pool, told, SlowForOne(), clock=clock).jobs.look()

    async with pool.acquire() as connection:
        await connection.execute(NAME_USER, EVERYBODY)
        rows = await connection.fetch("SELECT user_id FROM usage.insight_users WHERE analysed_at IS NOT NULL")
    assert [row["user_id"] for row in rows] == ["user-2"]


async def test_an_hour_that_cannot_be_judged_keeps_no_other_from_being_told(
    ingest: Ingest, clock: FakeClock, pool: asyncpg.Pool[asyncpg.Record]
) -> None:
    """Nor anybody from being analysed afterwards."""
    for user_id in ("user-1", "user-2"):
        await spend(ingest, [100 if day % 7 == 0 else 0 for day in range(28, 0, -1)], user_id=user_id)
        await ingest.record([Writer(user_id, NUMBERS).row(MIDDAY, cost_micro_rub=500 * ROUBLE)])
    clock.advance(1800)
    told = set[str]()

    async def tell(user_id: str, *_: Any, **__: Any) -> int:
        if user_id == "user-1":
            raise TOO_SLOW
        told.add(user_id)
        return 1

    await insights_on(pool, tell, clock=clock).anomalies.watch_hours()

    assert told == {"user-2"}
