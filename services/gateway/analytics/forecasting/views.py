"""Forecasts as the API shows them."""

from __future__ import annotations

from typing import Any

from services.gateway.analytics.forecasting.limits import AskedLimit
from services.gateway.analytics.forecasting.texts import PRELIMINARY, limit_text, refusal_text
from services.gateway.analytics.views import rfc3339
from services.gateway.clients.usage_forecasts.values import Accuracy, Band, Forecast, WhatIf
from services.gateway.edge.money import money


def forecast_body(forecast: Forecast, zone: str, asked: AskedLimit | None, language: str) -> dict[str, Any]:
    """Return the forecast as the API shows it."""
    refused = {"code": forecast.refusal, "message": refusal_text(forecast, language)} if forecast.refusal else None
    return {
        "as_of": rfc3339(forecast.as_of),
        "time_zone": zone,
        "method": forecast.method,
        "history_days": forecast.history_days,
        "preliminary": forecast.preliminary,
        "note": PRELIMINARY[language] if forecast.preliminary and refused is None else None,
        "refusal": refused,
        "points": [{"date": day, **_band(band)} for day, band in forecast.points],
        "month_end": {
            "date": forecast.month_ends_on,
            **money("spent", forecast.month_spent),
            "expected": forecast.month_end and _band(forecast.month_end),
        },
        "limit_eta": _limit(forecast, asked, language),
        "price_changes": [{"date": day, "percent": _percent(share)} for day, share in forecast.price_changes],
        "what_if": forecast.what_if and _what_if(forecast.what_if),
        "accuracy": forecast.accuracy and _accuracy(forecast.accuracy),
    }


def _band(band: Band) -> dict[str, Any]:
    return {**money("p10", band.p10), **money("p50", band.p50), **money("p90", band.p90)}


def _limit(forecast: Forecast, asked: AskedLimit | None, language: str) -> dict[str, Any] | None:
    limit = forecast.limit
    if limit is None or asked is None:
        return None
    return {
        "source": asked.source,
        "period": asked.period,
        "budget_id": asked.budget_id or None,
        **money("limit", limit.amount),
        **money("spent", limit.spent),
        "on": limit.on or None,
        "earliest": limit.earliest or None,
        "latest": limit.latest or None,
        "message": limit_text(forecast, limit, asked.period, language),
    }


def _what_if(other: WhatIf) -> dict[str, Any]:
    return {
        "model": other.model,
        "requests": other.requests,
        **money("cost", other.cost),
        **money("would_cost", other.would_cost),
        **money("saving", other.cost - other.would_cost),
        "month_end": other.month_end and _band(other.month_end),
    }


def _accuracy(accuracy: Accuracy) -> dict[str, Any]:
    error = accuracy.error_share
    return {
        "days": accuracy.days,
        "held_percent": _percent(accuracy.held_share),
        "promised_percent": 80.0,
        "error_percent": None if error is None else _percent(error),
    }


def _percent(share: float) -> float:
    return round(100 * share, 2)
