"""Where providers differ about tools, and what a caller sees of it: nothing, or a name in the dropped parameters."""

from __future__ import annotations

import json
from typing import Any

import pytest

from emulator.testing import RunningEmulator
from servicekit.clock import SystemClock
from servicekit.errors import ErrorReason, ServiceError
from services.router.domain.completion import Batch, Delta, FinishReason, Message, Prompt, Role, Tool, ToolCall
from services.router.domain.completion import ToolChoice as Choice
from services.router.domain.tool_call_id import LONGEST
from services.router.providers.openai_dialect.quirks import Quirks
from services.router.providers.openai_dialect.replies import OpenAIReplies
from services.router.providers.yandexgpt.quirks import QUIRKS
from services.router.routing.answers import streamed, whole
from services.router.tests.adapters import IDS, Adapters, ask, call_for, hear, obtain, user
from services.router.tests.providers.bodies import body
from services.router.tests.providers.golden_results import DIALECT_PROVIDER

SCHEMA = b'{"type":"object","properties":{"camp":{"type":"string"}}}'
CAMP, SEARCH = Tool("camp", "", SCHEMA), Tool("web_search", "", SCHEMA)
BOTH = [CAMP, Tool("weather", "", SCHEMA)]
V1 = OpenAIReplies(IDS, SystemClock(), QUIRKS)
LONG_NAME = Tool("a" * 64, "", SCHEMA)
STREAM = pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])


async def routed(adapters: Adapters, dialect: str, prompt: Prompt, *, stream: bool) -> list[Delta]:
    """Return what the router makes of a provider's answer, as deltas."""
    provider, call = adapters.of(DIALECT_PROVIDER.get(dialect, "upstream")), call_for(dialect)
    if stream:
        return [delta async for batch in streamed(provider, prompt, call) for delta in batch.deltas]
    choice = (await whole(provider, prompt, call)).choices[0]
    return [Delta(0, choice.content or "", "", choice.tool_calls, choice.finish_reason)]


@STREAM
@pytest.mark.parametrize("dialect", ["native", "v1", "gigachat", "upstream"])
async def test_every_id_is_short(adapters: Adapters, dialect: str, stream: bool) -> None:
    """However long the function's name, and whatever the provider calls its calls."""
    prompt = ask(f"[[call:{LONG_NAME.name}]]", tools=[LONG_NAME], tenant="user-1")

    deltas = await routed(adapters, dialect, prompt, stream=stream)

    ids = [call.id for delta in deltas for call in delta.tool_calls if call.id]
    assert ids
    assert max(map(len, ids)) <= LONGEST


@STREAM
@pytest.mark.parametrize("dialect", ["native", "v1", "gigachat", "upstream"])
async def test_one_call_comes_where_no_more_are_wanted(adapters: Adapters, dialect: str, stream: bool) -> None:
    """Yandex's /v1 sends two all the same."""
    prompt = ask("[[call:camp]] [[call:camp]]", tools=[CAMP], parallel_tool_calls=False)

    deltas = await routed(adapters, dialect, prompt, stream=stream)

    assert {call.index for delta in deltas for call in delta.tool_calls} == {0}
    assert deltas[-1].finish_reason is FinishReason.TOOL_CALLS


@STREAM
async def test_a_tool_named_like_a_built_in_one_is_called_by_its_own_name(
    adapters: Adapters, emulator: RunningEmulator, stream: bool
) -> None:
    """GigaChat has a `web_search` of its own: it is told of another, and the caller sees its own."""
    prompt = ask('[[call:user_web_search {"camp":"а"}]]', tools=[SEARCH, CAMP], tool_choice=Choice("auto"))

    heard = await obtain(adapters.gigachat, prompt, call_for("gigachat"), stream=stream)

    assert heard.calls == [("web_search", {"camp": "а"})]
    assert heard.finish is FinishReason.TOOL_CALLS


async def test_the_other_name_is_kept_up_in_choice_and_history(adapters: Adapters, emulator: RunningEmulator) -> None:
    """Also beside a tool that has the other name already: the provider refuses a result under a name not called."""
    history = [
        user("где?"),
        Message(Role.ASSISTANT, tool_calls=[ToolCall("call_1", "web_search", "{}")]),
        Message(Role.TOOL, "{}", tool_call_id="call_1", name="web_search"),
        user("ещё"),
    ]
    taken = Tool("user_web_search", "", SCHEMA)
    prompt = ask(messages=history, tools=[SEARCH, taken], tool_choice=Choice("function", "web_search"))

    answer = await adapters.gigachat.complete(prompt, call_for("gigachat"))

    assert [call.name for call in answer.choices[0].tool_calls] == ["web_search"]


