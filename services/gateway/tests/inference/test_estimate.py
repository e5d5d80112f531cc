"""The size of the hold: what a request may cost at most. Too small a hold lets a budget be overdrawn."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.toy_model import tokenizer
from services.gateway.clients.catalog import Model
from services.gateway.inference.conversation import normalise
from services.gateway.inference.estimate import (
    IMAGE_BOUND,
    MESSAGE_BOUND,
    TEMPLATE_BOUND,
    TOKENS_PER_IMAGE,
    Estimate,
    affordable_output,
    estimate,
    output_bound,
    tokens_of,
    worst,
)
from services.gateway.inference.size.prompt_size import ENVELOPE_TOKENS, chat_size, chats_size, embedding_size
from services.gateway.inference.size.text_size import Script
from services.gateway.metering.settle import cost_micro_rub
from services.gateway.metering.usage_record import Price, TokenUsage
from services.gateway.schemas.inference import ChatRequest

PRICE = Price("v1", 200_000, 400_000)
IN, OUT = 200, 400  # micro-roubles a token
MODEL = Model("m", "p", "chat", (), context_length=32_768, max_output_tokens=8_192, tokens_per_message=4)
WEATHER = {"type": "function", "function": {"name": "weather", "description": "It says", "parameters": {"a": 1}}}
TEMPLATE = TEMPLATE_BOUND + MESSAGE_BOUND


def chat(*contents: Any, **changes: Any) -> ChatRequest:
    """Return a checked chat of one user message for each content, answered with ten tokens at most."""
    messages = [{"role": "user", "content": content} for content in contents]
    body = {"model": "m", "messages": messages, "max_tokens": 10, **changes}
    request = msgspec.json.decode(msgspec.json.encode(body), type=ChatRequest)
    normalise(request)
    return request


def of(request: ChatRequest, model: Model = MODEL, price: Price = PRICE) -> Estimate:
    """Return the estimate of a chat."""
    return estimate(chat_size(request), model, price)


def test_text_is_expected_by_the_models_ratio_and_held_by_the_bound() -> None:
    """Seven characters are three tokens as expected and seven at most, with what may stand around two messages."""
    found = of(chat("привет", "!"))

    bound = 7 + TEMPLATE_BOUND + 2 * MESSAGE_BOUND
    assert found == Estimate(3 + 8, bound, 10, bound * IN + 10 * OUT)
    assert found.tokens == 21


def test_the_ratio_and_the_message_overhead_are_the_models() -> None:
    """Six characters at two a token, no overhead."""
    model = Model("m", "p", "chat", (), chars_per_token=2, tokens_per_message=0)

    assert of(chat("привет"), model).input_tokens == 3


@pytest.mark.parametrize("n", [1, 2, 128])
def test_every_choice_may_be_of_full_length(n: int) -> None:
    """`n` choices are `n` answers to pay for."""
    found = of(chat("привет", n=n))

    assert found.output_bound == 10 * n
    assert found.hold_micro_rub == found.input_bound * IN + 10 * n * OUT


def test_where_each_choice_is_a_call_each_reads_the_input() -> None:
    """Eight choices of a long prompt: the input is billed eight times, so it is held and expected eight times."""
    model = replace(MODEL, bills_input_per_choice=True)
    one, eight = of(chat("привет " * 100), model), of(chat("привет " * 100, n=8), model)

    assert eight.input_tokens == 8 * one.input_tokens
    assert eight.input_bound == 8 * one.input_bound
    assert eight.hold_micro_rub == 8 * one.hold_micro_rub


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
    found = of(chat("привет", **asked))

    assert found.output_bound == bound
    assert found.hold_micro_rub == found.input_bound * IN + bound * OUT


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
    assert output_bound(chat_size(chat("привет", max_tokens=None)), model) == bound


def picture(size: int) -> dict[str, Any]:
    """Return an image of about that many bytes."""
    return {"type": "image_url", "image_url": {"url": "x" * size}}


@pytest.mark.parametrize("size", [10, 50_000])
def test_a_picture_is_no_text_however_large_it_is(size: int) -> None:
    """Its bytes are not counted, but it is not free."""
    found = of(chat([picture(size), picture(size)]))

    assert found.input_tokens == 4 + 2 * TOKENS_PER_IMAGE
    assert found.input_bound == TEMPLATE + 2 * IMAGE_BOUND


def test_a_long_part_of_text_is_text() -> None:
    """It was taken for an attachment of a thousand tokens once."""
    assert of(chat([{"type": "text", "text": "раз-" * 5000}])).input_bound == 20_000 + TEMPLATE


def test_a_file_is_at_most_its_bytes() -> None:
    """What is in it nobody knows; a provider may read it as text."""
    part = {"type": "file", "file": {"file_data": "x" * 5000}}

    assert of(chat([part])).input_bound >= 5000 + TEMPLATE


@pytest.mark.parametrize(
    "form",
    [
        {"tools": [WEATHER]},
        {"functions": [WEATHER["function"]]},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": {"a": "b" * 40}}}},
        {"prediction": {"type": "content", "content": "b" * 60}},
    ],
    ids=["tools", "functions", "a schema", "a prediction"],
)
def test_what_goes_with_every_request_is_held_for(form: dict[str, Any]) -> None:
    """Each goes to the provider as JSON of its dialect: its own size, and what stands around it."""
    plain, more = of(chat("приветик!")), of(chat("приветик!", **form))

    assert more.input_bound >= plain.input_bound + 20 + ENVELOPE_TOKENS
    assert more.input_tokens >= plain.input_tokens + 7


def test_the_old_functions_cost_what_tools_cost() -> None:
    """The dialect makes no difference to the provider."""
    old = chat("привет", functions=[WEATHER["function"]])

    assert of(old) == of(chat("привет", tools=[WEATHER]))


def test_earlier_tool_calls_count_as_text() -> None:
    """The model reads again what it called: name and arguments."""
    call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Омск"}'}}
    messages = [{"role": "assistant", "content": None, "tool_calls": [call, call]}]

    found = of(chat(messages=messages))

    assert found.input_tokens == 4 + -(-2 * (7 + 15) // 3)
    assert found.input_bound == 2 * (7 + 15) + TEMPLATE + 2 * ENVELOPE_TOKENS


def test_no_prompt_is_longer_than_the_window() -> None:
    """The provider refuses what is: nothing above the window is held or believed."""
    assert of(chat("!" * 100_000)).input_bound == MODEL.context_length


def test_an_empty_chat_is_a_token_all_the_same() -> None:
    """What is expected of nothing would be nothing."""
    model = Model("m", "p", "chat", (), tokens_per_message=0)

    assert of(chat(""), model).input_tokens == 1
    assert estimate(embedding_size([""]), model, PRICE).input_tokens == 1


def test_a_list_of_prompts_holds_for_each() -> None:
    """Tokens in, tokens out and money are sums."""
    chats = [chat("привет"), chat("до свидания"), chat("!")]

    found = estimate(chats_size(chats), MODEL, PRICE)

    parts = [of(each) for each in chats]
    assert found.input_bound == sum(part.input_bound for part in parts)
    assert found.output_bound == 30
    assert found.hold_micro_rub == sum(part.hold_micro_rub for part in parts)


def test_embeddings_have_no_output() -> None:
    """Every input counts as a message; nothing comes out."""
    found = estimate(embedding_size(["привет", "!"]), MODEL, PRICE)

    assert found == Estimate(3 + 8, 7 + 2 * TEMPLATE, 0, (7 + 2 * TEMPLATE) * IN)


def test_what_was_learned_of_a_script_lowers_the_hold_and_not_the_bound() -> None:
    """Russian prose has used a third of its bound at most: a third is held, a claim is checked by the whole."""
    model = replace(MODEL, learned_shares={Script.CYRILLIC: 0.35})
    request = chat("привет " * 100)

    known, unknown = of(request, model), of(request)

    assert known.hold_micro_rub == (245 + TEMPLATE) * IN + 10 * OUT
    assert known.input_bound == unknown.input_bound == 700 + TEMPLATE


def test_the_worst_script_of_a_text_counts() -> None:
    """A prompt of words and signs is held for as signs are, of which nothing is known."""
    model = replace(MODEL, learned_shares={Script.CYRILLIC: 0.35})
    request = chat("да-!" * 100)

    assert of(request, model) == of(request)


def test_the_hold_covers_whichever_model_answers() -> None:
    """A fallback may cost more and say more; what is expected is what the model asked for makes of it."""
    cheap, dear = Estimate(10, 20, 100, 7000), Estimate(11, 30, 90, 9000)

    assert worst([cheap, dear]) == Estimate(10, 30, 100, 9000)
    assert worst([dear, cheap]) == Estimate(11, 30, 100, 9000)


@given(st.integers(0, 10_000), st.floats(0.5, 8))
def test_tokens_are_rounded_up(chars: int, ratio: float) -> None:
    """Never fewer than the characters make, less than one more."""
    tokens = tokens_of(Model("m", "p", "chat", (), chars_per_token=ratio), chars)

    # Not `< chars / ratio + 1`: a sum of floats rounds to the whole number that it must stay below.
    assert tokens - 1 < chars / ratio <= tokens


def test_a_model_without_a_ratio_has_the_usual_one() -> None:
    """Three characters a token."""
    assert tokens_of(Model("m", "p", "chat", (), chars_per_token=0), 7) == 3


def test_cached_input_is_held_for_where_it_is_the_dearer_one() -> None:
    """A price that was lowered may have left it behind; nobody knows before how much of a prompt is cached."""
    left_behind = Price("v", 200_000, 400_000, 300_000)
    size = chat_size(chat("привет"))

    found = estimate(size, MODEL, left_behind)

    whole = TokenUsage(found.input_bound, found.output_bound, found.input_bound)
    assert cost_micro_rub(whole, left_behind) <= found.hold_micro_rub
    assert affordable_output(size, MODEL, left_behind, found.hold_micro_rub) == found.output_bound
    assert affordable_output(size, MODEL, left_behind, found.hold_micro_rub - 1) < found.output_bound


@given(st.integers(1, 10**6), st.integers(0, 10**7), st.integers(0, 10**7))
def test_the_hold_is_rounded_up_to_whole_micro_roubles(bound: int, price_in: int, price_out: int) -> None:
    """The exact price of input and bound, and less than one micro-rouble more."""
    model = Model("m", "p", "chat", (), max_output_tokens=10**6)
    found = of(chat("привет", max_tokens=bound), model, Price("v", price_in, price_out))

    exact = Fraction(found.input_bound * price_in + bound * price_out, 1000)
    assert exact <= found.hold_micro_rub < exact + 1


@given(st.text())
def test_no_text_has_more_tokens_than_its_bound(text: str) -> None:
    """Neither by the emulator's tokenizer nor by one that falls back to bytes for what it does not know."""
    request = chat("x")
    assert request.messages is not None
    request.messages[0].content = text

    assert tokenizer.count(text) + TEMPLATE <= of(request, replace(MODEL, context_length=0)).input_bound
