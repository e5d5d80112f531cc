"""POST /v1/messages over real HTTP, by Anthropic's own client and by hand."""

from __future__ import annotations

import json
from typing import Any

import anthropic
import pytest
from razvilka.router.v1 import router_pb2 as pb

from servicekit.errors import ErrorReason, InvalidRequest, ProviderFailed
from services.gateway.tests.backends import KEY, Backends
from services.gateway.tests.conftest import Edge

PATH = "/v1/messages"
HELLO: dict[str, Any] = {
    "model": "yandexgpt",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "Скажи привет"}],
}
WEATHER: dict[str, Any] = {
    "name": "weather",
    "description": "Погода в городе",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
# As test_chat.py counts it: the same answer costs the same in either form.
COST_RUB = "0.002800"


def error_of(raised: pytest.ExceptionInfo[anthropic.APIStatusError]) -> dict[str, Any]:
    """Return the error object of a refusal that the client raised."""
    body: Any = raised.value.body
    error: dict[str, Any] = body["error"]
    return error


def official(edge: Edge, key: str = KEY) -> anthropic.AsyncAnthropic:
    """Return Anthropic's client as its documentation sets it up; the key goes into `x-api-key`."""
    return anthropic.AsyncAnthropic(base_url=str(edge.client.base_url), api_key=key, max_retries=0)


def events(text: str) -> list[dict[str, Any]]:
    """Return the data of the events, each checked to be of the kind its event line names."""
    found = []
    for frame in (frame for frame in text.split("\n\n") if frame and not frame.startswith(":")):
        name, data = frame.split("\n", 1)
        found.append(json.loads(data.removeprefix("data: ")))
        assert found[-1]["type"] == name.removeprefix("event: ")
    return found


async def test_answers_in_anthropics_form_with_its_cost(edge: Edge, backends: Backends) -> None:
    """The message has Anthropic's shape; its input is without what came from the cache; the row is as ever."""
    answer = await edge.client.post(PATH, json=HELLO)

    body = answer.json()
    assert answer.status_code == 200, answer.text
    assert body["id"].startswith("msg_")
    assert (body["type"], body["role"], body["model"]) == ("message", "assistant", "yandexgpt")
    assert body["content"] == [{"type": "text", "text": "Привет!"}]
    assert (body["stop_reason"], body["stop_sequence"]) == ("end_turn", None)
    assert body["usage"] == {
        "input_tokens": 6,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 4,
        "output_tokens": 3,
        "output_tokens_details": {"thinking_tokens": 1},
        "cost_rub": COST_RUB,
    }
    assert answer.headers["request-id"] == answer.headers["x-request-id"]
    row = await backends.usage.row(answer.headers["x-request-id"])
    assert (row.endpoint, row.tokens_input, row.cost_micro_rub) == ("messages", 10, 2_800)


async def test_a_message_is_found_by_its_id(edge: Edge, backends: Backends) -> None:
    """GET /v1/generation takes `msg_…` as it takes `chatcmpl-…`."""
    answer = await edge.client.post(PATH, json=HELLO)
    await backends.usage.row(answer.headers["x-request-id"])

    found = await edge.client.get("/v1/generation", params={"id": answer.json()["id"]})

    assert found.json()["data"]["cost_rub"] == COST_RUB


async def test_a_stream_has_blocks_one_after_the_other(edge: Edge, backends: Backends) -> None:
    """Start, a block of text, a block of a call, why it stopped with the exact usage, the end."""
    backends.router.tool_calls = [pb.ToolCall(id="call_1", name="weather", arguments='{"city": "Омск"}')]
    backends.router.finish = pb.FINISH_REASON_TOOL_CALLS

    answer = await edge.client.post(PATH, json={**HELLO, "stream": True, "tools": [WEATHER]})

    found = events(answer.text)
    assert [each["type"] for each in found] == [
        "message_start",
        "content_block_start",
        *["content_block_delta"] * 3,
        "content_block_stop",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert found[0]["message"]["content"] == []
    assert "".join(each["delta"].get("text", "") for each in found if "delta" in each) == "Привет!"
    assert found[6]["content_block"] == {"type": "tool_use", "id": "call_1", "name": "weather", "input": {}}
    assert json.loads(found[7]["delta"]["partial_json"]) == {"city": "Омск"}
    assert [each["index"] for each in found if "index" in each] == [0] * 5 + [1] * 3
    assert found[-2]["delta"] == {"stop_reason": "tool_use", "stop_sequence": None}
    assert found[-2]["usage"]["cost_rub"] == COST_RUB


async def test_its_own_client_streams_and_counts(edge: Edge) -> None:
    """The official client gathers the same message, with the usage of the end."""
    async with official(edge) as client, client.messages.stream(**HELLO) as stream:
        said = [text async for text in stream.text_stream]
        whole = await stream.get_final_message()

    assert "".join(said) == "Привет!"
    assert whole.stop_reason == "end_turn"
    assert (whole.usage.input_tokens, whole.usage.cache_read_input_tokens, whole.usage.output_tokens) == (6, 4, 3)
    assert whole.usage.output_tokens_details is not None
    assert whole.usage.output_tokens_details.thinking_tokens == 1


async def test_a_conversation_becomes_the_chat_that_it_means(edge: Edge, backends: Backends) -> None:
    """System, thoughts, calls, results with their images, documents and forced tools arrive as chats have them."""
    pixel = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}
    body = {
        **HELLO,
        "system": [{"type": "text", "text": "Отвечай кратко", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "Погода?"}, pixel]},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "надо спросить", "signature": "x"},
                    {"type": "redacted_thinking", "data": "zzz"},
                    {"type": "tool_use", "id": "call_1", "name": "weather", "input": {"city": "Омск"}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "call_1", "is_error": True, "content": "нет связи"},
                    {"type": "document", "title": "Правила", "source": {"type": "text", "data": "текст"}},
                ],
            },
        ],
        "tools": [WEATHER],
        "tool_choice": {"type": "tool", "name": "weather", "disable_parallel_tool_use": True},
        "thinking": {"type": "enabled", "budget_tokens": 2048},
        "stop_sequences": ["КОНЕЦ", *"abcde"],
        "temperature": 0.5,
    }

    answer = await edge.client.post(PATH, json=body)

    assert answer.status_code == 200, answer.text
    prompt = backends.router.prompts[-1]
    system, asked, called, result, document = prompt.messages
    assert (system.role, system.content) == (pb.ROLE_SYSTEM, "Отвечай кратко")
    assert [part.type for part in asked.parts] == ["text", "image_url"]
    assert json.loads(asked.parts[1].json)["image_url"]["url"] == "data:image/png;base64,aGk="
    assert called.role == pb.ROLE_ASSISTANT
    assert (called.tool_calls[0].id, json.loads(called.tool_calls[0].arguments)) == ("call_1", {"city": "Омск"})
    assert (result.role, result.tool_call_id, result.content) == (pb.ROLE_TOOL, "call_1", "Error: нет связи")
    assert (document.role, document.content) == (pb.ROLE_USER, "Правила\nтекст")
    assert prompt.tools[0].name == "weather"
    assert (prompt.tool_choice.mode, prompt.tool_choice.function_name) == ("function", "weather")
    assert prompt.parallel_tool_calls is False
    assert (prompt.max_tokens, list(prompt.stop), prompt.temperature) == (100, ["КОНЕЦ", *"abcde"], 0.5)
    assert prompt.reasoning_effort == "low"
    assert called.reasoning_content == "надо спросить"


