"""One user whose rows cannot be read keeps nobody else waiting, and nothing old."""

from __future__ import annotations

from datetime import date

import asyncpg

from servicekit.errors import ErrorReason, Unavailable
from servicekit.testing import FakeClock
from services.usage.catalog_facts.store import FactsStore
from services.usage.forecasting.forecaster import Forecaster
from services.usage.forecasting.keeper import ForecastKeeper
from services.usage.forecasting.settings import ForecastSettings
from services.usage.forecasting.store import ForecastStore
from services.usage.statistics.store import StatisticsStore
from services.usage.store.connection import EVERYBODY, NAME_USER

FORETOLD = """
INSERT INTO usage.forecasts (user_id, day, zone, method, p10_micro_rub, p50_micro_rub, p90_micro_rub, asked)
VALUES ($1, $2, 'UTC', 'trend', 1, 2, 3, true)
"""


class SlowForOne(Forecaster):
    """Foretells everybody but one, whose rows are too many."""

    async def cost_of_day(self, user_id: str, zone: str, day: date) -> int:
        if user_id == "user-1":
            raise Unavailable(ErrorReason.DATABASE_ERROR, "The database is unavailable. Try again.")
        return await super().cost_of_day(user_id, zone, day)

    async def keep_today(self, user_id: str, zone: str) -> None:
        await self.cost_of_day(user_id, zone, date(2026, 11, 22))


async def test_whose_day_cannot_be_compared_keeps_nobody_else_waiting(
    pool: asyncpg.Pool[asyncpg.Record], clock: FakeClock
) -> None:
    """The round ended there and began with them again, and what was old was never forgotten."""
    forecasts = ForecastStore(pool)
    forecaster = SlowForOne(StatisticsStore(pool), FactsStore(pool), forecasts, clock=clock)
    async with pool.acquire() as connection:
        await connection.execute(NAME_USER, EVERYBODY)
        for user_id in ("user-1", "user-2"):
            await connection.execute(FORETOLD, user_id, date(2026, 11, 22))
        await connection.execute(FORETOLD, "user-1", date(2025, 1, 1))

    await ForecastKeeper(forecaster, forecasts, ForecastSettings(), clock=clock).round()

    left = await forecasts.find_open(date(9999, 1, 1), 10)
    assert [(each.user_id, each.day) for each in left] == [("user-1", date(2026, 11, 22))]
