"""Answers of servers that speak the OpenAI dialect, as they come: whole and streamed they say the same."""

from __future__ import annotations

import json
from typing import Any

import pytest

from servicekit.clock import SystemClock
from servicekit.errors import ErrorReason, ServiceError
from services.router.domain.completion import Answer, Batch, FinishReason, Prompt, Usage
from services.router.providers.gigachat.replies import GigaChatReplies
from services.router.providers.openai_dialect.quirks import Quirks
from services.router.providers.openai_dialect.replies import OpenAIReplies
from services.router.providers.reading import Replies
from services.router.routing.answers import collected, first_calls
from services.router.tests.adapters import IDS, ask

REPLIES = OpenAIReplies(IDS, SystemClock(), Quirks())
PLAIN = ask()


def whole(message: dict[str, Any], finish: str | None = "stop", **others: Any) -> Answer:
    body = {"choices": [{"index": 0, "message": message, "finish_reason": finish}], **others}
    return REPLIES.whole_answer(json.dumps(body).encode(), PLAIN)[0]


def piece(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


async def streamed(*events: dict[str, Any], prompt: Prompt = PLAIN) -> Answer:
    """Return what a stream of these events and [DONE] says as a whole."""

    async def batches() -> Any:
        stream = REPLIES.answer_stream(prompt)
        for data in [*(json.dumps(event).encode() for event in events), b"[DONE]"]:
            batch: Batch | None = stream.feed([data])
            if batch is not None:
                yield batch
            if stream.failure is not None:
                raise stream.failure

    return await collected(batches())


@pytest.mark.parametrize(
    "names", [("reasoning",), ("reasoning_content",), ("reasoning", "reasoning_content")], ids=" and ".join
)
async def test_thoughts_are_heard_under_either_name_and_once(names: tuple[str, ...]) -> None:
    """vLLM, Ollama, Groq and OpenRouter say `reasoning`: a stream that thought long was given up as silent."""
    thought = dict.fromkeys(names, "Так.")

    one = whole({"role": "assistant", "content": "Да", **thought}).choices[0]
    other = (await streamed(piece(thought), piece({"content": "Да"}, "stop"))).choices[0]

    assert (one.content, one.reasoning_content) == (other.content, other.reasoning_content) == ("Да", "Так.")


async def test_what_is_said_in_parts_is_heard() -> None:
    """Mistral's models that think answer in parts, streamed and whole: it was a malformed answer."""
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "Так."}], "closed": True}
    said = [{"type": "text", "text": "Да"}, {"type": "reference", "reference_ids": [1]}, {"type": "text", "text": "!"}]

    one = whole({"role": "assistant", "content": [thought, *said]}).choices[0]
    other = (
        await streamed(piece({"content": [thought]}), piece({"content": said}), piece({"content": ""}, "stop"))
    ).choices[0]

    assert (one.content, one.reasoning_content) == (other.content, other.reasoning_content) == ("Да!", "Так.")


async def test_the_words_of_a_refusal_are_the_answer() -> None:
    """OpenAI and Azure say them beside the content: the caller paid for an answer that was empty."""
    one = whole({"role": "assistant", "content": None, "refusal": "Не могу."}).choices[0]
    pieces = [piece({"refusal": "Не "}), piece({"refusal": "могу."}), piece({"content": None, "refusal": None}, "stop")]
    other = (await streamed(*pieces)).choices[0]

    assert (one.content, other.content) == ("Не могу.", "Не могу.")


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("model_length", FinishReason.LENGTH),
        ("max_tokens", FinishReason.LENGTH),
        ("sensitive", FinishReason.CONTENT_FILTER),
        ("eos_token", FinishReason.STOP),
        ("a word of tomorrow", FinishReason.STOP),
    ],
)
async def test_an_answer_that_was_cut_says_so_in_whichever_words(reason: str, finish: FinishReason) -> None:
    """Mistral's `model_length` was told as a model that had said all it wanted."""
    one = whole({"content": "Да"}, reason).choices[0]
    other = (await streamed(piece({"content": "Да"}, reason))).choices[0]

    assert (one.finish_reason, other.finish_reason) == (finish, finish)


