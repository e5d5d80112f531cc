"""Which fields of a chat reach the router, and what becomes of those that nobody knows."""

from __future__ import annotations

import json

import pytest
from razvilka.router.v1 import router_pb2 as pb

from services.gateway.tests.backends import Backends
from services.gateway.tests.conftest import Edge
from services.gateway.tests.inference.chat_calls import HELLO, PATH


async def test_prompt_stands_in_for_messages(edge: Edge, backends: Backends) -> None:
    """Release 1.0 accepted a prompt in place of messages."""
    answer = await edge.client.post(PATH, json={"model": "gigachat/pro", "prompt": "Привет"})

    assert answer.status_code == 200
    (prompt,) = backends.router.prompts
    assert prompt.model == "gigachat-pro"
    assert [(message.role, message.content) for message in prompt.messages] == [(pb.ROLE_USER, "Привет")]


async def test_what_a_model_refused_with_is_its_text_in_a_history(edge: Edge, backends: Backends) -> None:
    """OpenAI's clients send it back as a part of its own, which no provider here knows."""
    refused = {"role": "assistant", "content": [{"type": "refusal", "refusal": "Не могу."}]}
    asked = {"model": "yandexgpt", "messages": [*HELLO["messages"], refused, *HELLO["messages"]]}

    answer = await edge.client.post(PATH, json=asked)
    nameless = await edge.client.post(PATH, json={**asked, "messages": [{**refused, "content": [{"type": "refusal"}]}]})

    assert answer.status_code == 200, answer.text
    told = backends.router.prompts[0].messages[1]
    assert [(part.type, part.text) for part in told.parts] == [("text", "Не могу.")]
    assert (nameless.status_code, nameless.json()["error"]["param"]) == (400, "messages[0].content[0].refusal")


async def test_every_parameter_reaches_the_router(edge: Edge, backends: Backends) -> None:
    """Known parameters have their fields, rare ones travel as JSON, unknown ones go nowhere."""
    body = {
        "model": "yandexgpt",
        "messages": [
            {"role": "system", "content": "Кратко"},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Погода"},
                    {"type": "image_url", "image_url": {"url": "https://e.ru/a.png"}},
                ],
            },
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}],
            },
            {"role": "tool", "tool_call_id": "c1", "content": '{"t":1}'},
        ],
        "temperature": 0.5,
        "top_p": 0.9,
        "max_completion_tokens": 77,
        "n": 2,
        "stop": "END",
        "tools": [
            {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}, "strict": True}}
        ],
        "tool_choice": {"type": "function", "function": {"name": "weather"}},
        "parallel_tool_calls": False,
        "response_format": {"type": "json_schema", "json_schema": {"name": "w", "schema": {"type": "object"}}},
        "reasoning_effort": "low",
        "seed": 7,
        "logit_bias": {"5": -1.5},
        "metadata": {"a": "b"},
        "some_future_field": {"x": [1]},
    }

    answer = await edge.client.post(PATH, json=body)

    assert answer.status_code == 200, answer.text
    (prompt,) = backends.router.prompts
    assert (prompt.temperature, prompt.top_p, prompt.max_tokens, prompt.n) == (0.5, 0.9, 77, 2)
    assert list(prompt.stop) == ["END"]
    assert (prompt.tools[0].name, prompt.tools[0].strict) == ("weather", True)
    assert json.loads(prompt.tools[0].parameters_json) == {"type": "object"}
    assert (prompt.tool_choice.mode, prompt.tool_choice.function_name) == ("function", "weather")
    assert prompt.HasField("parallel_tool_calls")
    assert prompt.response_format.type == "json_schema"
    assert prompt.reasoning_effort == "low"
    assert {name: json.loads(value) for name, value in prompt.other_json.items()} == {
        "seed": 7,
        "logit_bias": {"5": -1.5},
        "metadata": {"a": "b"},
    }
    assert prompt.messages[1].parts[0].text == "Погода"
    assert json.loads(prompt.messages[1].parts[1].json)["image_url"] == {"url": "https://e.ru/a.png"}
    assert prompt.messages[2].tool_calls[0].id == prompt.messages[3].tool_call_id == "c1"


async def test_what_was_not_given_is_not_said(edge: Edge, backends: Backends) -> None:
    """An absent parameter stays absent on its way to the provider."""
    await edge.client.post(PATH, json={**HELLO, "temperature": None})

    (prompt,) = backends.router.prompts
    assert not any(prompt.HasField(name) for name in ("temperature", "top_p", "max_tokens", "n", "parallel_tool_calls"))
    assert not prompt.other_json


async def test_what_gigachat_lists_reaches_the_router(edge: Edge, backends: Backends) -> None:
    """As it was given: the adapter maps it, or names it."""
    own = {"repetition_penalty": 1.1, "update_interval": 0.5, "profanity_check": False, "top_k": 5,
           "function_ranker": {"enabled": True}, "flags": ["a"]}  # fmt: skip

    answer = await edge.client.post(PATH, json={**HELLO, **own})

    (prompt,) = backends.router.prompts
    assert answer.status_code == 200
    assert {name: json.loads(raw) for name, raw in prompt.other_json.items()} == own


@pytest.mark.parametrize(
    "name", ["repetition_penalty", "update_interval", "profanity_check", "top_k", "flags", "function_ranker"]
)
async def test_what_gigachat_lists_is_checked(edge: Edge, name: str) -> None:
    """A wrong type is refused by its name, not answered as if nothing had been asked."""
    answer = await edge.client.post(PATH, json={**HELLO, name: "abc"})

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, name)


@pytest.mark.parametrize("stream", [False, True])
async def test_fields_that_nobody_knows_are_named(edge: Edge, backends: Backends, stream: bool) -> None:
    """Beside what the router dropped; null asks for nothing."""
    backends.router.dropped = ["seed"]
    odd = {"storage": {"limit": 1}, "temprature": 1, "few_shot_examples": None}

    answer = await edge.client.post(PATH, json={**HELLO, "seed": 1, "stream": stream, **odd})

    assert answer.headers["x-razvilka-dropped-params"] == "seed, storage, temprature"


async def test_names_of_unknown_fields_are_bounded(edge: Edge) -> None:
    """They are anybody's text, and go into a header."""
    odd = {f"{number:02}\r\nx-evil: 1{'ы' * 100}": 1 for number in range(50)}

    answer = await edge.client.post(PATH, json={**HELLO, **odd})

    assert answer.status_code == 200
    assert "x-evil" not in answer.headers
    assert len(answer.headers["x-razvilka-dropped-params"]) < 4096
