"""The `anthropic` client, unchanged, against the running suite: chats, streams, loops of tools, errors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anthropic
import pytest
from anthropic.types import MessageParam, ToolParam

MODELS = ["yandexgpt:latest", "gigachat-pro"]
CAMP_TOOL: ToolParam = {
    "name": "camp_distance",
    "description": "Расстояние от стоянки до реки в метрах",
    "input_schema": {"type": "object", "properties": {"camp": {"type": "string"}}, "required": ["camp"]},
}


@pytest.fixture
def client(stack: Any) -> Iterator[anthropic.Anthropic]:
    """The client as its documentation sets it up: a base URL and a key, which goes into `x-api-key`."""
    with anthropic.Anthropic(base_url=stack.url, api_key=stack.api_key, max_retries=0) as made:
        yield made


@pytest.mark.parametrize("model", MODELS)
def test_answers_a_question_and_says_what_it_cost(client: anthropic.Anthropic, model: str) -> None:
    """Text, a stop reason, usage, the cost; the system prompt counts as input."""
    question: list[MessageParam] = [{"role": "user", "content": "Где северная стоянка?"}]

    short = client.messages.create(model=model, max_tokens=200, messages=question)
    long = client.messages.create(model=model, max_tokens=200, messages=question, system="Отвечай диспетчеру. " * 9)

    assert short.stop_reason == "end_turn"
    assert short.content[0].type == "text"
    assert short.content[0].text
    assert long.usage.input_tokens > short.usage.input_tokens > 0
    assert float((short.usage.model_extra or {})["cost_rub"]) > 0


@pytest.mark.parametrize("model", MODELS)
def test_the_streamed_text_is_the_text_of_the_whole_message(client: anthropic.Anthropic, model: str) -> None:
    """The emulated provider is deterministic; what the client gathers from events is the message, usage included."""
    asked: dict[str, Any] = {
        "model": model,
        "max_tokens": 300,
        "messages": [{"role": "user", "content": "Расскажи о реке. [[chunks:12]]"}],
    }

    plain = client.messages.create(**asked)
    with client.messages.stream(**asked) as stream:
        pieces = list(stream.text_stream)
        gathered = stream.get_final_message()

    assert len(pieces) > 1
    assert "".join(pieces) == "".join(block.text for block in plain.content if block.type == "text")
    assert [block.type for block in gathered.content] == [block.type for block in plain.content]
    assert gathered.stop_reason == plain.stop_reason
    assert gathered.usage.output_tokens == plain.usage.output_tokens


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_a_loop_of_tools_takes_two_turns(client: anthropic.Anthropic, model: str, streamed: bool) -> None:
    """The model calls the tool; told its result, it answers."""
    messages: list[MessageParam] = [{"role": "user", "content": "Сколько от северной стоянки до реки?"}]
    asked: dict[str, Any] = {"model": model, "max_tokens": 300, "tools": [CAMP_TOOL]}

    called = _ask(client, streamed, messages, {**asked, "tool_choice": {"type": "tool", "name": "camp_distance"}})

    assert called.stop_reason == "tool_use"
    call = next(block for block in called.content if block.type == "tool_use")
    assert call.name == "camp_distance"
    assert isinstance(call.input, dict)
    messages += [
        {"role": "assistant", "content": called.content},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "240"}]},
    ]

    answered = _ask(client, streamed, messages, {**asked, "tool_choice": {"type": "none"}})

    assert answered.stop_reason == "end_turn"
    assert [block.type for block in answered.content] == ["text"]


def _ask(
    client: anthropic.Anthropic, streamed: bool, messages: list[MessageParam], asked: dict[str, Any]
) -> anthropic.types.Message:
    if not streamed:
        whole: anthropic.types.Message = client.messages.create(messages=messages, **asked)
        return whole
    with client.messages.stream(messages=messages, **asked) as stream:
        return stream.get_final_message()


def test_wrong_inputs_raise_what_its_users_catch(client: anthropic.Anthropic, stack: Any) -> None:
    """Wrong key, unknown model, a field that will not do: each its class, with our code and the request's id."""
    question: list[MessageParam] = [{"role": "user", "content": "Привет"}]
    with pytest.raises(anthropic.NotFoundError) as unknown:
        client.messages.create(model="claude-nothing", max_tokens=9, messages=question)
    with pytest.raises(anthropic.BadRequestError) as wrong:
        client.messages.create(model=MODELS[0], max_tokens=0, messages=question)
    stranger = anthropic.Anthropic(base_url=stack.url, api_key="rz_live_nobody", max_retries=0)
    with stranger, pytest.raises(anthropic.AuthenticationError):
        stranger.messages.create(model=MODELS[0], max_tokens=9, messages=question)

    bodies: list[Any] = [unknown.value.body, wrong.value.body]
    assert bodies[0]["error"]["code"] == "model_not_found"
    assert bodies[1]["error"]["param"] == "max_tokens"
    assert unknown.value.request_id