@pytest.mark.parametrize("reason", ["error", "insufficient_system_resource", "abort", "network_error"])
async def test_an_answer_that_its_provider_gave_up_is_none(reason: str) -> None:
    """DeepSeek, OpenRouter, vLLM and others say so in a 200: half an answer was told as a whole one."""
    with pytest.raises(ServiceError) as of_whole:
        whole({"content": "Д"}, reason)
    with pytest.raises(ServiceError) as of_stream:
        await streamed(piece({"content": "Д"}), piece({}, reason))

    assert of_whole.value.reason is of_stream.value.reason is ErrorReason.PROVIDER_ERROR


@pytest.mark.parametrize("replies", [REPLIES, GigaChatReplies(IDS, SystemClock())], ids=["openai", "gigachat"])
@pytest.mark.parametrize("events", [[], [b'{"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 0}}']])
def test_a_stream_of_nothing_is_no_answer(replies: Replies, events: list[bytes]) -> None:
    """As a whole answer without choices is none: it was given out as complete, and no other model was asked."""
    stream = replies.answer_stream(PLAIN)
    for event in events:
        stream.feed([event])
    with pytest.raises(ServiceError, match="empty"):
        stream.feed([b"[DONE]"])


async def test_fewer_answers_than_asked_for_are_as_many_streamed_as_whole() -> None:
    """Ollama and llama.cpp make one: a stream had a second one, which was empty and complete."""
    answer = await streamed(piece({"content": "Да"}, "stop"), prompt=ask(n=2))

    assert [(choice.index, choice.content) for choice in answer.choices] == [(0, "Да")]


async def test_answers_without_numbers_are_numbered_by_their_place() -> None:
    """Two answers had one number, and null was a malformed answer."""
    for numbers in ({}, {"index": None}, {"index": 0}):
        choices = [{**numbers, "message": {"content": text}, "finish_reason": "stop"} for text in ("а", "б")]
        answer, _ = REPLIES.whole_answer(json.dumps({"choices": choices}).encode(), PLAIN)
        assert [(choice.index, choice.content) for choice in answer.choices] == [(0, "а"), (1, "б")]
    events = [{"choices": [{"index": None, "delta": {"content": "а"}, "finish_reason": "stop"}]}]
    assert (await streamed(*events)).choices[0].content == "а"


def test_a_document_is_one_however_its_type_is_written() -> None:
    """Types have no case: an upstream that cannot stream was one whose stream broke off."""
    types = ["application/json", "Application/JSON; charset=utf-8", "text/event-stream", "text/plain", ""]

    assert [REPLIES.comes_whole({"Content-Type": each}, b" ") for each in types] == [True, True, False, False, False]


@pytest.mark.parametrize("type_said", ["application/json", "text/event-stream", "text/plain", ""])
@pytest.mark.parametrize("begin", [b"", b"\xef\xbb\xbf", b"\r\n"])
def test_how_it_begins_tells_a_document_from_events(type_said: str, begin: bytes) -> None:
    """Events under the type of a document were malformed, a document under that of events a stream that broke off."""
    documents = [b'{"choices"', b'[{"error"', b"{"]
    events = [b"data: {", b": waiting\n", b"event: message\n", b"id: 1", b"retry: 5", b"d"]

    told = [REPLIES.comes_whole({"Content-Type": type_said}, begin + each) for each in (*documents, *events)]

    assert told == [True] * 3 + [False] * 6


ERROR: dict[str, Any] = {"error": {"code": 502, "message": "gone"}, "choices": []}
USED = {"usage": {"prompt_tokens": 10, "completion_tokens": 3}}


