"""The routes of statistics together."""

from __future__ import annotations

from fastapi import APIRouter

from servicekit.clock import Clock
from services.gateway.analytics.export import export_router
from services.gateway.analytics.organization import organization_router
from services.gateway.analytics.routes import usage_router
from services.gateway.clients.usage_statistics.client import StatisticsClient


def statistics_routers(statistics: StatisticsClient, clock: Clock) -> tuple[APIRouter, ...]:
    """Return them."""
    return usage_router(statistics, clock), export_router(statistics, clock), organization_router(statistics, clock)
