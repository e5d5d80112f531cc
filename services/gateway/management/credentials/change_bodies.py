"""Bodies of changes of keys and applications."""

from __future__ import annotations

from pydantic import Field, StrictBool, StrictInt, StrictStr

from services.gateway.edge.reading.json_body import StrictModel
from services.gateway.edge.reading.moments import CalendarMoment
from services.gateway.management.bodies import MOST_OVERLAP_S, CacheDefault

Text = StrictStr


class KeyChangeBody(StrictModel):
    """What is to be different of a key; what is left out stays. `expires_at` null: it never ends.

    A key or an application only narrows a key; to widen it, log in to the console.
    """

    name: Text | None = Field(None, min_length=1, max_length=100)
    scopes: list[Text] | None = Field(None, min_length=1, max_length=32)
    models: list[Text] | None = Field(None, max_length=100, description="Empty: every model.")
    ip_allow_list: list[Text] | None = Field(None, max_length=100, description="CIDR blocks; empty: any address.")
    expires_at: CalendarMoment | None = None
    cache: CacheDefault | None = None


class ClientChangeBody(StrictModel):
    """What is to be different of an application; what is left out stays.

    A key or an application only narrows an application; to widen it, log in to the console.
    """

    name: Text | None = Field(None, min_length=1, max_length=100)
    redirect_uris: list[Text] | None = Field(None, max_length=20)
    scopes: list[Text] | None = Field(None, min_length=1, max_length=32)
    dpop_bound_access_tokens: StrictBool | None = None
    require_pushed_authorization_requests: StrictBool | None = None


class ClientSecretRotationBody(StrictModel):
    """How long the secret before goes on working beside the fresh one."""

    overlap_s: StrictInt = Field(86_400, ge=0, le=MOST_OVERLAP_S)
