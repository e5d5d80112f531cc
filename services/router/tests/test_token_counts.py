"""Answers without usage, counted by the tokenizer of the provider that gave them; the whole router on the emulator."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

import pytest
from razvilka.router.v1 import router_pb2 as pb

from emulator.testing import RunningEmulator
from servicekit.errors import ServiceError
from services.router.domain.completion import Delta, ToolCall
from services.router.routing.token_counts import text_of
from services.router.tests.adapters import model
from services.router.tests.running_router import Ask, Stub, complete, ends_of, prompt, router, stream
from services.router.tests.running_router import text_of as text_of_parts

PROVIDERS: Final = {"yandexgpt": "yandex", "gigachat": "gigachat"}
SYSTEM: Final = pb.Message(role=pb.ROLE_SYSTEM, content="Отвечай коротко.")
PARAMETERS: Final = b'{"type":"object","properties":{"at":{"type":"string"}}}'
TOOL: Final = pb.Tool(name="find_tent", description="Find a tent", parameters_json=PARAMETERS)
either_way = pytest.mark.parametrize("ask", [complete, stream])
each = pytest.mark.parametrize("name", PROVIDERS)


@pytest.fixture
async def stub(emulator: RunningEmulator) -> AsyncIterator[Stub]:
    """Give a router that waits for tokenizers on a loaded machine, too."""
    async with router(emulator, tokenizer_s=30.0) as running_stub:
        yield running_stub


def asked(name: str, text: str = "Сколько стоянок на карте? [[text:раз два три]]", **more: Any) -> pb.Prompt:
    """Return a prompt with a system message."""
    made = prompt(name, text, **more)
    made.messages.insert(0, SYSTEM)
    return made


def template(name: str, messages: int) -> int:
    """Return by how much our count may exceed the emulator's: GigaChat's tokenizer does not see its template."""
    return model(name).tokens_per_message * messages - (1 + 3 * messages) if name == "gigachat" else 0


async def calls(emulator: RunningEmulator, operation: str) -> list[dict[str, Any]]:
    return await emulator.control.ground_truth(operation=operation)


def counts(usage: pb.Usage) -> tuple[int, int, bool]:
    return usage.prompt_tokens, usage.completion_tokens, usage.tokenized


@each
@either_way
async def test_an_answer_without_usage_is_counted_by_its_provider(
    stub: Stub, emulator: RunningEmulator, name: str, ask: Ask
) -> None:
    """The count is what the provider knows of the call, and says by whom it was made."""
    await emulator.control.fail("usage_missing", operation="chat")

    _, end = ends_of(await ask(stub, asked(name)))

    [true] = await calls(emulator, "chat")
    expected = true["prompt_tokens"] + template(name, 2), true["completion_tokens"], True
    assert counts(end.usage) == expected
    assert len(await calls(emulator, "tokenize")) == 2


@each
@either_way
async def test_a_call_of_a_tool_is_counted_with_what_was_offered(
    stub: Stub, emulator: RunningEmulator, name: str, ask: Ask
) -> None:
    """Names and arguments are output; the tools are input."""
    await emulator.control.fail("usage_missing", operation="chat")
    text = 'Где? [[call:find_tent {"at": "river"}]]'

    _, end = ends_of(await ask(stub, asked(name, text, tools=[TOOL])))

    [true] = await calls(emulator, "chat")
    assert end.usage.tokenized
    assert end.usage.completion_tokens == true["completion_tokens"]
    assert end.usage.prompt_tokens == true["prompt_tokens"] + template(name, 2)


@each
async def test_each_of_several_choices_has_read_the_prompt(stub: Stub, emulator: RunningEmulator, name: str) -> None:
    """They are several calls to the provider, each billed."""
    await emulator.control.fail("usage_missing", operation="chat", times=-1)

    _, end = ends_of(await complete(stub, asked(name, n=3)))

    true = await calls(emulator, "chat")
    assert len(true) == 3
    assert end.usage.prompt_tokens == sum(call["prompt_tokens"] for call in true) + 3 * template(name, 2)
    assert end.usage.completion_tokens == sum(call["completion_tokens"] for call in true)


@each
@either_way
async def test_an_answer_with_usage_is_not_counted(stub: Stub, emulator: RunningEmulator, name: str, ask: Ask) -> None:
    """Zeros are usage too."""
    _, said = ends_of(await ask(stub, asked(name)))
    await emulator.control.fail("usage_zero", operation="chat")
    _, zero = ends_of(await ask(stub, asked(name)))

    assert not said.usage.tokenized
    assert counts(zero.usage) == (0, 0, False)
    assert await calls(emulator, "tokenize") == []


@each
async def test_what_was_counted_lately_is_not_counted_again(stub: Stub, emulator: RunningEmulator, name: str) -> None:
    """Whole or streamed, with other parameters: text and model count, and another model is another count."""
    await emulator.control.fail("usage_missing", operation="chat", times=-1)

    _, first = ends_of(await complete(stub, asked(name)))
    _, second = ends_of(await stream(stub, asked(name, temperature=0.5)))

    assert first.usage == second.usage
    assert len(await calls(emulator, "tokenize")) == 2
    await complete(stub, asked({"yandexgpt": "yandexgpt-lite", "gigachat": "gigachat-max"}[name]))
    assert len(await calls(emulator, "tokenize")) == 4


@each
async def test_a_full_memory_forgets_the_oldest_count(emulator: RunningEmulator, name: str) -> None:
    """Two counts fit, so each other answer asks anew."""
    await emulator.control.fail("usage_missing", operation="chat", times=-1)
    other = asked(name, "Другой вопрос. [[text:четыре пять]]")

    async with router(emulator, tokenizer_s=30.0, tokenizer_cache=2) as stub:
        for each_one in (asked(name), other, asked(name)):
            await complete(stub, each_one)

    assert len(await calls(emulator, "tokenize")) == 6


FAILURES: Final = {
    "an error": ("status", {"code": 500}),
    "too many": ("rate_limit", {}),
    "a reset": ("rst_before_headers", {}),
    "silence": ("stall_before_headers", {}),
    "too late": ("latency", {"ms": 30_000}),
    "nothing": ("empty_body", {}),
}


@each
@either_way
@pytest.mark.parametrize(("fault", "args"), FAILURES.values(), ids=FAILURES)
async def test_a_tokenizer_that_fails_or_is_slow_takes_nothing_from_the_answer(
    emulator: RunningEmulator, name: str, ask: Ask, fault: str, args: dict[str, Any]
) -> None:
    """The answer comes without usage, as it came from the provider, and no one else is asked."""
    await emulator.control.fail("usage_missing", operation="chat")
    await emulator.control.fail(fault, operation="tokenize", times=-1, **args)

    async with router(emulator, tokenizer_s=0.2) as stub:
        answer = await ask(stub, asked(name))

    _, end = ends_of(answer)
    assert not end.HasField("usage")
    assert [attempt.reason for attempt in end.attempts] == [""]
    said = text_of_parts(answer) if isinstance(answer, list) else answer.choices[0].content
    assert said == "раз два три"
    assert len(await calls(emulator, "chat")) == 1
    assert len(await calls(emulator, "tokenize")) <= 2


async def test_the_last_words_of_a_stream_do_not_wait_for_the_count(stub: Stub, emulator: RunningEmulator) -> None:
    """All text is out in a part before the one with the end."""
    await emulator.control.fail("usage_missing", operation="chat")

    *before, last = await stream(stub, asked("gigachat"))

    assert text_of_parts(before) == "раз два три"
    assert last.end.usage.tokenized
    assert not last.deltas


async def test_the_caller_s_deadline_is_not_used_up_by_counting(emulator: RunningEmulator) -> None:
    """A tokenizer that may take longer than the caller waits gets half of what is left.

    The rest is more than a busy machine stands still, before the count and after it.
    """
    await emulator.control.fail("usage_missing", operation="chat")
    await emulator.control.fail("stall_before_headers", operation="tokenize", times=-1)

    async with router(emulator, tokenizer_s=60.0) as stub:
        answer = await complete(stub, asked("gigachat"), deadline_s=12.0)

    assert answer.choices[0].content == "раз два три"
    assert not answer.end.HasField("usage")


@either_way
async def test_tokenizers_can_be_left_alone(emulator: RunningEmulator, ask: Ask) -> None:
    """With a bound of 0 s nobody is asked."""
    await emulator.control.fail("usage_missing", operation="chat")

    async with router(emulator, tokenizer_s=0.0) as stub:
        _, end = ends_of(await ask(stub, asked("yandexgpt")))

    assert not end.HasField("usage")
    assert await calls(emulator, "tokenize") == []


SCHEMA: Final = pb.ResponseFormat(type="json_schema", schema_json=PARAMETERS)
IMAGE: Final = b'{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}'
UNSEEN: Final = {
    "a schema": pb.Prompt(response_format=SCHEMA),
    "an image": pb.Prompt(
        messages=[pb.Message(role=pb.ROLE_USER, parts=[pb.ContentPart(type="image_url", json=IMAGE)])]
    ),
}


@pytest.mark.parametrize("more", UNSEEN.values(), ids=UNSEEN)
async def test_what_gigachat_s_tokenizer_does_not_see_leaves_the_count_to_the_gateway(
    stub: Stub, emulator: RunningEmulator, more: pb.Prompt
) -> None:
    """A count of the rest would be too small, and taken for the provider's."""
    await emulator.control.fail("usage_missing", operation="chat")
    whole = asked("gigachat")
    whole.MergeFrom(more)

    _, end = ends_of(await complete(stub, whole))

    assert not end.HasField("usage")
    assert await calls(emulator, "tokenize") == []


