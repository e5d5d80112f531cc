"""How long an answer may be for a rest of money."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from services.gateway.clients.catalog import Model
from services.gateway.inference.estimate import affordable_output, estimate
from services.gateway.inference.size.prompt_size import embedding_size
from services.gateway.metering.usage_record import Price

MODEL = Model("m", "p", "chat", (), context_length=32_768, max_output_tokens=8_192, tokens_per_message=4)


@given(st.integers(0, 10**9), st.integers(1, 8), st.integers(0, 10**6), st.integers(0, 10**6), st.booleans())
def test_what_is_affordable_costs_no_more(rub: int, n: int, price_in: int, price_out: int, per_choice: bool) -> None:
    """The longest answer that a rest of money covers: it fits, and one token more does not."""
    model, price = replace(MODEL, bills_input_per_choice=per_choice), Price("v", price_in, price_out)
    size = structs.replace(embedding_size(["привет"]), choices=n)

    most = affordable_output(size, model, price, rub)

    if most > 0:
        assert estimate(structs.replace(size, max_tokens=most), model, price).hold_micro_rub <= rub
    if 0 < most < 8192:
        assert estimate(structs.replace(size, max_tokens=most + 1), model, price).hold_micro_rub > rub


@pytest.mark.parametrize(
    ("rub", "price_in", "price_out", "n", "most"),
    [
        (10_000, 0, 3_000, 1, 3_333),
        (10_000, 0, 3_000, 3, 1_111),
        (10_000, 0, 1, 1, 8_192),
        (30, 1_000, 0, 1, 8_192),
        (29, 1_000, 0, 1, -1),
        (29, 1_000, 1_000, 1, -1),
        (0, 0, 0, 1, 8_192),
    ],
    ids=["rounded down", "each choice", "the model's cap", "input alone", "not even the input", "less", "for nothing"],
)
def test_an_answer_is_as_long_as_the_money_left_pays(
    rub: int, price_in: int, price_out: int, n: int, most: int
) -> None:
    """Six letters and what stands around them are thirty tokens: a prompt that already costs more has no answer."""
    size = structs.replace(embedding_size(["привет"]), choices=n)

    found = affordable_output(size, MODEL, Price("v", price_in, price_out), rub)

    assert (found, type(found)) == (most, int)
