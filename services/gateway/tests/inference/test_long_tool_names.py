"""Names of functions that are longer than a chat's: Anthropic's API and the Responses API have up to 128 characters."""

from __future__ import annotations

import json
from typing import Any

import anthropic
import openai
import pytest
from razvilka.router.v1 import router_pb2 as pb

from services.gateway.inference.tool_use import name_that_fits
from services.gateway.tests.backends import KEY, Backends
from services.gateway.tests.conftest import Edge

LONG = "mcp__plugin_observability_dashboards__grafana__" + "query_prometheus_histogram_over_time_x"
SHORT = name_that_fits(LONG)
TAKES: dict[str, Any] = {"type": "object", "properties": {"city": {"type": "string"}}}
MESSAGES_TOOL: Any = {"name": LONG, "input_schema": TAKES}
RESPONSES_TOOL: Any = {"type": "function", "name": LONG, "parameters": TAKES, "strict": False}
CALL_ID = "call_1"
streamed_or_not = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])


def call_by_its_short_name(backends: Backends) -> None:
    """Have the model call the function, which it knows by the name in the chat."""
    backends.router.tool_calls = [pb.ToolCall(id=CALL_ID, name=SHORT, arguments='{"city": "Омск"}')]
    backends.router.finish = pb.FINISH_REASON_TOOL_CALLS


def test_a_name_that_is_too_long_is_shortened_the_same_way_each_time() -> None:
    """A chat allows 64 characters; the history of a conversation must name what `tools` name."""
    assert len(LONG) > len(SHORT) == 64
    assert SHORT == name_that_fits(LONG) != name_that_fits(LONG + "y")
    assert name_that_fits("a" * 64) == "a" * 64


@streamed_or_not
async def test_anthropics_client_has_its_long_name_back(edge: Edge, backends: Backends, streamed: bool) -> None:
    """Claude Code calls the tools of MCP servers so; one such tool among many must not refuse every request."""
    call_by_its_short_name(backends)
    asked: Any = {
        "model": "yandexgpt",
        "max_tokens": 100,
        "tools": [MESSAGES_TOOL],
        "tool_choice": {"type": "tool", "name": LONG},
        "messages": [
            {"role": "user", "content": "Какая погода?"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "call_0", "name": LONG, "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call_0", "content": "?"}]},
        ],
    }
    client = anthropic.AsyncAnthropic(base_url=str(edge.client.base_url), api_key=KEY, max_retries=0)
    async with client:
        if streamed:
            async with client.messages.stream(**asked) as stream:
                message: Any = await stream.get_final_message()
        else:
            message = await client.messages.create(**asked)

    assert [(each.name, each.input) for each in message.content if each.type == "tool_use"] == [
        (LONG, {"city": "Омск"})
    ]
    told = backends.router.prompts[-1]
    assert [tool.name for tool in told.tools] == [SHORT]
    assert [call.name for each in told.messages for call in each.tool_calls] == [SHORT]
    assert told.tool_choice.function_name == SHORT


@streamed_or_not
async def test_the_responses_client_has_its_long_name_back(edge: Edge, backends: Backends, streamed: bool) -> None:
    """Also where the call stands in the history."""
    call_by_its_short_name(backends)
    asked: Any = {
        "model": "yandexgpt",
        "tools": [RESPONSES_TOOL],
        "tool_choice": {"type": "function", "name": LONG},
        "input": [
            {"role": "user", "content": "Какая погода?"},
            {"type": "function_call", "call_id": "call_0", "name": LONG, "arguments": "{}"},
            {"type": "function_call_output", "call_id": "call_0", "output": "?"},
        ],
    }
    async with openai.AsyncOpenAI(base_url=f"{edge.client.base_url}/v1", api_key=KEY, max_retries=0) as client:
        if streamed:
            async with client.responses.stream(**asked) as stream:
                response: Any = await stream.get_final_response()
        else:
            response = await client.responses.create(**asked)

    assert [(each.name, json.loads(each.arguments)) for each in response.output if each.type == "function_call"] == [
        (LONG, {"city": "Омск"})
    ]
    told = backends.router.prompts[-1]
    assert [tool.name for tool in told.tools] == [SHORT]
    assert [call.name for each in told.messages for call in each.tool_calls] == [SHORT]


async def test_two_tools_that_a_chat_cannot_tell_apart_are_refused_by_name(edge: Edge) -> None:
    """A call of the one would be told to the caller as one of the other."""
    tools = [MESSAGES_TOOL, {"name": SHORT, "input_schema": TAKES}]
    asked = {"model": "yandexgpt", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}], "tools": tools}

    refused = await edge.client.post("/v1/messages", json=asked)

    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "tools[1].name")


async def test_anthropics_client_may_bring_hundreds_of_tools(edge: Edge, backends: Backends) -> None:
    """So many do several MCP servers together."""
    tools = [{"name": f"tool_{number}", "input_schema": TAKES} for number in range(300)]
    asked = {"model": "yandexgpt", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}], "tools": tools}

    answer = await edge.client.post("/v1/messages", json=asked)

    assert answer.status_code == 200, answer.text
    assert len(backends.router.prompts[-1].tools) == 300
