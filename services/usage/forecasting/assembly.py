"""Composition root of forecasting."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import asyncpg

from servicekit.clock import Clock
from services.usage.catalog_facts.store import FactsStore
from services.usage.forecasting.forecaster import Forecaster
from services.usage.forecasting.keeper import ForecastKeeper
from services.usage.forecasting.rpc import ForecastServicer
from services.usage.forecasting.settings import ForecastSettings
from services.usage.forecasting.store import ForecastStore
from services.usage.statistics.reader import ReadsTogether


@dataclass(frozen=True, slots=True)
class ForecastRoom:
    """What forecasting offers: the forecaster, the servicer, and jobs by name with seconds between runs."""

    forecaster: Forecaster
    servicer: ForecastServicer
    jobs: dict[str, tuple[Callable[[], Awaitable[None]], float]]


def build_forecasting(
    pool: asyncpg.Pool[asyncpg.Record], settings: ForecastSettings, clock: Clock, reader: ReadsTogether
) -> ForecastRoom:
    """Return the room on a pool; `reader` reads what was spent."""
    store = ForecastStore(pool)
    forecaster = Forecaster(reader, FactsStore(pool), store, clock=clock)
    keeper = ForecastKeeper(forecaster, store, settings, clock=clock)
    return ForecastRoom(forecaster, ForecastServicer(forecaster), {"forecasts": (keeper.round, settings.every_s)})
