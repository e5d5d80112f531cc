"""Metrics of forecasting; no label names a user."""

from __future__ import annotations

from typing import Final

from prometheus_client import Gauge, Histogram

FORECAST_SECONDS: Final = Histogram(
    "razvilka_usage_forecast_seconds",
    "Time to answer a question about coming spending, its reads included.",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5),
)
COVERAGE: Final = Gauge(
    "razvilka_usage_forecast_coverage_ratio",
    "Share of the days of the last four weeks, of all users, that were inside their 80 % band; 0.8 is right.",
)
