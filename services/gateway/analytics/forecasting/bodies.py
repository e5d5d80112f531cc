"""Bodies of GET /v1/usage/forecast."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


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
