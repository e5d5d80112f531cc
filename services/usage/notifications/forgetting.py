"""Deletes an account's data in the other rooms: reports, schedules, findings and forecasts."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg

from services.usage.domain.forgetting import Forget
from services.usage.forecasting.store import ForecastStore
from services.usage.insights.store.forgetting import forgetting_insights
from services.usage.reports.store.forgetting import forgetting_reports


def forgetting_elsewhere(pool: asyncpg.Pool[asyncpg.Record]) -> Forget:
    """Return what forgets deleted accounts in all rooms but this; it raises `Unavailable` without PostgreSQL."""
    rooms: tuple[Forget, ...] = (forgetting_reports(pool), forgetting_insights(pool), ForecastStore(pool).forget_people)

    async def forget(user_ids: Sequence[str]) -> None:
        for forget_there in rooms:
            await forget_there(user_ids)

    return forget