async def test_the_key_may_come_in_either_header_but_not_two_keys(edge: Edge) -> None:
    """`x-api-key` is what Anthropic's clients send; two that differ are none."""
    bare = {"authorization": ""}
    alone = await edge.client.post(PATH, json=HELLO, headers={**bare, "x-api-key": KEY})
    both = await edge.client.post(PATH, json=HELLO, headers={"x-api-key": KEY})
    other = await edge.client.post(PATH, json=HELLO, headers={"x-api-key": "rz-other"})

    assert (alone.status_code, both.status_code, other.status_code) == (200, 200, 401)
    assert other.json()["type"] == "error"


async def test_errors_have_anthropics_form(edge: Edge, backends: Backends) -> None:
    """Its client raises the class that it knows, with our code in the body."""
    async with official(edge, "rz-wrong") as client:
        with pytest.raises(anthropic.AuthenticationError) as wrong_key:
            await client.messages.create(**HELLO)
    async with official(edge) as client:
        with pytest.raises(anthropic.NotFoundError) as unknown:
            await client.messages.create(**{**HELLO, "model": "claude-sonnet-9"})
        backends.router.failure = InvalidRequest(ErrorReason.CONTEXT_LENGTH_EXCEEDED, "maximum context length is 8")
        with pytest.raises(anthropic.BadRequestError) as too_long:
            await client.messages.create(**HELLO)

    assert error_of(wrong_key)["type"] == "authentication_error"
    assert wrong_key.value.request_id
    assert error_of(unknown)["code"] == "model_not_found"
    assert error_of(too_long)["message"].startswith("prompt is too long: ")


