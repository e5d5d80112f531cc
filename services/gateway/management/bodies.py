"""Bodies of the management API."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal

from pydantic import BaseModel, Field, StrictBool, StrictInt, StrictStr

from services.gateway.edge.money import MOST_MICRO_RUB
from services.gateway.edge.reading.json_body import StrictModel
from services.gateway.edge.reading.moments import CalendarMoment

Period = Literal["day", "month", "total"]
Text = StrictStr
# As auth has it.
MOST_OVERLAP_S: Final = 30 * 86_400


class BudgetBody(StrictModel):
    """A spending cap."""

    limit_micro_rub: StrictInt = Field(gt=0, le=MOST_MICRO_RUB)
    period: Period


class CacheDefault(StrictModel):
    """Whether answers to a key are cached where its requests do not say; `ttl_s` null: as long as the server has it."""

    mode: Literal["on", "off"]
    ttl_s: StrictInt | None = Field(None, ge=1)


class ProfileBody(BaseModel):
    """A user."""

    id: str
    email: str
    email_verified: bool
    name: str
    language: str
    time_zone: str
    tier: str
    totp_enabled: bool
    has_password: bool
    created_at: datetime | None


class ProfileChange(StrictModel):
    """What to change; a new e-mail counts when it is confirmed."""

    name: Text | None = Field(None, max_length=100)
    language: Literal["ru", "en"] | None = None
    time_zone: Text | None = Field(None, max_length=64)
    email: Text | None = Field(None, max_length=254)
    current_password: Text | None = Field(None, max_length=1024)
    totp_code: Text | None = Field(None, max_length=64)


class AccountDeletion(StrictModel):
    """Proof that it is the owner."""

    password: Text = Field("", max_length=1024)
    totp_code: Text = Field("", max_length=64)


class KeyOut(BaseModel):
    """An API key without its secret. `first_key_id`: the first of its line of rotations; budgets name that one."""

    id: str
    name: str
    prefix: str
    last_four: str
    scopes: list[str]
    models: list[str]
    ip_allow_list: list[str]
    budget: BudgetBody | None
    created_at: datetime | None
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None
    disabled: bool
    cache: CacheDefault
    first_key_id: str


class KeyMade(KeyOut):
    """A fresh key with its secret, which is shown this once."""

    key: str


class KeyList(BaseModel):
    """Some keys, newest first; `next_page` is null on the last page."""

    data: list[KeyOut]
    next_page: str | None


class KeyOrderBody(StrictModel):
    """What a new key is to be. Without scopes it gets those of a plain key, as far as the maker has them."""

    name: Text = Field(min_length=1, max_length=100)
    scopes: list[Text] = Field(default=[], max_length=32)
    models: list[Text] = Field(default=[], max_length=100)
    ip_allow_list: list[Text] = Field(default=[], max_length=100)
    expires_at: CalendarMoment | None = None
    budget: BudgetBody | None = None
    cache: CacheDefault | None = None


class ModelNamesBody(StrictModel):
    """Which model is meant by a name; `*`: by whatever is asked for, `default`: where no model is named."""

    names: dict[Text, Text] = Field(max_length=50)


class ModelCallerBody(BaseModel):
    """Who calls a model, by which key or grant."""

    user_id: str
    key_id: str | None
    grant_id: str | None
    requests: int
    last_day: str


class ExpiringModel(BaseModel):
    """A model that ends, and who still calls it."""

    model: str
    provider: str
    shutdown_date: str
    days_left: int
    successor: str | None
    callers: list[ModelCallerBody]


class ExpiringModels(BaseModel):
    """The models that end soon, the next one first."""

    data: list[ExpiringModel]


class RotationBody(StrictModel):
    """How long the old key goes on working beside the new one."""

    overlap_s: StrictInt = Field(3600, ge=0, le=MOST_OVERLAP_S)


class RevokedBody(BaseModel):
    """It ended."""

    id: str
    revoked: bool = True


class SwitchedBody(BaseModel):
    """Whether an administrator disabled it."""

    id: str
    disabled: bool


class RefusedBody(BaseModel):
    """How often a subject was refused for a reason."""

    subject: str
    reason: str
    refusals: int


class AbuseBody(BaseModel):
    """Who was refused most, most refused first."""

    by: str
    window: str
    data: list[RefusedBody]


class ClientOut(BaseModel):
    """An OAuth application."""

    client_id: str
    name: str
    confidential: bool
    redirect_uris: list[str]
    scopes: list[str]
    grant_types: list[str]
    token_endpoint_auth_method: str
    dpop_bound_access_tokens: bool
    require_pushed_authorization_requests: bool
    created_at: datetime | None
    disabled: bool


class ClientMade(ClientOut):
    """A fresh application; the secret of a confidential one is shown this once."""

    client_secret: str | None


class ClientList(BaseModel):
    """All applications of a user."""

    data: list[ClientOut]


class ClientOrderBody(StrictModel):
    """What a new application is to be."""

    name: Text = Field(min_length=1, max_length=100)
    confidential: StrictBool = False
    redirect_uris: list[Text] = Field(default=[], max_length=20)
    scopes: list[Text] = Field(default=[], max_length=32)
    grant_types: list[Text] = Field(default=["authorization_code", "refresh_token"], max_length=8)
    dpop_bound_access_tokens: StrictBool = False
    require_pushed_authorization_requests: StrictBool = False


class GrantOut(BaseModel):
    """An application that the user let in."""

    id: str
    client_id: str
    client_name: str
    scopes: list[str]
    models: list[str]
    budget: BudgetBody | None
    created_at: datetime | None
    last_used_at: datetime | None
    disabled: bool


class GrantList(BaseModel):
    """All of them."""

    data: list[GrantOut]


class SessionOut(BaseModel):
    """A login session."""

    id: str
    ip: str
    user_agent: str
    created_at: datetime | None
    last_seen_at: datetime | None
    expires_at: datetime | None


class SessionList(BaseModel):
    """All of them."""

    data: list[SessionOut]


class RateLimitBody(BaseModel):
    """Requests in an interval; null: no limit."""

    requests: int | None
    interval: str
    requests_per_day: int | None
    tokens_per_minute: int | None
    tokens_per_day: int | None
    concurrent_requests: int | None


class KeyData(BaseModel):
    """What a key may do and what it spent, in roubles."""

    label: str
    usage: float
    usage_rub: str
    limit: float | None
    limit_remaining: float | None
    is_free_tier: bool
    tier: str
    scopes: list[str]
    models: list[str]
    expires_at: str | None
    rate_limit: RateLimitBody


class KeyBody(BaseModel):
    """The key that asks."""

    data: KeyData
