"""What a request asks for at the prices of now, what admission and metering hear of it, and what fits a budget."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from msgspec import structs

from servicekit.errors import NotFound, PermissionDenied
from servicekit.testing.fake_clock import MIDDAY
from services.gateway.admission.request import AdmissionRequest
from services.gateway.inference.estimate import Estimate, estimate, worst
from services.gateway.inference.pricing import (
    PricedRequest,
    Pricing,
    admission_request,
    request_facts,
)
from services.gateway.metering.usage_record import Price, RequestFacts
from services.gateway.tests.inference.priced_requests import (
    ASKED,
    BUDGET,
    CALLER,
    CATALOG,
    CHEAP,
    DEAR,
    OTHER,
    SIZE,
    context,
    hold,
    priced,
)


async def test_a_request_is_priced_for_whichever_model_answers(pricing: Pricing) -> None:
    """A fallback without a price, of another kind or gone is none; the dearest of the others is held for."""
    asked_in = context(stream=True)

    found = priced(pricing, asked_in=asked_in)

    candidates = ((ASKED, CHEAP), (OTHER, DEAR))
    covering = worst(estimate(SIZE, *candidate) for candidate in candidates)
    assert found == PricedRequest(
        "chat.completions", True, CATALOG, ASKED, CHEAP, MIDDAY, SIZE, candidates, covering, max_tokens=0
    )
    assert covering.output_bound == 3_000
    assert (asked_in.requested_model, asked_in.model, asked_in.provider) == ("asked", "asked:latest", "yandexgpt")


@pytest.mark.parametrize(("asked", "told"), [(0, 0), (2_999, 0), (3_000, 0), (3_001, 3_000)])
async def test_a_provider_is_never_told_more_than_was_held_for(pricing: Pricing, asked: int, told: int) -> None:
    """It might take the caller's word."""
    found = priced(pricing, structs.replace(SIZE, max_tokens=asked))

    assert found.max_tokens == told
    assert found.named_max_tokens is (asked > 0)


async def test_a_model_of_nobody_or_not_of_the_credential_is_refused(pricing: Pricing) -> None:
    """Before anything is counted."""
    with pytest.raises(NotFound):
        pricing.price(context(), "none", kind="chat", endpoint="chat.completions", size=SIZE)
    with pytest.raises(PermissionDenied):
        priced(pricing, asked_in=context(replace(CALLER, models=frozenset({"other:latest"}))))


async def test_one_token_is_a_length_that_the_caller_named(pricing: Pricing) -> None:
    """It must not be lengthened or shortened."""
    assert priced(pricing, structs.replace(SIZE, max_tokens=1)).named_max_tokens


async def test_the_longest_affordable_answer_fits_whichever_model_answers(pricing: Pricing) -> None:
    """It costs no more than there is, and a token more would."""
    found = priced(pricing)

    most = found.affordable(200_000)

    assert hold(found.lowered(most)) <= 200_000 < hold(found.lowered(most + 1))
    assert (found.affordable(0), found.affordable(-5)) == (0, 0)


async def test_a_lowered_request_says_so_to_everybody(pricing: Pricing) -> None:
    """To the estimate, to the provider, and nothing else changes."""
    found = priced(pricing)

    lowered = found.lowered(50)

    size = structs.replace(SIZE, max_tokens=50)
    covering = worst(estimate(size, *candidate) for candidate in found.candidates)
    assert lowered == structs.replace(found, size=size, estimate=covering, max_tokens=50)
    assert covering.output_bound == 50


async def test_the_smallest_form_is_sixteen_tokens_unless_the_caller_said_otherwise(pricing: Pricing) -> None:
    """A length that was named is kept; what has no answer has no shorter one."""
    named, vectors = (
        priced(pricing, structs.replace(SIZE, max_tokens=900)),
        priced(pricing, structs.replace(SIZE, choices=0)),
    )

    assert priced(pricing).least == priced(pricing).lowered(16)
    assert named.least is named
    assert vectors.least is vectors
    brief = replace(ASKED, max_output_tokens=9)
    assert structs.replace(priced(pricing), model=brief).least.max_tokens == 9


