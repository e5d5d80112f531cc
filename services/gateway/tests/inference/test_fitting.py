"""What fits a budget: a shorter answer, a length that is named, or nothing."""

from __future__ import annotations

import pytest
from msgspec import structs

from servicekit.errors import ErrorReason
from services.gateway.admission.request import AdmissionRefused, LimitReport
from services.gateway.inference.pricing import (
    PricedRequest,
    Pricing,
    fitting,
)
from services.gateway.tests.inference.priced_requests import (
    SIZE,
    hold,
    priced,
)


def refused(left_micro_rub: int | None) -> AdmissionRefused:
    """Return a refusal that leaves so much of a budget; None: it was no budget."""
    error = AdmissionRefused(ErrorReason.BUDGET_EXCEEDED, "No.", LimitReport())
    error.budget_left_micro_rub = left_micro_rub
    return error


def left_for(request: PricedRequest, tokens: int) -> int:
    """Return the money that an answer of so many tokens needs at most."""
    return hold(request.lowered(tokens))


@pytest.mark.parametrize(
    ("enough_for", "lowered_to"),
    [(16, 16), (500, 500), (1_024, 1_024), (1_500, 1_024), (2_500, 1_246), (3_000, 1_496)],
    ids=["the least", "all of it", "a roomy answer", "more than roomy", "half of it", "half of the longest"],
)
async def test_a_budget_that_does_not_cover_all_covers_a_shorter_answer(
    pricing: Pricing, enough_for: int, lowered_to: int
) -> None:
    """Roomy if that is left, else all that is left; half of what is left stays for requests beside this one."""
    found = priced(pricing)

    fitted = fitting(found, refused(left_for(found, enough_for)))

    assert abs(fitted.max_tokens - lowered_to) <= 10
    assert hold(fitted) <= left_for(found, enough_for)
    assert fitted == found.lowered(fitted.max_tokens)
    if enough_for <= 1_024:
        assert fitted.max_tokens == lowered_to


async def test_a_length_that_was_named_is_refused_with_the_one_that_fits(pricing: Pricing) -> None:
    """The caller decides whether a shorter answer will do."""
    found = priced(pricing, structs.replace(SIZE, max_tokens=2_000))
    error = refused(left_for(found, 700))

    with pytest.raises(AdmissionRefused) as caught:
        fitting(found, error)

    assert caught.value is error
    assert error.details["max_tokens_that_fit"] == "700"
    assert error.message == "No. With max_tokens of 700 or less it would fit."


@pytest.mark.parametrize("named", [0, 2_000])
@pytest.mark.parametrize("left", [None, -1, 0, 1])
async def test_what_fits_no_answer_is_refused_as_it_was(pricing: Pricing, named: int, left: int | None) -> None:
    """No length is advised that would not help."""
    error = refused(left)

    with pytest.raises(AdmissionRefused):
        fitting(priced(pricing, structs.replace(SIZE, max_tokens=named)), error)

    assert (error.message, error.details) == ("No.", {})


async def test_fewer_than_sixteen_tokens_are_no_answer(pricing: Pricing) -> None:
    """Better refused than cut off in its first sentence."""
    found = priced(pricing)

    with pytest.raises(AdmissionRefused):
        fitting(found, refused(left_for(found, 15)))


async def test_what_has_no_answer_cannot_be_shortened(pricing: Pricing) -> None:
    """The refusal of an embedding stands, whatever is left."""
    with pytest.raises(AdmissionRefused):
        fitting(priced(pricing, structs.replace(SIZE, choices=0)), refused(10**9))
