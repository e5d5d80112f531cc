"""The status of the service, as the OpenAPI description shows it."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field


class SpanBody(BaseModel):
    """A model version over a span: shares of the requests of everybody that were answered; null: nobody asked."""

    begins_at: datetime
    step_s: int = Field(description="Seconds of one bar.")
    availability: float | None = Field(description="From 0 to 1. What is wrong with a request itself does not count.")
    error_rate: float | None
    first_token_p50_ms: float | None
    first_token_p95_ms: float | None
    bars: list[float | None] = Field(description="The availability of each step, the last of which is not over yet.")


class ProbeBody(BaseModel):
    """A small question that we asked the version ourselves, as its users do."""

    at: datetime
    answered: bool = Field(description="Whether it answered within a minute or so, on its own.")
    first_token_ms: int | None = Field(description="Null: there was none.")


class VersionStatusBody(BaseModel):
    """A model version: how it is now, and over spans; a span that cannot be told is null."""

    model: str
    status: str = Field(description="`operational`, `degraded`, `down` or `unknown`: nobody has asked.")
    reason: str | None
    since: datetime | None
    probe: ProbeBody | None = Field(description="The last one; null: we have not asked lately.")
    spans: dict[str, SpanBody | None] = Field(description="By `24h`, `7d` and `90d`.")


class PublicProviderBody(BaseModel):
    """A provider with its model versions."""

    provider: str
    status: str
    since: datetime | None
    models: list[VersionStatusBody]


class IncidentBody(BaseModel):
    """Trouble of a provider: from the first circuit that opened, or too many failed calls, until all was well."""

    id: str
    provider: str
    models: list[str]
    status: str = Field(description="`down` or `degraded`, at worst.")
    reasons: list[str]
    began_at: datetime
    ended_at: datetime | None = Field(description="Null while it lasts.")


class StatusBody(BaseModel):
    """The service as its users see it; what cannot be told at the moment is null."""

    status: str
    updated_at: datetime
    providers: list[PublicProviderBody] | None
    incidents: list[IncidentBody] | None
