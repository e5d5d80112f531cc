"""Bodies of the analytics API."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class PeriodBody(BaseModel):
    """A period; `to` is itself excluded."""

    model_config = ConfigDict(populate_by_name=True)

    since: str = Field(alias="from")
    until: str = Field(alias="to")
    time_zone: str


class QuantilesBody(BaseModel):
    """Of a duration in milliseconds; null where nothing was measured or nothing was asked for."""

    p50: float | None
    p95: float | None
    p99: float | None


class FiguresBody(BaseModel):
    """What requests add up to."""

    requests: int
    errors: int = Field(description="Requests with the status `failed`.")
    error_rate: float | None
    fallbacks: int = Field(description="Requests that another model answered than the first that was tried.")
    tokens_input: int = Field(description="Cached ones among them.")
    tokens_output: int = Field(description="Those of reasoning among them.")
    tokens_cached: int
    tokens_reasoning: int
    cost_rub: str = Field(description="Roubles, exactly.")
    cost_micro_rub: int
    saved_rub: str = Field(description="What it would have cost more without any cache.")
    saved_micro_rub: int
    tokens_per_second: float | None = Field(description="Of streams, between their first token and their last.")
    latency_ms: QuantilesBody
    first_token_ms: QuantilesBody


class RowBody(FiguresBody):
    """The figures of one group; `group` is null of all others together."""

    starts_at: str | None = None
    group: dict[str, str] | None
    is_other: bool


class PreviousBody(PeriodBody, FiguresBody):
    """The period of the same length before."""


class ChangeBody(BaseModel):
    """This period less the one before."""

    requests: int
    requests_percent: float | None
    errors: int
    tokens_input: int
    tokens_output: int
    cost_rub: str
    cost_micro_rub: int
    cost_percent: float | None


class CostBody(BaseModel):
    """An amount."""

    cost_rub: str
    cost_micro_rub: int


class DriversBody(BaseModel):
    """Why the cost changed; the three add up to `change.cost_micro_rub`."""

    volume: CostBody = Field(description="More or fewer tokens, as they were spread before.")
    mix: CostBody = Field(description="Dearer or cheaper models.")
    price: CostBody = Field(description="Another cost of a token of the same model.")


class SummaryBody(BaseModel):
    """The figures of a period."""

    object: Literal["usage.summary"] = "usage.summary"
    user_id: str
    period: PeriodBody
    total: FiguresBody
    previous: PreviousBody
    change: ChangeBody
    drivers: DriversBody
    data: list[RowBody]
    as_of: str


class TimeseriesBody(BaseModel):
    """The figures of each bucket, earliest first."""

    object: Literal["usage.timeseries"] = "usage.timeseries"
    user_id: str
    period: PeriodBody
    bucket: str
    total: FiguresBody
    data: list[RowBody]
    as_of: str


class CompareBody(BaseModel):
    """A period and the one before."""

    object: Literal["usage.comparison"] = "usage.comparison"
    user_id: str
    period: PeriodBody
    total: FiguresBody
    previous: PreviousBody
    change: ChangeBody
    drivers: DriversBody
    models: list[dict[str, Any]] = Field(description="The same of each model, largest change first.")
    as_of: str


class RequestsBody(BaseModel):
    """A page of the log, newest first."""

    object: Literal["list"] = "list"
    data: list[dict[str, Any]]
    has_more: bool
    next_cursor: str | None