@pytest.mark.parametrize(
    ("answered", "price"),
    [("other:latest", DEAR), ("other", DEAR), ("asked:latest", None), ("", None), ("free", None), ("gone", None)],
)
async def test_a_fallback_is_billed_at_its_own_price(pricing: Pricing, answered: str, price: Price | None) -> None:
    """The one it had when the request came in; otherwise the request's own price counts."""
    assert priced(pricing).price_of(answered) == price


async def test_a_fallback_is_billed_at_the_price_of_the_moment_it_was_asked(pricing: Pricing) -> None:
    """Not at one that came, or went, while it was answering."""
    found = structs.replace(priced(pricing), model=OTHER)

    assert found.price_of("asked") == CHEAP
    assert structs.replace(found, at=MIDDAY - timedelta(hours=1)).price_of("asked") == DEAR


FACTS = RequestFacts(
    boot_id="boot",
    key_id="first",
    grant_id="grant-1",
    client_id="client-1",
    provider="yandexgpt",
    model="asked:latest",
    price=CHEAP,
    input_tokens=6,
    requested_model="asked",
    endpoint="chat.completions",
    stream=True,
    trace_id="",
    started_at_us=0,
    input_bound=0,
    output_bound=0,
    hold_micro_rub=0,
    idempotent=False,
    metadata={},
    prompt_digest=b"",
    traits=0,
)


async def test_admission_hears_who_asks_for_how_much(pricing: Pricing) -> None:
    """Tokens as expected and bounded, money as held; the smallest form only where a budget could need it."""
    asked_in = context()
    found = priced(pricing, asked_in=asked_in)

    told = admission_request(asked_in, found, FACTS)

    assert told == AdmissionRequest(
        request_id=asked_in.request_id,
        user_id="user-1",
        key_id="key-1",
        model="asked:latest",
        estimated_tokens=found.estimate.input_tokens + found.estimate.output_bound,
        hold_micro_rub=hold(found),
        least_hold_micro_rub=hold(found.lowered(16)),
        facts=FACTS,
        limits=CALLER.limits,
        budgets=(BUDGET,),
        time_zone="Europe/Moscow",
        spender="key:first",
    )
    asked_in.caller = replace(CALLER, budgets=())
    assert admission_request(asked_in, found, FACTS).least_hold_micro_rub == 0


async def test_the_journal_keeps_what_a_row_needs(pricing: Pricing) -> None:
    """Spending is booked under the key whose budget it is."""
    asked_in = context(stream=True)
    asked_in.metadata, asked_in.prompt_digest, asked_in.traits = {"team": "search"}, b"digest", 3
    found = structs.replace(priced(pricing, asked_in=asked_in), estimate=Estimate(6, 40, 500, 7_000))

    facts = request_facts(asked_in, found, "boot")

    assert asked_in.started_at_us > 0
    assert facts == RequestFacts(
        boot_id="boot",
        key_id="first",
        grant_id="grant-1",
        client_id="client-1",
        provider="yandexgpt",
        model="asked:latest",
        price=CHEAP,
        input_tokens=6,
        requested_model="asked",
        endpoint="chat.completions",
        stream=True,
        trace_id=asked_in.call.trace.trace_id,
        started_at_us=asked_in.started_at_us,
        input_bound=40,
        output_bound=500,
        hold_micro_rub=7_000,
        idempotent=False,
        metadata={"team": "search"},
        prompt_digest=b"digest",
        traits=3,
    )


async def test_nothing_to_come_out_is_a_bound_and_not_an_unknown_one(pricing: Pricing) -> None:
    """Zero would mean that nobody knows, and any claim would be believed."""
    found = priced(pricing, structs.replace(SIZE, choices=0))

    assert request_facts(context(), found, "boot").output_bound == 1