@pytest.mark.parametrize(
    ("events", "usages"),
    [
        ([piece({"content": "а"}), ERROR | USED], [None, Usage(10, 3)]),
        ([piece({"content": "а"}), ERROR], [None]),
        ([ERROR | USED], []),
        ([piece({"role": "assistant", "content": ""}), ERROR | USED], []),
    ],
    ids=["said in the middle", "not said", "before anything came", "before anything was said"],
)
@pytest.mark.parametrize("at_once", [False, True])
async def test_what_an_answer_used_that_an_error_ends_is_billed(
    events: list[dict[str, Any]], usages: list[Usage | None], at_once: bool
) -> None:
    """OpenRouter says it in the event of the error; of an answer that has not begun another model is asked."""
    stream = REPLIES.answer_stream(PLAIN)
    frames = [json.dumps(event).encode() for event in events]
    told: list[Usage | None] = []

    def hear() -> None:
        for read in [frames] if at_once else [[frame] for frame in frames]:
            batch = stream.feed(read)
            told.extend([] if batch is None else [batch.usage])
            if stream.failure is not None:
                raise stream.failure

    with pytest.raises(ServiceError) as caught:
        hear()

    assert caught.value.reason is ErrorReason.PROVIDER_ERROR
    assert told == (usages if not at_once else usages[-1:])


@pytest.mark.parametrize(
    ("said", "usage"),
    [
        ({"prompt_cache_hit_tokens": 6, "prompt_cache_miss_tokens": 4}, Usage(10, 5, 6)),
        ({"cached_tokens": 6}, Usage(10, 5, 6)),
        ({"prompt_tokens_details": {"cached_tokens": 0}, "cached_tokens": 6}, Usage(10, 5, 0)),
        ({"completion_tokens_details": {"reasoning_tokens": 3}, "total_tokens": 15}, Usage(10, 5, 0, 3)),
        ({"completion_tokens_details": {"reasoning_tokens": 40}, "total_tokens": 55}, Usage(10, 45, 0, 40)),
    ],
    ids=["DeepSeek", "Moonshot", "OpenAI's word first", "thoughts within", "xAI, thoughts beside"],
)
async def test_usage_is_what_the_upstream_bills(said: dict[str, Any], usage: Usage) -> None:
    """Cached tokens had the full price, and of what xAI's models think nothing was billed."""
    usage_said = {"prompt_tokens": 10, "completion_tokens": 5, **said}

    one = whole({"content": "Да"}, usage=usage_said)
    other = await streamed(piece({"content": "Да"}, "stop"), {"choices": [], "usage": usage_said})

    assert (one.usage, other.usage) == (usage, usage)


def call(arguments: Any, name: str | None = None, **more: Any) -> dict[str, Any]:
    function = {"arguments": arguments, **({"name": name} if name else {})}
    return {"tool_calls": [{**more, "type": "function", "function": function}]}


OSLO, ROME = '{"city": "Осло"}', '{"city": "Рим"}'
TWO_CALLS: dict[str, list[dict[str, Any]]] = {
    "all of them numbered 0": [call(OSLO, "weather", index=0, id="a"), call(ROME, "weather", index=0, id="b")],
    "all of them 0, in one event": [
        {
            "tool_calls": call(OSLO, "weather", index=0, id="a")["tool_calls"]
            + call(ROME, "weather", index=0)["tool_calls"]
        }
    ],
    "no numbers": [call(OSLO, "weather", id="a"), call(ROME, "weather", id="b")],
    "no numbers and no ids": [call(OSLO, "weather"), call(ROME, "weather", id="")],
    "null for a number": [call(OSLO, "weather", index=None, id="a"), call(ROME, "weather", index=None, id="b")],
    "numbered from 1": [call(OSLO, "weather", index=1, id="a"), call(ROME, "weather", index=2, id="b")],
    "ids that are numbers, and the same": [call(OSLO, "weather", index=0, id=0), call(ROME, "weather", index=1, id=0)],
    "no list": [{"tool_calls": call(OSLO, "weather", index=0)["tool_calls"][0]}, call(ROME, "weather", index=1)],
    "name and id in each piece": [
        call(OSLO[:7], "weather", index=0, id="a"),
        call(OSLO[7:], "weather", index=0, id="a"),
        call(ROME, "weather", index=1, id="b"),
    ],
    "another id in each piece": [
        call(OSLO[:7], "weather", index=0, id="a"),
        call(OSLO[7:], index=0, id="b"),
        call(ROME, "weather", index=1, id="c"),
    ],
    "in turns, without numbers": [
        call(OSLO[:7], "weather", id="a"),
        call(ROME[:5], "weather", id="b"),
        call(OSLO[7:], id="a"),
        call(ROME[5:], id="b"),
    ],
    "arguments as objects": [
        call({"city": "Осло"}, "weather", index=0, id="a"),
        call({"city": "Рим"}, "weather", index=0, id="b"),
    ],
}


