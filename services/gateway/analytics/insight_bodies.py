"""Bodies of patterns, anomalies and recommendations."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from services.gateway.edge.reading.json_body import StrictModel


class TextBody(BaseModel):
    """A sentence for people."""

    ru: str
    en: str


class SavingBody(BaseModel):
    """What following the advice saves a month, by the prices of now."""

    min_rub: str
    min_micro_rub: int
    max_rub: str
    max_micro_rub: int
    confidence: float = Field(description="From 0 to 1.")


class FindingBody(BaseModel):
    """A pattern that shows."""

    pattern: str
    subject: str | None = Field(description="The model, key or name that it is about; null: the whole usage.")
    text: TextBody
    evidence: dict[str, Any] = Field(description="Its figures: money in micro-roubles, shares as parts of one.")
    query: dict[str, str] = Field(description="Parameters of `GET /v1/usage/timeseries` that show the figures.")
    saving: SavingBody | None


class PatternsBody(BaseModel):
    """What shows in the usage of four weeks."""

    object: Literal["usage.patterns"] = "usage.patterns"
    analysed_at: str = Field(description="When rows were looked through; the rest is of now.")
    time_zone: str
    data: list[FindingBody]


class CauseBody(BaseModel):
    """What most of the excess comes from."""

    dimension: Literal["key", "model", "provider", "error"]
    value: str
    expected_rub: str
    expected_micro_rub: int
    actual_rub: str
    actual_micro_rub: int


class AnomalyBody(BaseModel):
    """Days in a row, or an hour, that cost more than they should."""

    object: Literal["usage.anomaly"] = "usage.anomaly"
    id: str
    grain: Literal["day", "hour"]
    begins_at: str
    ends_at: str = Field(description="Itself excluded.")
    expected_rub: str
    expected_micro_rub: int
    actual_rub: str
    actual_micro_rub: int
    cause: CauseBody | None
    feedback: Literal["expected", "unexpected"] | None
    found_at: str
    text: TextBody


class AnomaliesBody(BaseModel):
    """Anomalies, the newest first."""

    object: Literal["list"] = "list"
    data: list[AnomalyBody]


class RecommendationBody(FindingBody):
    """A piece of advice and what became of it."""

    object: Literal["usage.recommendation"] = "usage.recommendation"
    id: str
    state: Literal["new", "accepted", "dismissed", "done"]
    reason: str | None
    first_seen: str
    last_seen: str
    decided_at: str | None
    realised_rub: str | None = Field(description="A month's, measured 14 days after acceptance; negative: dearer.")
    realised_micro_rub: int | None
    realised_at: str | None


class RecommendationsBody(BaseModel):
    """Advice; of what is new the five pieces that are worth most, the best first."""

    object: Literal["list"] = "list"
    data: list[RecommendationBody]


class FeedbackOrder(StrictModel):
    """What the user says of an anomaly; an expected one raises the bar of the like."""

    feedback: Literal["expected", "unexpected"] = Field(description="Whether the user expected it.")


class DecisionOrder(StrictModel):
    """What the user decides; to dismiss takes a reason."""

    state: Literal["new", "accepted", "dismissed", "done"] = Field(description="What becomes of the advice.")
    reason: str = Field("", max_length=500, description="Why it is dismissed.")
