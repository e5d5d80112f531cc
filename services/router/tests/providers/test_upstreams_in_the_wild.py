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
from services.router.routing.answers import collected
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


@pytest.mark.parametrize("index", [-1, 128, 10**9, 10**30])
async def test_an_answer_with_a_number_that_nobody_can_ask_for_is_none(index: int) -> None:
    """Callers were told it as it was, and make lists as long as the number says."""
    numbered = {"choices": [{"index": index, "delta": {"content": "Да"}, "finish_reason": "stop"}]}

    with pytest.raises(ServiceError) as of_whole:
        REPLIES.whole_answer(json.dumps(numbered).encode(), PLAIN)
    with pytest.raises(ServiceError) as of_stream:
        await streamed(numbered)

    assert of_whole.value.reason is of_stream.value.reason is ErrorReason.PROVIDER_ERROR
