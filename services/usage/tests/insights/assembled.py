"""Insights as the service has them, on a pool of a test."""

from __future__ import annotations

import asyncpg

from servicekit.clock import Clock
from services.usage.forecasting.assembly import build_forecasting
from services.usage.forecasting.settings import ForecastSettings
from services.usage.insights.anomalies import RaisesEvents
from services.usage.insights.assembly import Insights, build_insights
from services.usage.insights.material_reader import ReadsMaterial
from services.usage.statistics.store import StatisticsStore


def insights_on(
    pool: asyncpg.Pool[asyncpg.Record], tell: RaisesEvents, material: ReadsMaterial | None = None, *, clock: Clock
) -> Insights:
    """Return insights whose limits are foretold from what is stored on the pool."""
    forecasting = build_forecasting(pool, ForecastSettings(), clock, StatisticsStore(pool))
    return build_insights(pool, tell, forecasting.forecaster, material, clock=clock)
