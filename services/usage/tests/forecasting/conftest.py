"""A forecaster over a real database."""

from __future__ import annotations

import asyncpg
import pytest

from servicekit.testing import FakeClock
from services.usage.catalog_facts.store import FactsStore
from services.usage.forecasting.forecaster import Forecaster
from services.usage.forecasting.keeper import ForecastKeeper
from services.usage.forecasting.settings import ForecastSettings
from services.usage.forecasting.store import ForecastStore
from services.usage.statistics.store import StatisticsStore


@pytest.fixture
def facts_store(pool: asyncpg.Pool[asyncpg.Record]) -> FactsStore:
    return FactsStore(pool)


@pytest.fixture
def forecast_store(pool: asyncpg.Pool[asyncpg.Record]) -> ForecastStore:
    return ForecastStore(pool)


@pytest.fixture
def forecaster(
    pool: asyncpg.Pool[asyncpg.Record], facts_store: FactsStore, forecast_store: ForecastStore, clock: FakeClock
) -> Forecaster:
    return Forecaster(StatisticsStore(pool), facts_store, forecast_store, clock=clock)


@pytest.fixture
def keeper(forecaster: Forecaster, forecast_store: ForecastStore, clock: FakeClock) -> ForecastKeeper:
    return ForecastKeeper(forecaster, forecast_store, ForecastSettings(), clock=clock)