@STREAM
@pytest.mark.parametrize(
    ("name", "told"), [("get-weather", "get_weather"), ("7days", "user_7days"), ("web-search", "user_web_search")]
)
async def test_a_tool_whose_name_the_provider_does_not_take_is_called_by_its_own_name(
    adapters: Adapters, emulator: RunningEmulator, name: str, told: str, stream: bool
) -> None:
    """GigaChat takes Latin letters, and no digit first; tools of MCP servers have hyphens."""
    prompt = ask(f'[[call:{told} {{"camp":"а"}}]]', tools=[Tool(name, "", SCHEMA), CAMP], tool_choice=Choice("auto"))

    heard = await obtain(adapters.gigachat, prompt, call_for("gigachat"), stream=stream)

    assert heard.calls == [(name, {"camp": "а"})]


async def test_names_that_differ_in_what_is_not_taken_are_told_apart(adapters: Adapters) -> None:
    """In tools and in the history, beside a tool that has the other name already."""
    tools = [Tool(name, "", SCHEMA) for name in ("get-weather", "get.weather", "get_weather")]
    history = [
        user("где?"),
        Message(Role.ASSISTANT, tool_calls=[ToolCall("call_1", "get.weather", "{}")]),
        Message(Role.TOOL, "{}", tool_call_id="call_1"),
        user("ещё"),
    ]

    for tool in tools:
        prompt = ask(messages=history, tools=tools, tool_choice=Choice("function", tool.name))
        answer = await adapters.gigachat.complete(prompt, call_for("gigachat"))
        assert [call.name for call in answer.choices[0].tool_calls] == [tool.name]


@STREAM
async def test_any_of_several_functions_can_be_required(
    adapters: Adapters, emulator: RunningEmulator, stream: bool
) -> None:
    """GigaChat is asked in words; who obeys at once is asked once, and nothing is named as dropped."""
    prompt = ask("[[call:weather]]", tools=BOTH, tool_choice=Choice("required"))
    call = call_for("gigachat")

    heard = await obtain(adapters.gigachat, prompt, call, stream=stream)

    assert [name for name, _ in heard.calls] == ["weather"]
    assert call.dropped == []


@STREAM
async def test_a_model_that_calls_none_of_them_is_asked_once_more_and_then_named(
    adapters: Adapters, emulator: RunningEmulator, stream: bool
) -> None:
    """The caller gets the text, is told that `tool_choice` did not count, and both tries are counted."""
    prompt = ask("[[text:нет]]", tools=BOTH, tool_choice=Choice("required"))
    call = call_for("gigachat")
    once = await obtain(adapters.gigachat, ask("[[text:нет]]", tools=BOTH), call_for("gigachat"), stream=False)

    heard = await obtain(adapters.gigachat, prompt, call, stream=stream)

    assert (heard.text, heard.calls, call.dropped) == ("нет", [], ["tool_choice"])
    assert heard.usage is not None
    assert once.usage is not None
    assert heard.usage.completion_tokens == 2 * once.usage.completion_tokens


async def test_a_required_call_that_is_not_made_fails_when_every_parameter_must_count(adapters: Adapters) -> None:
    """It is the model's failure: another model may do it."""
    prompt = ask("[[text:нет]]", tools=BOTH, tool_choice=Choice("required"), require_parameters=True)

    with pytest.raises(ServiceError) as caught:
        await adapters.gigachat.complete(prompt, call_for("gigachat"))

    assert caught.value.reason is ErrorReason.PROVIDER_ERROR


@STREAM
async def test_what_was_dropped_is_named_after_a_second_try_too(adapters: Adapters, stream: bool) -> None:
    """The names were lost with the first answer once."""
    prompt = ask("[[text:нет]]", tools=BOTH, tool_choice=Choice("required"), other_json={"seed": b"1"})
    call = call_for("gigachat")

    await obtain(adapters.gigachat, prompt, call, stream=stream)

    assert call.dropped == ["seed", "tool_choice"]


def v1_events(*choices: dict[str, Any]) -> list[bytes]:
    """Return the events of a stream of Yandex's /v1."""
    return [json.dumps({"choices": [{"index": 0, **choice}]}).encode() for choice in choices] + [b"[DONE]"]


