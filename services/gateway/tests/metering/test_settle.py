"""What a request costs."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.metering.settle import cost_micro_rub, interrupted, usage_record
from services.gateway.metering.usage_record import Price, Source, Status, TokenUsage
from services.gateway.tests.metering_kit import PRICE, completed, facts, outcome, ticket

tokens = st.integers(0, 10**7)
prices = st.integers(0, 10**8)


@given(tokens, tokens, tokens, prices, prices, st.none() | prices)
def test_a_cost_is_exact_and_rounded_up(tokens_input, tokens_output, cached, p_in, p_out, p_cached):
    """Never below the exact price, less than one micro-rouble above it."""
    cached = min(cached, tokens_input)
    exact = Fraction(
        (tokens_input - cached) * p_in + cached * (p_in if p_cached is None else p_cached) + tokens_output * p_out, 1000
    )

    cost = cost_micro_rub(TokenUsage(tokens_input, tokens_output, cached), Price("v", p_in, p_out, p_cached))

    assert exact <= cost < exact + 1


def test_no_more_input_is_cached_than_there_is():
    """A provider that says otherwise does not make the request cheaper than free."""
    assert cost_micro_rub(TokenUsage(10, 0, 30), Price("v", 1000, 0, 100)) == 1
    assert cost_micro_rub(TokenUsage(10, 0, 4), Price("v", 1000, 0, 100)) == 7


CASES = {
    "provider's count": (completed(100, 50), 100, 50, Source.PROVIDER),
    "explicit zero is a value": (completed(0, 0), 0, 0, Source.PROVIDER),
    "completed, nobody said": (outcome(Status.COMPLETED, delivered_tokens=7), 10, 7, Source.ESTIMATED),
    "client left early": (outcome(Status.INTERRUPTED), 10, 0, Source.ESTIMATED),
    "client left mid-stream": (outcome(Status.INTERRUPTED, delivered_tokens=7), 10, 7, Source.ESTIMATED),
    "client left, provider said": (
        outcome(Status.INTERRUPTED, usage=TokenUsage(9, 9), delivered_tokens=7),
        9,
        9,
        Source.PROVIDER,
    ),
    "failed before the first token": (outcome(Status.FAILED), 0, 0, Source.ESTIMATED),
    "failed mid-stream": (outcome(Status.FAILED, delivered_tokens=7), 10, 7, Source.ESTIMATED),
    "gateway died": (interrupted(7, "gateway_restarted"), 10, 7, Source.ESTIMATED),
}


@pytest.mark.parametrize(("ended", "tokens_input", "tokens_output", "source"), CASES.values(), ids=CASES.keys())
def test_what_is_billed_follows_what_is_known(ended, tokens_input, tokens_output, source):
    """The table of the module, row by row."""
    row = usage_record(ticket(), facts(), ended)

    assert (row.tokens_input, row.tokens_output, row.source) == (tokens_input, tokens_output, source)
    assert row.cost_micro_rub == cost_micro_rub(TokenUsage(tokens_input, tokens_output), PRICE)
    assert row.price_version == "v1"


def test_a_fallback_is_billed_at_the_price_of_the_model_that_answered():
    """Model, provider and price version of the row are those of the answer."""
    other = Price("v9", 1000, 2000)

    row = usage_record(ticket(), facts(), completed(1000, 1000, price=other, provider="gigachat", model="gigachat-pro"))

    assert (row.provider, row.model, row.price_version, row.cost_micro_rub) == ("gigachat", "gigachat-pro", "v9", 3000)
