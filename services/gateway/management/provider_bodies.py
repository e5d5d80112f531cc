"""Bodies of /v1/admin/providers."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from services.gateway.edge.reading.json_body import StrictModel
from services.gateway.management.bodies import Text


class ScopeOrderBody(StrictModel):
    """Which part of a provider is meant; empty: all of it."""

    credential: Text = Field("", max_length=128)
    model: Text = Field("", max_length=128)


class DrainOrderBody(ScopeOrderBody):
    """What is to be drained, and why: for those who look later."""

    reason: Text = Field("", max_length=500)


class ProviderScopeBody(BaseModel):
    """A provider, or one credential or model of it; null stands for all."""

    provider: str
    credential: str | None
    model: str | None


class DrainedBody(ProviderScopeBody):
    """Whether it is drained."""

    drained: bool


class ResetBody(BaseModel):
    """The circuits that were not closed, or paused, and are closed now."""

    reset: list[ProviderScopeBody]


class CircuitBody(ProviderScopeBody):
    """A circuit; without a model it is the credential's."""

    state: Literal["closed", "half_open", "open"]
    cause: str | None
    since: datetime | None
    until: datetime | None
    openings: int
    cooling_until: datetime | None
    drained: bool


class DrainBody(ProviderScopeBody):
    """An order of an administrator."""

    reason: str
    by: str
    at: datetime | None


class CircuitList(BaseModel):
    """Circuits and drains."""

    data: list[CircuitBody]
    drains: list[DrainBody]


class PastStatusBody(BaseModel):
    """A status of a model, from when it began."""

    provider: str
    model: str
    status: str
    reason: str | None
    success_rate: float
    began_at: datetime | None


class PastStatusList(BaseModel):
    """Statuses, newest first."""

    data: list[PastStatusBody]