def streamed_v1(prompt: Prompt, *choices: dict[str, Any]) -> tuple[str, FinishReason | None]:
    """Return what a client sees of it, each event by itself."""
    stream = V1.answer_stream(prompt)
    batches = [stream.feed([event]) for event in v1_events(*choices)]
    heard = hear([batch or Batch([]) for batch in batches])
    return heard.text, heard.finish


FORCED = ask(tools=[CAMP], tool_choice=Choice("required"))
MARKED = "Метка [TOOL_CALL_END] стоит в тексте."


def test_a_marker_in_ordinary_text_loses_nothing() -> None:
    """Everything from it on was cut off once, asked for tools or not."""
    pieces = [{"delta": {"content": piece}} for piece in ("Метка [TOOL_", "CALL_END] стоит", " в тексте.")]
    body = json.dumps({"choices": [{"index": 0, "message": {"content": MARKED}, "finish_reason": "stop"}]}).encode()

    for prompt in (ask(), ask(tools=[CAMP])):
        assert streamed_v1(prompt, *pieces, {"delta": {}, "finish_reason": "stop"}) == (MARKED, FinishReason.STOP)
        answer, _ = V1.whole_answer(body, prompt)
        assert answer.choices[0].content == MARKED


def test_a_marker_that_leaks_from_a_forced_call_is_taken_out_and_nothing_else() -> None:
    """Alice AI's."""
    pieces = [{"delta": {"content": piece}} for piece in ("до [TOOL_CALL", "_END] после")]

    assert streamed_v1(FORCED, *pieces, {"delta": {}, "finish_reason": "stop"})[0] == "до  после"


@pytest.mark.parametrize(
    ("pieces", "last", "shown"),
    [
        ([], "Об этом не буду.", "Об этом не буду."),
        (["Об этом"], "Об этом не буду.", "Об этом не буду."),
        (["Вот ", "рецепт"], "Об этом не буду.", "Вот рецепт"),
    ],
    ids=["nothing was shown", "it goes on", "something else was shown"],
)
def test_the_text_of_the_filter_is_not_added_to_what_was_shown(pieces: list[str], last: str, shown: str) -> None:
    """On /v1 it is the whole text: appended, it made nonsense. What was shown cannot be recalled."""
    events = [{"delta": {"content": piece}} for piece in pieces]

    heard = streamed_v1(ask(), *events, {"delta": {"content": last}, "finish_reason": "content_filter"})

    assert heard == (shown, FinishReason.CONTENT_FILTER)


@pytest.mark.parametrize(
    ("said", "finish"),
    [
        ("stop", FinishReason.TOOL_CALLS),
        ("tool_calls", FinishReason.TOOL_CALLS),
        ("length", FinishReason.LENGTH),
        ("content_filter", FinishReason.CONTENT_FILTER),
    ],
)
def test_how_an_answer_with_calls_ended_is_true(said: str, finish: FinishReason) -> None:
    """A client runs the calls when it reads `tool_calls`, and must not run half of them."""
    calls = [{"index": 0, "id": "camp", "function": {"name": "camp", "arguments": "{}"}}]
    replies = OpenAIReplies(IDS, SystemClock(), Quirks())
    whole_body = {"choices": [{"index": 0, "message": {"tool_calls": calls}, "finish_reason": said}]}

    answer, _ = replies.whole_answer(json.dumps(whole_body).encode(), ask())
    stream = replies.answer_stream(ask())
    batches = [
        stream.feed([event])
        for event in v1_events({"delta": {"tool_calls": calls}}, {"delta": {}, "finish_reason": said})
    ]

    assert answer.choices[0].finish_reason is finish
    assert hear([batch or Batch([]) for batch in batches]).finish is finish


def test_ids_in_a_history_become_what_the_speaker_takes() -> None:
    """An id of OpenAI's has at most 40 characters; on Yandex's /v1 it is the function's name."""
    foreign = "chatcmpl-tool-" + "0123456789abcdef" * 2
    history = [
        user("а"),
        Message(Role.ASSISTANT, tool_calls=[ToolCall(foreign, "camp", "{}")]),
        Message(Role.TOOL, "1", tool_call_id=foreign),
    ]

    upstream, _ = body("upstream", ask(messages=history))
    yandex, _ = body("v1", ask(messages=history))

    called = [made["messages"][1]["tool_calls"][0]["id"] for made in (upstream, yandex)]
    answered = [made["messages"][2]["tool_call_id"] for made in (upstream, yandex)]
    assert called == answered
    assert called[1] == "camp"
    assert len(called[0]) == LONGEST