@pytest.mark.parametrize("pieces", TWO_CALLS.values(), ids=TWO_CALLS.keys())
async def test_calls_are_told_apart_however_their_pieces_are_marked(pieces: list[dict[str, Any]]) -> None:
    """They were run together into one call with the arguments of both, or the answer was malformed."""
    stream = REPLIES.answer_stream(PLAIN)
    batches = [stream.feed([json.dumps(piece(each)).encode()]) for each in pieces]
    heard = [each for batch in batches if batch for delta in batch.deltas for each in delta.tool_calls]

    made = (await streamed(*map(piece, pieces), piece({}, "tool_calls"))).choices[0].tool_calls

    assert [(each.name, each.index, json.loads(each.arguments)) for each in made] == [
        ("weather", 0, {"city": "Осло"}),
        ("weather", 1, {"city": "Рим"}),
    ]
    assert len({each.id for each in made if each.id}) == 2
    # What clients put together by adding texts up is said once.
    assert [each.name for each in heard if each.name] == ["weather", "weather"]
    assert len([each.id for each in heard if each.id]) == 2


@pytest.mark.parametrize("ids", [(0, 0), ("", ""), ("a", "a"), (None, None), ("a", "b")], ids=str)
def test_calls_of_a_whole_answer_have_ids_of_their_own(ids: tuple[Any, Any]) -> None:
    """Two under one id cannot be answered apart; TGI's are all 0."""
    calls = [{"id": each, "index": None, "function": {"name": "f", "arguments": "{}"}} for each in ids]

    made = whole({"content": None, "tool_calls": calls}, "tool_calls").choices[0].tool_calls

    assert len({each.id for each in made}) == 2
    assert all(isinstance(each.id, str) and each.id for each in made)


async def test_the_first_call_is_kept_where_no_more_are_wanted_and_calls_are_counted_from_1() -> None:
    """Of a speaker that counts its text as number 0, no call at all was left."""
    stream = REPLIES.answer_stream(PLAIN)

    async def batches() -> Any:
        for each in TWO_CALLS["numbered from 1"]:
            yield stream.feed([json.dumps(piece(each)).encode()])
        yield stream.feed([b"[DONE]"])

    answer = await collected(first_calls(batches()))

    assert [(each.id, each.arguments) for each in answer.choices[0].tool_calls] == [("a", OSLO)]


@pytest.mark.parametrize("nothing", ["", None])
@pytest.mark.parametrize("finish", ["tool_calls", "stop", None])
async def test_a_call_without_arguments_has_none_that_can_be_read(nothing: str | None, finish: str | None) -> None:
    """OpenRouter's Claude says none of a function that takes none: clients failed to read an empty text as JSON."""
    called = call(nothing, "now", index=0, id="a")

    one = whole({"content": None, **called}, finish).choices[0].tool_calls
    other = (await streamed(piece(called), piece({}, finish))).choices[0].tool_calls
    cut = [
        *whole({"content": None, **called}, "length").choices[0].tool_calls,
        *(await streamed(piece(called), piece({}, "length"))).choices[0].tool_calls,
    ]

    assert [(each.name, each.arguments) for each in (*one, *other)] == [("now", "{}")] * 2
    assert [each.arguments for each in cut] == ["", ""]


async def test_an_answer_without_calls_does_not_end_with_them() -> None:
    """vLLM says so of a call that its parser did not find: an agent waited for a call to make, and had none."""
    one = whole({"content": "Да", "tool_calls": []}, "tool_calls").choices[0]
    other = (await streamed(piece({"content": "Да"}), piece({}, "tool_calls"))).choices[0]

    assert one.finish_reason is other.finish_reason is FinishReason.STOP
