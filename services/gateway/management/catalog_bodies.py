"""Bodies of /v1/admin/catalog. Prices are in roubles per 1,000 tokens, as price lists and catalogue files have them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StrictBool, StrictInt

from services.gateway.edge.reading.json_body import StrictModel
from services.gateway.edge.reading.moments import AwareMoment
from services.gateway.management.bodies import Text

ModelId = Annotated[Text, Field(min_length=1, max_length=128)]
Roubles = Annotated[Decimal, Field(ge=0, lt=10_000, decimal_places=6)]


class CanaryOrderBody(StrictModel):
    """The share of a model's traffic that another one answers."""

    model: ModelId
    percent: float = Field(gt=0, le=100)
    by: Literal["user", "session", "request"] = "user"


class OverrideOrderBody(StrictModel):
    """What is to differ from the model's file, whole: a field that is left out is as the file says."""

    enabled: StrictBool = True
    name: Text = Field("", max_length=200)
    description: Text = Field("", max_length=2000)
    priority: StrictInt = Field(0, ge=-1000, le=1000)
    canary: CanaryOrderBody | None = None
    successor: Text = Field("", max_length=128)
    deprecated_at: AwareMoment | None = None
    shutdown_at: AwareMoment | None = None


class PriceOrderBody(StrictModel):
    """A price from a moment on; cached tokens cost what input costs unless `cached` says otherwise."""

    model: ModelId
    valid_from: AwareMoment
    input: Roubles
    output: Roubles
    cached: Roubles | None = None
    source: Text = Field("", max_length=500)


class MoveOrderBody(StrictModel):
    """The model that a channel is to stand for, and from when on."""

    model: ModelId
    since: AwareMoment


class OverrideBody(BaseModel):
    """What differs of a model, and who ordered it; a null `patch` in the history: the override was taken back."""

    model: str
    patch: dict[str, Any] | None
    by: str
    at: datetime | None


class OverrideList(BaseModel):
    """What counts, and the last 100 orders, newest first."""

    data: list[OverrideBody]
    history: list[OverrideBody]


class DatedPriceBody(BaseModel):
    """A price; `by` is null when it stands in a catalogue file."""

    model: str
    version: str
    valid_from: datetime
    input: str
    output: str
    cached: str
    source: str | None
    by: str | None
    at: datetime | None


class PriceList(BaseModel):
    """Prices, oldest first."""

    data: list[DatedPriceBody]


class RemovedOverrideBody(BaseModel):
    """The model is as its file says."""

    model: str
    removed: bool


class MovedBody(BaseModel):
    """A channel, and what it will stand for."""

    channel: str
    model: str
    since: datetime
