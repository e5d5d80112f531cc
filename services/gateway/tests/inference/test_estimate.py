"""The size of the hold: what a request may cost at most. Too small a hold lets a budget be overdrawn."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.clients.catalog import Model
from services.gateway.inference.conversation import normalise
from services.gateway.inference.estimate import (
    ATTACHMENT_BYTES,
    TOKENS_PER_ATTACHMENT,
    Estimate,
    estimate_chat,
    estimate_chats,
    estimate_embedding,
    output_bound,
    tokens_of,
)
from services.gateway.inference.schemas import ChatRequest
from services.gateway.metering.usage_record import Price

PRICE = Price("v1", 200_000, 400_000)
IN, OUT = 200, 400  # micro-roubles a token
MODEL = Model("m", "p", "chat", (), context_length=32_768, max_output_tokens=8_192, tokens_per_message=4)
WEATHER = {"type": "function", "function": {"name": "weather", "description": "It says", "parameters": {"a": 1}}}


def chat(*contents: Any, **changes: Any) -> ChatRequest:
    """Return a checked chat of one user message for each content, answered with ten tokens at most."""
    messages = [{"role": "user", "content": content} for content in contents]
    body = {"model": "m", "messages": messages, "max_tokens": 10, **changes}
    request = msgspec.json.decode(msgspec.json.encode(body), type=ChatRequest)
    normalise(request)
    return request


def picture(size: int) -> dict[str, Any]:
    """Return a part whose JSON is `size` bytes long."""
    empty = len(msgspec.json.encode({"type": "image_url", "image_url": {"url": ""}}))
    return {"type": "image_url", "image_url": {"url": "x" * (size - empty)}}


def of(request: ChatRequest, model: Model = MODEL) -> Estimate:
    """Return the estimate of a chat."""
    return estimate_chat(request, model, PRICE)


def test_text_counts_by_the_models_own_ratio_and_each_message_on_top() -> None:
    """Seven characters are three tokens, two messages eight more; ten tokens come out."""
    estimate = of(chat("привет", "!"))

    assert estimate == Estimate(3 + 8, 10, 11 * IN + 10 * OUT)
    assert estimate.tokens == 21


def test_the_ratio_and_the_message_overhead_are_the_models() -> None:
    """Six characters at two a token, no overhead."""
    model = Model("m", "p", "chat", (), chars_per_token=2, tokens_per_message=0)

    assert of(chat("привет"), model).input_tokens == 3


@pytest.mark.parametrize("n", [1, 2, 128])
def test_every_choice_may_be_of_full_length(n: int) -> None:
    """`n` choices are `n` answers to pay for."""
    estimate = of(chat("привет", n=n))

    assert estimate.output_bound == 10 * n
    assert estimate.hold_micro_rub == 6 * IN + 10 * n * OUT


@pytest.mark.parametrize(
    ("asked", "bound"),
    [
        ({"max_tokens": 1}, 1),
        ({"max_tokens": 8_191}, 8_191),
        ({"max_tokens": 8_193}, 8_192),
        ({"max_tokens": None}, 8_192),
        ({"max_completion_tokens": 7}, 7),
        ({"max_completion_tokens": 7, "max_tokens": 9}, 7),
        ({"max_completion_tokens": 9, "max_tokens": 7}, 9),
    ],
    ids=["one", "under the cap", "over the cap", "not said", "new name", "new name wins", "new name wins over less"],
)
def test_the_answer_is_as_long_as_asked_or_as_the_model_can(asked: dict[str, int | None], bound: int) -> None:
    """What the caller asks for counts, up to the model's own cap."""
    estimate = of(chat("привет", **asked))

    assert estimate.output_bound == bound
    assert estimate.hold_micro_rub == 6 * IN + bound * OUT


@pytest.mark.parametrize(
    ("model", "bound"),
    [
        (Model("m", "p", "chat", (), context_length=500, max_output_tokens=300), 300),
        (Model("m", "p", "chat", (), context_length=500), 500),
        (Model("m", "p", "chat", ()), 8_192),
    ],
    ids=["its longest answer", "its context", "neither is known"],
)
def test_an_answer_without_a_limit_is_as_long_as_the_model_allows(model: Model, bound: int) -> None:
    """A catalogue entry that says little holds more, never nothing."""
    assert output_bound(chat("привет", max_tokens=None), model) == bound


