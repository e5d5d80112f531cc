"""Composition root of insights."""

from __future__ import annotations

from dataclasses import dataclass

import asyncpg

from servicekit.clock import Clock
from services.usage.catalog_facts.store import FactsStore
from services.usage.forecasting.forecaster import Forecaster
from services.usage.insights.analysis import Analysis
from services.usage.insights.anomalies import Anomalies, RaisesEvents
from services.usage.insights.jobs import InsightsJobs
from services.usage.insights.material_reader import PostgresMaterial, ReadsMaterial
from services.usage.insights.recommending import Recommending
from services.usage.insights.store.sessions import Sessions


@dataclass(frozen=True, slots=True)
class Insights:
    """What the service needs of insights."""

    analysis: Analysis
    anomalies: Anomalies
    recommending: Recommending
    jobs: InsightsJobs


def build_insights(
    pool: asyncpg.Pool[asyncpg.Record],
    tell: RaisesEvents,
    forecaster: Forecaster,
    material: ReadsMaterial | None = None,
    *,
    clock: Clock,
) -> Insights:
    """Return insights on a pool; `material` reads what patterns are looked for in, by itself from the pool."""
    sessions = Sessions(pool)
    anomalies = Anomalies(sessions, tell, clock=clock)
    recommending = Recommending(sessions, clock=clock)
    analysis = Analysis(
        sessions,
        FactsStore(pool),
        material or PostgresMaterial(),
        anomalies,
        recommending,
        forecaster.course,
        clock=clock,
    )
    return Insights(analysis, anomalies, recommending, InsightsJobs(analysis, anomalies))
