"""What is emulated around a provider: n, stop, whole from streamed, JSON on demand."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest
from msgspec.structs import replace

from emulator.testing import RunningEmulator
from servicekit.errors import ErrorReason, ServiceError
from services.router.domain.completion import Batch, Delta, FinishReason, ResponseFormat, ToolCall, Usage
from services.router.providers import failures
from services.router.routing.answers import collected, merged, streamed, whole
from services.router.tests.adapters import LONG_S, Adapters, ask, call_for, hear

TEXT = "раз два три четыре пять шесть семь восемь девять десять"
PROVIDER_OF = {"native": "yandexgpt", "v1": "yandexgpt", "gigachat": "gigachat"}


@pytest.mark.parametrize("dialect", PROVIDER_OF)
async def test_stop_cuts_streams_and_ends_the_provider_s_call(
    adapters: Adapters, emulator: RunningEmulator, dialect: str
) -> None:
    """Finish is `stop`, the sequence itself is not shown, the rest is neither read nor waited for."""
    prompt = ask(f"[[text:{TEXT}]] [[chunks:10]] [[gap:30]]", stop=["пять"])

    batches = [batch async for batch in streamed(adapters.of(PROVIDER_OF[dialect]), prompt, call_for(dialect))]

    heard = hear(batches)
    assert (heard.text, heard.finish) == ("раз два три четыре ", FinishReason.STOP)
    async with asyncio.timeout(LONG_S):
        while not (ended := [call for call in await emulator.control.ground_truth() if call.get("ended")]):
            await asyncio.sleep(0.01)
    assert ended[-1]["delivered_tokens"] < 10


@pytest.mark.parametrize("dialect", PROVIDER_OF)
async def test_stop_cuts_whole_answers(adapters: Adapters, dialect: str) -> None:
    """Also when nobody streams to the caller."""
    answer = await whole(
        adapters.of(PROVIDER_OF[dialect]), ask(f"[[text:{TEXT}]]", stop=["шесть", "пять"]), call_for(dialect)
    )

    assert answer.choices[0].content == "раз два три четыре "
    assert answer.choices[0].finish_reason is FinishReason.STOP


async def test_more_stops_than_a_provider_takes_are_cut_by_us(adapters: Adapters) -> None:
    """OpenAI's API refuses a fifth; callers of Anthropic's may give it."""
    prompt = ask(f"[[text:{TEXT}]]", stop=["one", "two", "three", "four", "пять", "шесть"])
    provider, call = adapters.of("upstream"), call_for("upstream")

    answer = await whole(provider, prompt, call)
    heard = hear([batch async for batch in streamed(provider, prompt, call)])

    assert (answer.choices[0].content, answer.choices[0].finish_reason) == ("раз два три четыре ", FinishReason.STOP)
    assert (heard.text, heard.finish) == ("раз два три четыре ", FinishReason.STOP)


@pytest.mark.parametrize("dialect", PROVIDER_OF)
@pytest.mark.parametrize("n", [None, 2])
async def test_no_model_is_asked_for_more_than_its_longest_answer(
    adapters: Adapters, dialect: str, n: int | None
) -> None:
    """So much is held for it, though another one that may answer has longer answers."""
    asked = ask(f"[[text:{TEXT}]]", max_tokens=1000, n=n)
    provider, usual = adapters.of(PROVIDER_OF[dialect]), call_for(dialect)
    call = replace(usual, model=dataclasses.replace(usual.model, max_output_tokens=3))

    answer = await whole(provider, asked, call)
    heard = hear([batch async for batch in streamed(provider, asked, call)])

    assert {choice.finish_reason for choice in answer.choices} == {FinishReason.LENGTH}
    assert heard.finish is FinishReason.LENGTH


@pytest.mark.parametrize("dialect", PROVIDER_OF)
async def test_n_is_made_of_n_calls(adapters: Adapters, emulator: RunningEmulator, dialect: str) -> None:
    """Each choice has its number; usage is what all calls cost."""
    provider, call = adapters.of(PROVIDER_OF[dialect]), call_for(dialect)

    one = await whole(provider, ask("[[text:да]]"), call)
    three = await whole(provider, ask("[[text:да]]", n=3), call)

    assert [(choice.index, choice.content) for choice in three.choices] == [(0, "да"), (1, "да"), (2, "да")]
    assert one.usage is not None
    assert three.usage == one.usage + one.usage + one.usage


async def test_streamed_n_carries_each_choice_s_number(adapters: Adapters) -> None:
    """Choices come as they are made, and each of them ends."""
    prompt = ask(f"[[text:{TEXT}]] [[chunks:4]]", n=3)

    batches = [batch async for batch in streamed(adapters.yandex, prompt, call_for("native"))]

    texts = dict.fromkeys(range(3), "")
    for batch in batches:
        for delta in batch.deltas:
            texts[delta.choice_index] += delta.content
    assert set(texts.values()) == {TEXT}
    assert sum(delta.finish_reason is not None for batch in batches for delta in batch.deltas) == 3
    assert batches[-1].usage is not None or any(batch.usage for batch in batches)


async def test_one_failed_choice_fails_all_and_the_others_are_kept(
    adapters: Adapters, emulator: RunningEmulator
) -> None:
    """The provider bills them: they are not asked for again, only what is missing."""
    await emulator.control.fail("status", operation="chat", code=503, skip=1)
    call = call_for("native")
    with pytest.raises(ServiceError) as caught:
        await whole(adapters.yandex, ask(n=3), call)
    kept = dict(call.kept.answers)

    answer = await whole(adapters.yandex, ask(n=3), call)

    assert caught.value.reason is ErrorReason.PROVIDER_ERROR
    assert len(kept) == 2
    assert all(len(figures) == 4 and figures[1] > 0 for figures in call.kept.used())
    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    assert len(await emulator.control.ground_truth(operation="chat")) == 4


async def until_failure(batches: AsyncGenerator[Batch, None], heard: list[Batch]) -> None:
    async for batch in batches:
        heard.append(batch)


async def said(*batches: Batch, failure: ServiceError | None = None) -> AsyncGenerator[Batch, None]:
    for batch in batches:
        yield batch
    if failure is not None:
        raise failure


async def test_a_failed_choice_of_a_stream_tells_first_what_the_others_used() -> None:
    """A choice that never spoke has used nothing."""
    whole_choice = Batch([Delta(0, "да", finish_reason=FinishReason.STOP)], Usage(7, 1))
    failure = failures.broken()
    heard: list[Batch] = []

    with pytest.raises(ServiceError):
        await until_failure(merged([said(whole_choice), said(whole_choice), said(failure=failure)], 3), heard)

    assert heard[-1] == Batch([], Usage(14, 2))


async def test_usage_that_one_of_the_choices_did_not_say_is_not_told_as_none() -> None:
    """It spoke and broke off: what it used is for the gateway to count."""
    sources = [said(Batch([Delta(0, "да", finish_reason=FinishReason.STOP)], Usage(7, 1)))]
    sources.append(said(Batch([Delta(0, "нет")]), failure=failures.broken()))
    heard: list[Batch] = []

    with pytest.raises(ServiceError):
        await until_failure(merged(sources, 2), heard)

    assert all(batch.usage is None for batch in heard)


async def endless(closed: list[str], name: str) -> AsyncGenerator[Batch, None]:
    try:
        while True:
            yield Batch([Delta(0, name)])
            await asyncio.sleep(0)
    finally:
        closed.append(name)


async def failing() -> AsyncGenerator[Batch, None]:
    yield Batch([Delta(0, "x")])
    raise ServiceError(ErrorReason.PROVIDER_ERROR, "broke off")


async def test_leaving_a_merged_stream_closes_all_its_sources() -> None:
    """No provider keeps generating for a caller who left."""
    closed: list[str] = []

    async with aclosing(merged([endless(closed, "a"), endless(closed, "b")], 2)) as batches:
        async for _ in batches:
            break

    assert sorted(closed) == ["a", "b"]


async def test_a_failure_in_a_merged_stream_is_raised_as_itself() -> None:
    """Not as a group, and not as a cancellation of the reader."""
    closed: list[str] = []

    with pytest.raises(ServiceError, match="broke off"):
        async for _ in merged([endless(closed, "a"), failing()], 2):
            pass

    assert closed == ["a"]


async def test_choices_wait_for_each_other_when_a_quota_has_room_for_one_call() -> None:
    """Two calls at once would be refused; both choices are whole all the same."""
    under_way: list[str] = []

    async def one(name: str) -> AsyncGenerator[Batch, None]:
        under_way.append(name)
        assert len(under_way) == 1
        yield Batch([Delta(0, name)])
        await asyncio.sleep(0)
        yield Batch([Delta(0, finish_reason=FinishReason.STOP)])
        under_way.remove(name)

    heard = [delta async for batch in merged([one("a"), one("b")], 1) for delta in batch.deltas]

    assert [(delta.choice_index, delta.content) for delta in heard if delta.content] == [(0, "a"), (1, "b")]


async def pieces(*batches: Batch) -> AsyncGenerator[Batch, None]:
    for batch in batches:
        yield batch


async def test_pieces_of_a_tool_call_are_put_together() -> None:
    """OpenAI-style streams send arguments bit by bit."""
    answer = await collected(
        pieces(
            Batch([Delta(0, tool_calls=[ToolCall("id", "f", '{"a"', 0)])]),
            Batch([Delta(0, tool_calls=[ToolCall("", "", ":1}", 0)])], Usage(1, 2)),
            Batch([Delta(0, finish_reason=FinishReason.TOOL_CALLS)]),
        )
    )

    assert answer.choices[0].tool_calls == [ToolCall("id", "f", '{"a":1}', 0)]
    assert (answer.choices[0].content, answer.usage) == (None, Usage(1, 2))


class _Piece(str):
    """Counts the letters that are copied when it is put behind a text."""

    copied = 0

    def __radd__(self, before: str) -> _Piece:
        """Put it behind."""
        _Piece.copied += len(before)
        return _Piece(str(before) + str(self))


async def test_arguments_that_come_by_the_letter_are_not_copied_with_each() -> None:
    """Copying them again and again takes time that grows with the square of their number."""
    _Piece.copied = 0
    calls = [ToolCall("call_1", "f", _Piece("a")) for _ in range(1000)]
    end = Delta(0, finish_reason=FinishReason.TOOL_CALLS)

    answer = await collected(pieces(*[Batch([Delta(0, tool_calls=[call])]) for call in calls], Batch([end])))

    assert answer.choices[0].tool_calls[0].arguments == "a" * 1000
    assert _Piece.copied == 0


async def test_an_answer_without_an_end_is_none() -> None:
    """Half an answer is not sold as a whole one."""
    with pytest.raises(ServiceError):
        await collected(pieces(Batch([Delta(0, "a")])))


JSON_WANTED = ResponseFormat("json_object")


async def test_gigachat_json_is_asked_for_checked_and_asked_again(
    adapters: Adapters, emulator: RunningEmulator
) -> None:
    """It has no JSON mode: an answer that is none costs a second call, both are counted."""
    prompt = ask('[[text:{"a":1}]]', response_format=JSON_WANTED)
    good = await adapters.gigachat.complete(prompt, call_for("gigachat"))
    assert good.choices[0].content == '{"a":1}'

    with pytest.raises(ServiceError) as caught:
        await adapters.gigachat.complete(ask("[[text:нет]]", response_format=JSON_WANTED), call_for("gigachat"))

    assert caught.value.reason is ErrorReason.PROVIDER_ERROR
    assert len(await emulator.control.ground_truth(operation="chat")) == 3


async def test_gigachat_json_loses_its_markdown_fence(adapters: Adapters) -> None:
    """The caller gets what json.loads can read."""
    prompt = ask('[[text:```json\n{"a":1}\n```]]', response_format=JSON_WANTED)

    batches = [batch async for batch in adapters.gigachat.stream(prompt, call_for("gigachat"))]

    assert hear(batches).text == '{"a":1}'
