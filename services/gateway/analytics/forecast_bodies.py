"""Bodies of GET /v1/usage/forecast."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from services.gateway.analytics.forecast_limits import AskedLimit
from services.gateway.analytics.forecast_texts import PRELIMINARY, limit_text, refusal_text
from services.gateway.analytics.views import moment, money
from services.gateway.clients.usage_forecasts import Accuracy, Band, Forecast, WhatIf


class BandBody(BaseModel):
    """In four cases of five what comes is between p10 and p90; each in roubles and in micro-roubles."""

    p10_rub: str
    p10_micro_rub: int
    p50_rub: str
    p50_micro_rub: int
    p90_rub: str
    p90_micro_rub: int


class PointBody(BandBody):
    """A day."""

    date: str


class MonthEndBody(BaseModel):
    """The calendar month of the zone."""

    date: str = Field(description="Its last day.")
    spent_rub: str
    spent_micro_rub: int
    expected: BandBody | None = Field(description="What it will have cost; null: there is no forecast.")


class RefusalBody(BaseModel):
    """Why there is no forecast."""

    code: Literal["short_history", "irregular"]
    message: str


class LimitBody(BaseModel):
    """When a limit is reached; dates are null where not before its period ends, or not within five weeks."""

    source: Literal["request", "budget"]
    period: str
    budget_id: str | None
    limit_rub: str
    limit_micro_rub: int
    spent_rub: str
    spent_micro_rub: int
    on: str | None
    earliest: str | None = Field(description="One case of ten is earlier: warn from here on.")
    latest: str | None
    message: str


class PriceChangeBody(BaseModel):
    """From a day on the same use costs another amount."""

    date: str
    percent: float


class WhatIfBody(BaseModel):
    """Short calls of the last 28 days by another model, token for token, by its price of today."""

    model: str
    requests: int
    cost_rub: str
    cost_micro_rub: int
    would_cost_rub: str
    would_cost_micro_rub: int
    saving_rub: str
    saving_micro_rub: int
    month_end: BandBody | None


class AccuracyBody(BaseModel):
    """How past days fared that were foretold before they began."""

    days: int
    held_percent: float
    promised_percent: float
    error_percent: float | None


class ForecastBody(BaseModel):
    """What the account will have spent."""

    object: Literal["usage.forecast"] = "usage.forecast"
    as_of: str
    time_zone: str
    method: str
    history_days: int
    preliminary: bool
    note: str | None
    refusal: RefusalBody | None
    points: list[PointBody]
    month_end: MonthEndBody
    limit_eta: LimitBody | None
    price_changes: list[PriceChangeBody]
    what_if: WhatIfBody | None
    accuracy: AccuracyBody | None


def forecast_body(forecast: Forecast, zone: str, asked: AskedLimit | None, language: str) -> dict[str, Any]:
    """Return the forecast as the API shows it."""
    refused = {"code": forecast.refusal, "message": refusal_text(forecast, language)} if forecast.refusal else None
    return {
        "as_of": moment(forecast.as_of),
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
        "message": limit_text(forecast, limit, language),
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
