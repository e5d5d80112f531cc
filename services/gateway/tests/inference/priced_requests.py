"""A caller, a catalogue and requests at its prices, for the tests of pricing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from servicekit.testing.fake_clock import MIDDAY, FakeClock
from services.gateway.admission.caps import Budget
from services.gateway.admission.dimensions import CallerLimits, Limits
from services.gateway.admission.periods import BudgetPeriod
from services.gateway.clients.caller import Caller
from services.gateway.clients.catalog import Catalog, CatalogWatch, DatedPrice, Model
from services.gateway.edge.request_context import RequestContext
from services.gateway.inference.pricing import (
    PricedRequest,
    Pricing,
)
from services.gateway.inference.size.prompt_size import PromptSize
from services.gateway.inference.size.text_size import size_of
from services.gateway.metering.usage_record import Price

CHEAP, DEAR, FUTURE = Price("cheap", 200_000, 400_000), Price("dear", 300_000, 900_000), Price("future", 1, 1)


SIZE = PromptSize(size_of("привет".encode()), messages=1)


def model(id: str, *prices: Price, **changes: Any) -> Model:
    """Return a chat model with these prices, one a day, the last of them from now on."""
    dated = [DatedPrice(price, MIDDAY - timedelta(days=days)) for days, price in enumerate(reversed(prices))]
    return Model(id, "yandexgpt", "chat", tuple(reversed(dated)), **changes)


ASKED = model(
    "asked:latest",
    DEAR,
    CHEAP,
    aliases=("asked",),
    max_output_tokens=2_000,
    fallbacks=("gone", "vectors:latest", "free", "other"),
)


OTHER = replace(model("other:latest", DEAR, max_output_tokens=3_000), provider="gigachat")


FREE = model("free")


VECTORS = replace(model("vectors:latest", CHEAP), kind="embedding")


CATALOG = Catalog((ASKED, OTHER, FREE, VECTORS, model("later", FUTURE)), "1")


BUDGET = Budget("key:first", BudgetPeriod.MONTH, 10**9)


CALLER = Caller(
    "user-1",
    "key-1",
    "laptop",
    "pro",
    frozenset(),
    limits=CallerLimits(user=Limits(requests_per_minute=5)),
    budgets=(BUDGET,),
    grant_id="grant-1",
    client_id="client-1",
    time_zone="Europe/Moscow",
)


def context(caller: Caller = CALLER, *, stream: bool = False) -> RequestContext:
    """Return the context of an authenticated request."""
    made = RequestContext({"type": "http", "method": "POST", "headers": []})
    made.caller, made.stream = caller, stream
    return made


@pytest.fixture
async def pricing() -> Pricing:
    """Return prices of noon."""
    clock = FakeClock()

    async def fetch() -> Catalog:
        return CATALOG

    watch = CatalogWatch(fetch, clock=clock, refresh_s=1, max_age_s=10)
    assert await watch.refresh()
    return Pricing(watch, clock)


def priced(pricing: Pricing, size: PromptSize = SIZE, asked_in: RequestContext | None = None) -> PricedRequest:
    """Return the priced request of a chat of this size."""
    return pricing.price(asked_in or context(), "asked", kind="chat", endpoint="chat.completions", size=size)


def hold(request: PricedRequest) -> int:
    """Return what admission holds for it."""
    return request.estimate.hold_micro_rub