async def test_an_answer_that_breaks_off_is_counted_as_far_as_it_came(stub: Stub, emulator: RunningEmulator) -> None:
    """GigaChat says usage with the last event only; what it has said before is told as progress."""
    await emulator.control.fail("cut_mid_stream", operation="chat", provider="gigachat", after=2)
    heard: list[pb.StreamResponse] = []

    with pytest.raises(ServiceError):
        await stream(stub, asked("gigachat", "[[text:раз два три четыре пять шесть]] [[chunks:6]] [[gap:20]]"), heard)

    [true] = await calls(emulator, "chat")
    expected = true["prompt_tokens"] + template("gigachat", 2), true["delivered_tokens"], True
    assert counts(heard[-1].progress) == expected
    assert 0 < true["delivered_tokens"] < true["completion_tokens"]


async def test_an_answer_that_we_cut_at_a_stop_sequence_is_counted(stub: Stub, emulator: RunningEmulator) -> None:
    """Where the provider has no stop sequences its call is ended before it has said usage."""
    text = "[[text:раз два СТОП четыре пять шесть]] [[chunks:6]] [[gap:20]]"

    _, end = ends_of(await stream(stub, asked("gigachat", text, stop=["СТОП"])))

    [true] = await calls(emulator, "chat")
    assert counts(end.usage) == (true["prompt_tokens"] + template("gigachat", 2), 2, True)


def test_a_text_is_put_together_choice_by_choice() -> None:
    """Pieces of one choice are one text, whatever came between them; names and arguments of calls are part of it."""
    deltas = [
        Delta(1, "ab"),
        Delta(0, "при", "думаю "),
        Delta(1, "cd"),
        Delta(0, "вет", tool_calls=[ToolCall("1", "find", '{"a":')]),
        Delta(0, tool_calls=[ToolCall("", "", "1}")]),
    ]

    assert text_of(deltas) == 'думаю привет\nfind\n{"a":1}\nabcd'
