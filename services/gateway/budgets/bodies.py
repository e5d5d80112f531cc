"""Bodies of the API of budgets."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal

from pydantic import BaseModel, Field, StrictInt, StrictStr

from services.gateway.edge.money import MOST_MICRO_RUB
from services.gateway.edge.reading.json_body import StrictModel

Mode = Literal["hard", "soft", "shadow"]
Owner = Literal["user", "key", "app"]
AnyOwner = Literal["user", "key", "app", "organization"]
Measure = Literal["cost", "requests", "tokens"]
Period = Literal["minute", "day", "week", "month", "lifetime"]
# Of requests or tokens.
MOST_UNITS: Final = 10**15


class AmountBody(StrictModel):
    """How much: of cost in roubles (`limit_rub`, a decimal string) or micro-roubles, of the rest in units (`limit`)."""

    limit_rub: StrictStr | None = Field(None, max_length=32, examples=["1500.00"])
    limit_micro_rub: StrictInt | None = Field(None, gt=0, le=MOST_MICRO_RUB)
    limit: StrictInt | None = Field(None, gt=0, le=MOST_UNITS)


class BudgetOrderBody(AmountBody):
    """A new budget of cost, or a quota of requests or tokens on the models of a pattern (`yandexgpt*`).

    `owner_id` is the id of the key or of the application's grant. Cost has days, weeks, months and `lifetime`; requests
    and tokens have minutes and days.
    """

    owner: Owner = "user"
    owner_id: StrictStr = Field("", max_length=128)
    measure: Measure = "cost"
    period: Period
    models: StrictStr = Field("", max_length=128)
    mode: Mode = "hard"


class AnyBudgetOrderBody(BudgetOrderBody):
    """The same for an administrator: also of an organization, and of the user whose id `owner_id` is."""

    owner: AnyOwner = "user"  # type: ignore[assignment]


class BudgetChangeBody(AmountBody):
    """What to change; what is left out stays."""

    mode: Mode | None = None


class BudgetOut(BaseModel):
    """A budget or a quota and how it stands.

    Of `cost` the amounts are roubles and micro-roubles, of the rest they are `limit`, `used` and `remaining`. `used` of
    a quota by the minute is not told. `state`: `ok`, `near` (80 % are used) or `reached`. `source` is `set`, or what it
    came with: only what was set can be changed. `would_have_refused` is of mode `shadow`.
    """

    id: str
    source: str
    owner: str
    owner_id: str
    measure: Measure
    period: Period
    models: str | None
    mode: Mode
    limit: int | None
    used: int | None
    remaining: int | None
    limit_rub: str | None
    limit_micro_rub: int | None
    spent_rub: str | None
    spent_micro_rub: int | None
    held_rub: str | None
    held_micro_rub: int | None
    remaining_rub: str | None
    remaining_micro_rub: int | None
    resets_at: datetime | None
    state: Literal["ok", "near", "reached"]
    would_have_refused: int | None
    set_by_admin: bool
    time_zone: str
    created_at: datetime | None
    updated_at: datetime | None


class BudgetList(BaseModel):
    """Everything that caps somebody."""

    data: list[BudgetOut]


class OrganizationOrderBody(StrictModel):
    """A new organization; its budgets have days, weeks and months of this time zone."""

    name: StrictStr = Field(min_length=1, max_length=200)
    time_zone: StrictStr = Field("Europe/Moscow", max_length=64)


class OrganizationOut(BaseModel):
    """An organization and the ids of its members."""

    id: str
    name: str
    time_zone: str
    created_at: datetime | None
    members: list[str]


class OrganizationList(BaseModel):
    """A page of the organizations, oldest first."""

    data: list[OrganizationOut]
    has_more: bool
    next_cursor: str | None


class DoneBody(BaseModel):
    """What was removed or changed."""

    id: str
