"""What earlier answers thought is said to the router again, by whichever API it comes."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import pytest
from msgspec import Raw

from services.gateway.inference.responses.turns import Turns
from services.gateway.inference.size.prompt_size import chat_size
from services.gateway.schemas.inference import ChatMessage, ChatRequest
from services.gateway.tests.backends import Backends
from services.gateway.tests.conftest import Edge
from services.gateway.tests.inference.test_responses import WEATHER, call_weather, events

THOUGHT: Final = "надо спросить"
ARGUMENTS: Final = '{"city": "Омск"}'
CHAT: Final[dict[str, Any]] = {
    "messages": [
        {"role": "user", "content": "Погода?"},
        {
            "role": "assistant",
            "content": None,
            "reasoning_content": THOUGHT,
            "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "weather", "arguments": ARGUMENTS}}],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "минус 5"},
    ]
}
MESSAGES: Final[dict[str, Any]] = {
    "max_tokens": 100,
    "messages": [
        {"role": "user", "content": "Погода?"},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "надо ", "signature": ""},
                {"type": "thinking", "thinking": "спросить", "signature": ""},
                {"type": "tool_use", "id": "c1", "name": "weather", "input": {"city": "Омск"}},
            ],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "минус 5"}]},
    ],
}
CALL: Final[dict[str, Any]] = {"type": "function_call", "name": "weather", "arguments": ARGUMENTS, "call_id": "c1"}
RESPONSES: Final[dict[str, Any]] = {
    "input": [
        {"role": "user", "content": "Погода?"},
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "надо "}]},
        {"type": "reasoning", "id": "rs_2", "summary": [], "content": [{"type": "reasoning_text", "text": "спросить"}]},
        CALL,
        {"type": "function_call_output", "call_id": "c1", "output": "минус 5"},
    ]
}


@pytest.mark.parametrize(
    ("path", "body", "named"),
    [
        ("/v1/chat/completions", CHAT, "messages[].reasoning_content"),
        ("/v1/messages", MESSAGES, "messages[].content[].thinking"),
        ("/v1/responses", RESPONSES, "input[].reasoning"),
    ],
)
async def test_thoughts_of_a_history_are_those_of_its_answer(
    edge: Edge, backends: Backends, path: str, body: dict[str, Any], named: str
) -> None:
    """The header names them as the caller does."""
    backends.router.dropped = ["messages[].reasoning_content"]

    answer = await edge.client.post(path, json={"model": "yandexgpt", **body})

    assert answer.status_code == 200, answer.text
    told = backends.router.prompts[-1].messages
    assert [message.reasoning_content for message in told] == ["", THOUGHT, ""]
    assert [call.name for call in told[1].tool_calls] == ["weather"]
    assert answer.headers["x-razvilka-dropped-params"] == named


async def test_thoughts_between_items_belong_to_the_answer_around_them(edge: Edge, backends: Backends) -> None:
    """Those before a call are of the message that it joins; those that no answer follows are nobody's."""
    thought = RESPONSES["input"][1]
    said = {"role": "assistant", "content": "Спрошу"}
    items = [thought, said, thought, CALL, *RESPONSES["input"][4:], thought, {"role": "user", "content": "И?"}]

    await edge.client.post("/v1/responses", json={"model": "yandexgpt", "input": items})

    told = backends.router.prompts[-1].messages
    assert [message.reasoning_content for message in told] == ["надо надо ", "", ""]


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
async def test_a_kept_answer_is_remembered_with_its_thoughts(edge: Edge, backends: Backends, streamed: bool) -> None:
    """The next turn need not send them."""
    call_weather(backends)
    backends.router.thought = THOUGHT
    asked = {"model": "yandexgpt", "input": "Погода?", "tools": [WEATHER], "stream": streamed}
    first = await edge.client.post("/v1/responses", json=asked)
    response = events(first.text)[-1]["response"] if streamed else first.json()
    result = {"type": "function_call_output", "call_id": "call_1", "output": "минус 5"}

    await edge.client.post(
        "/v1/responses", json={"model": "yandexgpt", "input": [result], "previous_response_id": response["id"]}
    )

    told = backends.router.prompts[-1].messages
    assert [message.reasoning_content for message in told] == ["", THOUGHT, ""]


def test_thoughts_are_held_for_and_teach_nothing() -> None:
    """A provider may read them, or not: how long its tokens are cannot be learned of it."""
    question = ChatMessage(role="user", content="Погода?")
    answer = ChatMessage(role="assistant", content="Не знаю")
    thinking = ChatMessage(role="assistant", content="Не знаю", reasoning_content=THOUGHT)

    without = chat_size(ChatRequest(model="m", messages=[question, answer]))
    with_them = chat_size(ChatRequest(model="m", messages=[question, thinking]))

    assert with_them.text.token_bound > without.text.token_bound
    assert without.lesson[0] > 0
    assert with_them.lesson == (0, "")


def test_thoughts_before_each_of_many_calls_are_joined_once() -> None:
    """They belong to one answer: what was thought before five hundred calls was copied whole with each of them."""
    turns, thought = Turns(), {"type": "reasoning", "summary": [{"type": "summary_text", "text": "мысль "}]}
    for number in range(100):
        call = {"type": "function_call", "call_id": str(number), "name": "f", "arguments": "{}"}
        for item in (thought, call):
            turns.add(Raw(msgspec.json.encode(item)), "input[0]")
        assert turns.messages[-1].reasoning_content is None
    turns.end()

    (answer,) = turns.messages
    assert answer.reasoning_content == "мысль " * 100
