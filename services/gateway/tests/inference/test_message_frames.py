"""Whatever the order of deltas, events of the Messages API are well formed and lose nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.clients.completion import Delta, ToolCallPart
from services.gateway.inference.anthropic.bodies import BLANKS, call_input
from services.gateway.inference.anthropic.frames import MessageFrames
from services.gateway.inference.openai_bodies import AnswerHead
from services.gateway.metering.usage_record import TokenUsage
from services.gateway.tests.inference.test_messages import events

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
CALLS = st.integers(0, 3).flatmap(
    lambda index: st.builds(
        ToolCallPart, index=st.just(index), id=st.just(f"call_{index}"), name=st.just(f"f{index}"), arguments=TEXTS
    )
)
DELTAS = st.builds(
    Delta,
    index=st.just(0),
    content=TEXTS,
    reasoning=TEXTS,
    tool_calls=st.lists(CALLS, max_size=2).map(tuple),
    finish_reason=st.just(""),
)


@given(st.lists(DELTAS, min_size=1, max_size=12))
def test_blocks_never_overlap_and_nothing_is_lost(deltas: list[Delta]) -> None:
    """One open block at a time, numbered through; texts, thoughts and the arguments of every call arrive whole."""
    frames = MessageFrames(AnswerHead("msg_1", 0, "m"), input_tokens=1, names={})

    sent = b"".join([frames.deltas([delta]) for delta in deltas]) + frames.end(TokenUsage(3, 2, 1, 0), 5)

    blocks: list[dict[str, Any]] = []
    is_open = False
    for each in events(sent.decode()):
        if each["type"] == "content_block_start":
            assert (is_open, each["index"]) == (False, len(blocks))
            blocks.append({**each["content_block"], "said": ""})
            is_open = True
        elif each["type"] == "content_block_delta":
            assert (is_open, each["index"]) == (True, len(blocks) - 1)
            blocks[-1]["said"] += next(value for name, value in each["delta"].items() if name != "type")
        elif each["type"] == "content_block_stop":
            is_open = False
    assert not is_open
    assert _said(blocks, "text") == "".join(delta.content for delta in deltas)
    assert _said(blocks, "thinking") == "".join(delta.reasoning for delta in deltas)
    calls = {block["id"]: block["said"] for block in blocks if block["type"] == "tool_use"}
    made = _arguments(deltas)
    assert calls.keys() == made.keys()
    for id, said in calls.items():
        # What begins as an object is sent as it comes, whatever becomes of it.
        is_object = made[id].lstrip(BLANKS).startswith("{")
        assert said == made[id] if is_object else json.loads(said or "{}") == call_input(made[id])


def _said(blocks: list[dict[str, Any]], kind: str) -> str:
    return "".join(block["said"] for block in blocks if block["type"] == kind)


def _arguments(deltas: list[Delta]) -> dict[str, str]:
    said: dict[str, str] = {}
    for call in (call for delta in deltas for call in delta.tool_calls):
        said[call.id] = said.get(call.id, "") + call.arguments
    return said


@pytest.mark.parametrize("pieces", [1, 3])
@pytest.mark.parametrize("arguments", ["нет", '"да"', "[1, 2]", " null", "{}", ' {"a": [1]}', '{"a": "{"}', "", " \n"])
def test_arguments_are_the_same_object_streamed_and_whole(arguments: str, pieces: int) -> None:
    """Clients take nothing but an object: what is none stands under a name, also where it comes in pieces."""
    frames = MessageFrames(AnswerHead("msg_1", 0, "m"), input_tokens=1, names={})
    size = -(-len(arguments) // pieces) or 1
    parts = [arguments[at : at + size] for at in range(0, len(arguments), size)] or [""]
    calls = [ToolCallPart(0, "call_1", "f", part) for part in parts] + [ToolCallPart(1, "call_2", "f", arguments)]

    sent = b"".join([frames.deltas([Delta(0, "", "", (call,), "")]) for call in calls]) + frames.end(
        TokenUsage(3, 2), 5
    )

    said = ["", ""]
    for each in events(sent.decode()):
        if each["type"] == "content_block_delta":
            said[each["index"]] += each["delta"]["partial_json"]
    assert [json.loads(text or "{}") for text in said] == [call_input(arguments)] * 2


def test_usage_at_the_end_is_exact() -> None:
    """Cached input is told apart, as Anthropic does."""
    frames = MessageFrames(AnswerHead("msg_1", 0, "m"), input_tokens=1, names={})
    frames.deltas([Delta(0, "a", "", (), "length")])

    *_, delta, stop = events(frames.end(TokenUsage(10, 3, 4, 0), 2_800).decode())

    assert delta["delta"]["stop_reason"] == "max_tokens"
    assert (delta["usage"]["input_tokens"], delta["usage"]["cache_read_input_tokens"]) == (6, 4)
    assert json.dumps(stop) == '{"type": "message_stop"}'


def test_arguments_that_are_nested_too_deeply_stand_under_a_name() -> None:
    """A model that writes two thousand brackets made an answer that was paid for a failure of ours."""
    deep = "[" * 2000 + "]" * 2000

    assert call_input(deep) == {"arguments": deep}