@pytest.mark.parametrize(
    ("method", "path", "status", "type"),
    [
        ("GET", "/v1/messages", 405, "invalid_request_error"),
        ("DELETE", "/v1/messages/count_tokens", 405, "invalid_request_error"),
        ("POST", "/v1/messages/batches", 404, "not_found_error"),
        ("GET", "/v1/messages/msg_1/results", 404, "not_found_error"),
        ("POST", "/v1/v1/messages", 404, "not_found_error"),
    ],
)
async def test_what_is_not_there_is_said_in_anthropics_form_too(
    edge: Edge, method: str, path: str, status: int, type: str
) -> None:
    """With the sentence that says what there is, and the methods that are allowed."""
    answer = await edge.client.request(method, path)

    assert (answer.status_code, answer.json()["type"], answer.json()["error"]["type"]) == (status, "error", type)
    assert answer.json()["request_id"] == answer.headers["request-id"]
    assert ("allow" in answer.headers) == (status == 405)
    assert "/v1/messages" in answer.json()["error"]["message"] or status == 405


async def test_a_broken_stream_ends_in_an_error_event(edge: Edge, backends: Backends) -> None:
    """Nothing follows it: no stop reason, no message_stop; the client raises."""
    backends.router.failure, backends.router.fail_at = ProviderFailed(ErrorReason.PROVIDER_ERROR, "broke off"), 2

    found = events((await edge.client.post(PATH, json={**HELLO, "stream": True})).text)

    assert found[-1]["error"]["type"] == "api_error"
    assert found[-1]["error"]["details"]["partial"] == "true"
    assert "message_stop" not in [each["type"] for each in found]


async def test_tools_that_only_anthropic_runs_are_named_as_left_out(edge: Edge, backends: Backends) -> None:
    """So are fields that nothing here stands for."""
    body = {**HELLO, "tools": [{"type": "web_search_20250305", "name": "web_search"}, WEATHER], "mcp_servers": []}

    answer = await edge.client.post(PATH, json=body)

    assert [tool.name for tool in backends.router.prompts[-1].tools] == ["weather"]
    dropped = answer.headers["x-razvilka-dropped-params"]
    assert "tools[0]=web_search_20250305" in dropped
    assert "mcp_servers" in dropped


async def test_tokens_are_counted_for_nothing(edge: Edge, backends: Backends) -> None:
    """No provider is asked, nothing is billed; more text is more tokens."""
    async with official(edge) as client:
        short = await client.messages.count_tokens(model="yandexgpt", messages=HELLO["messages"])
        long = await client.messages.count_tokens(
            model="yandexgpt", messages=[{"role": "user", "content": "Скажи привет " * 50}]
        )

    assert 0 < short.input_tokens < long.input_tokens
    assert backends.router.prompts == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"max_tokens": None}, "max_tokens"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "user", "content": []}]}, "messages[0].content"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": [{"type": "video"}]}]}, "messages[0].content[0].type"),
        (
            {"messages": [{"role": "user", "content": [{"type": "tool_use", "id": "1", "name": "a", "input": {}}]}]},
            "messages[0].content[0].type",
        ),
        (
            {"messages": [{"role": "assistant", "content": [{"type": "tool_result", "tool_use_id": "1"}]}]},
            "messages[0].content[0].type",
        ),
        ({"temperature": 1.5}, "temperature"),
        ({"tools": [{"name": "weather"}]}, "tools[0].input_schema"),
        ({"tool_choice": {"type": "any"}}, "tool_choice"),
        ({"tools": [WEATHER], "tool_choice": {"type": "tool", "name": "other"}}, "tool_choice.name"),
        ({"thinking": {"type": "loud"}}, "thinking.type"),
        ({"stop_sequences": [""]}, "stop_sequences[0]"),
        ({"stop_sequences": ["x"] * 65}, "stop_sequences"),
    ],
)
async def test_a_wrong_body_is_refused_by_field(
    edge: Edge, backends: Backends, change: dict[str, Any], field: str
) -> None:
    """400 in Anthropic's form; the field is named as the caller wrote it; nothing is asked."""
    answer = await edge.client.post(PATH, json={**HELLO, **change})

    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert (error["type"], error["param"]) == ("invalid_request_error", field)
    assert backends.router.prompts == []
