"""`client.responses` of the official client, unchanged, against the running suite."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest
from openai.types.responses import FunctionToolParam, Response

MODELS = ["yandexgpt:latest", "gigachat-pro"]
CAMP_TOOL: FunctionToolParam = {
    "type": "function",
    "name": "camp_distance",
    "description": "Расстояние от стоянки до реки в метрах",
    "parameters": {"type": "object", "properties": {"camp": {"type": "string"}}, "required": ["camp"]},
    "strict": False,
}


@pytest.mark.parametrize("model", MODELS)
def test_the_streamed_text_is_that_of_the_whole_answer(client: openai.OpenAI, model: str) -> None:
    """The emulated provider is deterministic; usage and cost are exact in both ways."""
    asked: dict[str, Any] = {"model": model, "input": "Расскажи о реке. [[chunks:12]]"}

    plain = client.responses.create(**asked)
    with client.responses.stream(**asked) as stream:
        pieces = [event.delta for event in stream if event.type == "response.output_text.delta"]
        gathered = stream.get_final_response()

    assert len(pieces) > 1
    assert "".join(pieces) == gathered.output_text == plain.output_text
    assert gathered.usage is not None
    assert plain.usage is not None
    assert gathered.usage.output_tokens == plain.usage.output_tokens
    assert float((plain.usage.model_extra or {})["cost_rub"]) > 0


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_a_loop_of_tools_takes_two_turns(client: openai.OpenAI, model: str, streamed: bool) -> None:
    """The model calls the function; told its result by a turn that names the one before, it answers."""
    forced: Any = {"type": "function", "name": "camp_distance"}
    called = _ask(client, streamed, model=model, input="Сколько до реки?", tools=[CAMP_TOOL], tool_choice=forced)

    call = next(item for item in called.output if item.type == "function_call")
    assert isinstance(json.loads(call.arguments), dict)

    answered = _ask(
        client,
        streamed,
        model=model,
        previous_response_id=called.id,
        input=[{"type": "function_call_output", "call_id": call.call_id, "output": "240"}],
        tools=[CAMP_TOOL],
        tool_choice="none",
    )

    assert answered.status == "completed"
    assert answered.output_text
    assert answered.usage is not None
    assert called.usage is not None
    assert answered.usage.input_tokens > called.usage.input_tokens


def _ask(client: openai.OpenAI, streamed: bool, **asked: Any) -> Response:
    if not streamed:
        whole: Response = client.responses.create(**asked)
        return whole
    with client.responses.stream(**asked) as stream:
        return stream.get_final_response()
