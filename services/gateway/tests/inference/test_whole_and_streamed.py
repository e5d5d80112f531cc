"""One answer, whole and streamed, in each form: what the official clients gather of a stream is the plain answer."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest
from anthropic.types import Message, RawMessageStreamEvent
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response
from pydantic import TypeAdapter

from services.gateway.clients.completion import Choice, Completion, End, Route, ToolCallPart
from services.gateway.inference.anthropic.bodies import message
from services.gateway.inference.anthropic.frames import MessageFrames
from services.gateway.inference.caching.whole_answer import part_of
from services.gateway.inference.openai_bodies import AnswerHead, chat_completion
from services.gateway.inference.responses.bodies import ResponseHead, ended, items_of, response_usage
from services.gateway.inference.responses.frames import ResponseFrames
from services.gateway.inference.responses.kept import new_response_id
from services.gateway.inference.responses.schemas import ResponsesRequest
from services.gateway.inference.streaming.event_stream import ChatFrames, Frames
from services.gateway.metering.usage_record import TokenUsage
from services.gateway.tests.inference.test_messages import events

HEAD: Final = AnswerHead("answer-1", 1_795_435_200, "yandexgpt")
USAGE: Final = TokenUsage(10, 7, 4, 3)
COST: Final = 2_800
CALLS: Final = (ToolCallPart(0, "call_1", "weather", '{"city": "Омск"}'), ToolCallPart(1, "call_2", "clock", "{}"))
EVENT: Final[TypeAdapter[Any]] = TypeAdapter(RawMessageStreamEvent)
ANSWERS: Final = {
    "a text": Choice(0, "Привет!", "", (), "stop"),
    "a text that was cut": Choice(0, "При", "", (), "length"),
    "a text that a filter ended": Choice(0, "При", "", (), "content_filter"),
    "nothing": Choice(0, "", "", (), "stop"),
    "thoughts and a text": Choice(0, "Привет!", "Надо ответить", (), "stop"),
    "thoughts that took all room": Choice(0, "", "Надо", (), "length"),
    "a call": Choice(0, None, "", CALLS[:1], "tool_calls"),
    "calls at once": Choice(0, None, "", CALLS, "tool_calls"),
    "thoughts, a text and calls": Choice(0, "Посмотрю", "Надо спросить", CALLS, "tool_calls"),
}
pytestmark = pytest.mark.parametrize("choice", ANSWERS.values(), ids=ANSWERS)


def whole(choice: Choice) -> Completion:
    """Return the answer of one choice."""
    return Completion(Route("yandexgpt", "yandexgpt:latest"), (choice,), End(USAGE, (), "build-7"))


def streamed(choice: Choice, frames: Frames) -> str:
    """Return the events of the same answer."""
    part = part_of(whole(choice))
    assert part.end is not None
    frames.built_as(part.end.system_fingerprint)
    return (frames.deltas(part.deltas) + frames.end(USAGE, COST)).decode()


def test_a_chat(choice: Choice) -> None:
    """As the `openai` package gathers chunks; absent and null are one."""
    plain = ChatCompletion.model_validate_json(
        chat_completion(whole(choice), USAGE, COST, head=HEAD, legacy=False), strict=True
    )

    state: ChatCompletionStreamState[Any] = ChatCompletionStreamState()
    text = streamed(choice, ChatFrames(HEAD, include_usage=True, legacy=False))
    for data in (frame.removeprefix("data: ") for frame in text.split("\n\n") if frame and "[DONE]" not in frame):
        state.handle_chunk(ChatCompletionChunk.model_validate_json(data, strict=True))

    gathered = state.current_completion_snapshot
    said, told = gathered.choices[0], plain.choices[0]
    assert said.finish_reason == told.finish_reason
    assert (said.message.content or "") == (told.message.content or "")
    assert getattr(said.message, "reasoning_content", "") == getattr(told.message, "reasoning_content", "")
    assert [each.function.model_dump() for each in said.message.tool_calls or ()] == [
        {**each.function.model_dump(), "parsed_arguments": None}
        for each in told.message.tool_calls or ()
        if each.type == "function"
    ]
    assert (gathered.usage, gathered.system_fingerprint) == (plain.usage, plain.system_fingerprint)


def test_a_message(choice: Choice) -> None:
    """Block by block, as the `anthropic` package does; the last usage counts."""
    plain = message(whole(choice), USAGE, COST, head=HEAD, names={})

    gathered: dict[str, Any] = {}
    for each in events(streamed(choice, MessageFrames(HEAD, input_tokens=10, names={}))):
        EVENT.validate_json(json.dumps(each), strict=True)
        if each["type"] == "message_start":
            gathered = each["message"]
        elif each["type"] == "content_block_start":
            gathered["content"].append({**each["content_block"], "input": ""})
        elif each["type"] == "content_block_delta":
            name, text = next((name, text) for name, text in each["delta"].items() if name != "type")
            block = gathered["content"][each["index"]]
            block["input" if name == "partial_json" else name] += text
        elif each["type"] == "message_delta":
            gathered |= {**each["delta"], "usage": each["usage"]}

    told = json.loads(plain)
    assert Message.model_validate_json(plain, strict=True).stop_reason == told["stop_reason"]
    assert {**gathered, "content": [*map(_whole_block, gathered["content"])]} == told


def _whole_block(block: dict[str, Any]) -> dict[str, Any]:
    called = block.pop("input")
    return {**block, "input": json.loads(called)} if block["type"] == "tool_use" else block


def test_a_response(choice: Choice) -> None:
    """As its last event has it."""
    head = ResponseHead(new_response_id("01a22da8-4233-7d46-abbe-6e8e16ec81e1"), 0, ResponsesRequest("yandexgpt", "Да"))
    usage = response_usage(USAGE, COST)
    plain = ended(head, choice.finish_reason, items_of(head, choice), usage)

    text = streamed(choice, ResponseFrames(head))
    found = [json.loads(frame.split("data: ")[1]) for frame in text.split("\n\n") if frame]

    last = found[-1]["response"]
    assert last == plain
    assert Response.model_validate(last).output_text == (choice.content or "")
    done = [each["item"] for each in found if each["type"] == "response.output_item.done"]
    added = [each["output_index"] for each in found if each["type"] == "response.output_item.added"]
    assert (done, added) == (plain["output"], [*range(len(plain["output"]))])