def test_a_large_part_is_an_attachment() -> None:
    """Its bytes are not counted as text, but it is not free."""
    estimate = of(chat([picture(ATTACHMENT_BYTES), picture(10 * ATTACHMENT_BYTES)]))

    assert estimate.input_tokens == 4 + 2 * TOKENS_PER_ATTACHMENT
    assert estimate.hold_micro_rub == estimate.input_tokens * IN + 10 * OUT


def test_a_small_part_counts_as_its_text() -> None:
    """One byte less than an attachment, beside a short text: the size of their JSON."""
    text = {"type": "text", "text": "ab"}
    size = len(msgspec.json.encode(text)) + ATTACHMENT_BYTES - 1

    assert of(chat([text, picture(ATTACHMENT_BYTES - 1)])).input_tokens == 4 + math.ceil(size / 3)


def test_tools_count_as_text() -> None:
    """Name, description and schema of each go to the provider with every request."""
    one, two = of(chat("приветик!", tools=[WEATHER])), of(chat("приветик!", tools=[WEATHER, WEATHER]))

    size = len("weather") + len("It says") + len("{'a': 1}")
    assert one.input_tokens == 4 + math.ceil((9 + size) / 3)
    assert two.input_tokens == 4 + math.ceil((9 + 2 * size) / 3)
    assert one.hold_micro_rub == one.input_tokens * IN + 10 * OUT


def test_the_old_functions_cost_what_tools_cost() -> None:
    """The dialect makes no difference to the provider."""
    old = chat("привет", functions=[WEATHER["function"]])

    assert of(old) == of(chat("привет", tools=[WEATHER]))


def test_earlier_tool_calls_count_as_text() -> None:
    """The model reads again what it called: name and arguments."""
    call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Омск"}'}}
    messages = [{"role": "assistant", "content": None, "tool_calls": [call, call]}]

    estimate = of(chat(messages=messages))

    assert estimate.input_tokens == 4 + math.ceil(2 * (7 + 15) / 3)


def test_an_empty_chat_holds_a_token_all_the_same() -> None:
    """A hold of nothing would hold nothing."""
    model = Model("m", "p", "chat", (), tokens_per_message=0)

    assert of(chat(""), model).input_tokens == 1
    assert estimate_embedding([""], model, PRICE).input_tokens == 1


def test_a_list_of_prompts_holds_for_each() -> None:
    """Tokens in, tokens out and money are sums."""
    chats = [chat("привет"), chat("до свидания", n=2), chat("!")]

    total = estimate_chats(chats, MODEL, PRICE)

    parts = [of(each) for each in chats]
    assert total.input_tokens == sum(part.input_tokens for part in parts) == 6 + 8 + 5
    assert total.output_bound == sum(part.output_bound for part in parts) == 40
    assert total.hold_micro_rub == sum(part.hold_micro_rub for part in parts) == 19 * IN + 40 * OUT


def test_embeddings_have_no_output() -> None:
    """Every input counts as a message; nothing comes out."""
    estimate = estimate_embedding(["привет", "!"], MODEL, PRICE)

    assert estimate == Estimate(3 + 8, 0, 11 * IN)


@given(st.integers(0, 10_000), st.floats(0.5, 8))
def test_tokens_are_rounded_up(chars: int, ratio: float) -> None:
    """Never fewer than the characters make, less than one more."""
    tokens = tokens_of(Model("m", "p", "chat", (), chars_per_token=ratio), chars)

    assert chars / ratio <= tokens < chars / ratio + 1


def test_a_model_without_a_ratio_has_the_usual_one() -> None:
    """Three characters a token."""
    assert tokens_of(Model("m", "p", "chat", (), chars_per_token=0), 7) == 3


@given(st.integers(1, 10**6), st.integers(0, 10**7), st.integers(0, 10**7))
def test_the_hold_is_rounded_up_to_whole_micro_roubles(bound: int, price_in: int, price_out: int) -> None:
    """The exact price of input and bound, and less than one micro-rouble more."""
    model = Model("m", "p", "chat", (), max_output_tokens=10**6)
    estimate = estimate_chat(chat("привет", max_tokens=bound), model, Price("v", price_in, price_out))

    exact = Fraction(estimate.input_tokens * price_in + bound * price_out, 1000)
    assert exact <= estimate.hold_micro_rub < exact + 1
