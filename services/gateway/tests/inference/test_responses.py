"""POST /v1/responses over real HTTP, by the official client and by hand."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest
from razvilka.router.v1 import router_pb2 as pb

from servicekit.errors import ErrorReason, ProviderFailed
from services.gateway.tests.backends import KEY, Backends
from services.gateway.tests.conftest import Edge, StartGateway

PATH = "/v1/responses"
HELLO: dict[str, Any] = {"model": "yandexgpt", "input": "Скажи привет"}
WEATHER: dict[str, Any] = {
    "type": "function",
    "name": "weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
# As test_chat.py counts it: the same answer costs the same in either form.
COST_RUB = "0.002800"


def official(edge: Edge) -> openai.AsyncOpenAI:
    """Return the official client."""
    return openai.AsyncOpenAI(base_url=f"{edge.client.base_url}/v1", api_key=KEY, max_retries=0)


def events(text: str) -> list[dict[str, Any]]:
    """Return the data of the events, each checked to be of the kind its event line names, and numbered through."""
    found = []
    for frame in (frame for frame in text.split("\n\n") if frame and not frame.startswith(":")):
        name, data = frame.split("\n", 1)
        found.append(json.loads(data.removeprefix("data: ")))
        assert found[-1]["type"] == name.removeprefix("event: ")
    assert [each["sequence_number"] for each in found] == list(range(len(found)))
    return found


def call_weather(backends: Backends) -> None:
    """Let the model call the tool."""
    backends.router.tool_calls = [pb.ToolCall(id="call_1", name="weather", arguments='{"city": "Омск"}')]
    backends.router.finish = pb.FINISH_REASON_TOOL_CALLS


async def test_answers_in_the_form_of_the_api_with_its_cost(edge: Edge, backends: Backends) -> None:
    """The object has OpenAI's shape; the row is as ever."""
    answer = await edge.client.post(PATH, json=HELLO)

    body = answer.json()
    assert answer.status_code == 200, answer.text
    assert (body["object"], body["status"], body["error"]) == ("response", "completed", None)
    (item,) = body["output"]
    assert (item["type"], item["role"], item["content"][0]["text"]) == ("message", "assistant", "Привет!")
    assert body["usage"] == {
        "input_tokens": 10,
        "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 0},
        "output_tokens": 3,
        "output_tokens_details": {"reasoning_tokens": 1},
        "total_tokens": 13,
        "cost_rub": COST_RUB,
    }
    row = await backends.usage.row(answer.headers["x-request-id"])
    assert (row.endpoint, row.cost_micro_rub) == ("responses", 2_800)
    found = await edge.client.get("/v1/generation", params={"id": body["id"]})
    assert found.json()["data"]["cost_rub"] == COST_RUB


async def test_its_client_gathers_the_same_from_a_stream(edge: Edge, backends: Backends) -> None:
    """Text and a call, item by item; the last event has the whole response with the exact usage."""
    call_weather(backends)
    tools: Any = [WEATHER]

    async with official(edge) as client, client.responses.stream(**HELLO, tools=tools) as stream:
        said = [event.delta async for event in stream if event.type == "response.output_text.delta"]
        whole = await stream.get_final_response()

    assert "".join(said) == whole.output_text == "Привет!"
    message, call = whole.output
    assert (message.type, call.type) == ("message", "function_call")
    assert call.type == "function_call"
    assert (call.call_id, call.name, json.loads(call.arguments)) == ("call_1", "weather", {"city": "Омск"})
    assert whole.usage is not None
    assert (whole.usage.input_tokens, whole.usage.output_tokens) == (10, 3)


async def test_events_begin_grow_and_end(edge: Edge, backends: Backends) -> None:
    """In the order that clients follow: each item is added, grows, and is done; then the response is."""
    call_weather(backends)

    found = events((await edge.client.post(PATH, json={**HELLO, "stream": True, "tools": [WEATHER]})).text)

    assert [each["type"].removeprefix("response.") for each in found] == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        *["output_text.delta"] * 3,
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
        "completed",
    ]
    assert found[-1]["response"]["usage"]["cost_rub"] == COST_RUB
    assert found[-1]["response"]["output"] == [found[9]["item"], found[13]["item"]]


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
async def test_a_next_turn_knows_what_was_said(edge: Edge, backends: Backends, streamed: bool) -> None:
    """Question, call, result: the model hears all of it again; instructions are those of the turn alone."""
    call_weather(backends)
    asked = {**HELLO, "tools": [WEATHER], "stream": streamed, "instructions": "Кратко"}
    first = await edge.client.post(PATH, json=asked)
    response = events(first.text)[-1]["response"] if streamed else first.json()
    result = {"type": "function_call_output", "call_id": "call_1", "output": "минус 5"}

    second = await edge.client.post(
        PATH, json={"model": "yandexgpt", "input": [result], "previous_response_id": response["id"]}
    )

    assert second.status_code == 200, second.text
    question, called, told = backends.router.prompts[-1].messages
    assert (question.role, question.content) == (pb.ROLE_USER, "Скажи привет")
    assert (called.role, called.content, called.tool_calls[0].id) == (pb.ROLE_ASSISTANT, "Привет!", "call_1")
    assert (told.role, told.tool_call_id, told.content) == (pb.ROLE_TOOL, "call_1", "минус 5")


async def test_what_is_kept_can_be_seen_and_forgotten(edge: Edge) -> None:
    """By its id; afterwards there is nothing to build on."""
    async with official(edge) as client:
        made = await client.responses.create(**HELLO)
        again = await client.responses.retrieve(made.id)
        items: list[Any] = [item async for item in client.responses.input_items.list(made.id)]
        await client.responses.delete(made.id)
        with pytest.raises(openai.NotFoundError):
            await client.responses.retrieve(made.id)
        with pytest.raises(openai.BadRequestError) as unknown:
            await client.responses.create(**HELLO, previous_response_id=made.id)

    assert again.output_text == "Привет!"
    assert items[0].content[0].text == "Скажи привет"
    assert (unknown.value.param, unknown.value.code) == ("previous_response_id", "previous_response_not_found")
    assert f"Previous response with id '{made.id}' not found." in str(unknown.value)


async def test_an_answer_is_not_kept_when_the_caller_says_so(edge: Edge) -> None:
    """`store: false`."""
    async with official(edge) as client:
        made = await client.responses.create(**HELLO, store=False)
        with pytest.raises(openai.NotFoundError):
            await client.responses.retrieve(made.id)

    assert made.model_extra is not None
    assert made.model_extra["store"] is False


async def test_what_is_kept_says_nothing_without_its_id(edge: Edge, redis_client: Any) -> None:
    """Neither what was said nor the id stands in Redis."""
    made = (await edge.client.post(PATH, json={**HELLO, "input": "канарейка в клетке"})).json()

    (key,) = [key async for key in redis_client.scan_iter("gw:*:response:*")]
    kept = await redis_client.get(key)

    assert made["id"].encode() not in key
    assert "канарейка".encode() not in kept
    assert 0 < await redis_client.ttl(key) <= 86_400


async def test_what_is_kept_is_gone_after_its_time(start_gateway: StartGateway, redis_client: Any) -> None:
    """The setting is the time to live in Redis."""
    edge = await start_gateway(responses_kept_s=7)
    await edge.client.post(PATH, json=HELLO)

    (key,) = [key async for key in redis_client.scan_iter("gw:*:response:*")]

    assert 0 < await redis_client.ttl(key) <= 7


async def test_a_broken_stream_ends_in_a_failed_response(edge: Edge, backends: Backends) -> None:
    """Not in one that looks complete; nothing of it is kept."""
    backends.router.failure, backends.router.fail_at = ProviderFailed(ErrorReason.PROVIDER_ERROR, "broke off"), 2

    found = events((await edge.client.post(PATH, json={**HELLO, "stream": True})).text)

    last = found[-1]
    assert (last["type"], last["response"]["status"], last["response"]["store"]) == ("response.failed", "failed", False)
    assert last["response"]["error"]["code"] == "server_error"
    assert last["response"]["error"]["details"]["code"] == "provider_error"
    assert last["response"]["error"]["details"]["partial"] == "true"
    assert (await edge.client.get(f"{PATH}/{last['response']['id']}")).status_code == 404


async def test_an_answer_that_was_cut_is_incomplete(edge: Edge, backends: Backends) -> None:
    """And says why."""
    backends.router.finish = pb.FINISH_REASON_LENGTH

    body = (await edge.client.post(PATH, json={**HELLO, "max_output_tokens": 3})).json()

    assert (body["status"], body["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})
    assert body["output"][-1]["status"] == "incomplete"
    assert backends.router.prompts[-1].max_tokens == 3


async def test_items_become_the_chat_that_they_mean(edge: Edge, backends: Backends) -> None:
    """Roles, pictures, thoughts, several calls of one answer, forms and efforts."""
    call = {"type": "function_call", "name": "weather", "arguments": "{}"}
    body = {
        **HELLO,
        "instructions": "Кратко",
        "input": [
            {"role": "developer", "content": "Ты диспетчер"},
            {
                "type": "message",
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "Что тут?"},
                    {"type": "input_image", "image_url": "data:image/png;base64,aGk="},
                ],
            },
            {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "надо спросить"}]},
            {**call, "call_id": "call_1"},
            {**call, "call_id": "call_2"},
            {"type": "function_call_output", "call_id": "call_1", "output": "тепло"},
            {"type": "function_call_output", "call_id": "call_2", "output": [{"type": "input_text", "text": "сухо"}]},
        ],
        "tools": [WEATHER, {**WEATHER, "name": "other"}, {"type": "web_search"}],
        "tool_choice": {
            "type": "allowed_tools",
            "mode": "required",
            "tools": [{"type": "function", "name": "weather"}],
        },
        "text": {"format": {"type": "json_schema", "name": "form", "schema": {"type": "object"}}},
        "reasoning": {"effort": "low"},
    }

    answer = await edge.client.post(PATH, json=body)

    assert answer.status_code == 200, answer.text
    prompt = backends.router.prompts[-1]
    roles = [pb.Role.Name(message.role) for message in prompt.messages]
    assert roles == [f"ROLE_{role}" for role in ("SYSTEM", "SYSTEM", "USER", "ASSISTANT", "TOOL", "TOOL")]
    assert [part.type for part in prompt.messages[2].parts] == ["text", "image_url"]
    assert [each.id for each in prompt.messages[3].tool_calls] == ["call_1", "call_2"]
    assert [message.content for message in prompt.messages[4:]] == ["тепло", "сухо"]
    assert [tool.name for tool in prompt.tools] == ["weather"]
    assert prompt.tool_choice.mode == "required"
    assert (prompt.response_format.name, prompt.reasoning_effort) == ("form", "low")
    assert [message.reasoning_content for message in prompt.messages] == ["", "", "", "надо спросить", "", ""]
    assert answer.headers["x-razvilka-dropped-params"] == "tools[2]=web_search"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"input": []}, "input"),
        ({"input": [{"role": "robot", "content": "x"}]}, "input[0].role"),
        ({"input": [{"type": "thought_transfer"}]}, "input[0].type"),
        ({"input": [{"type": "function_call_output", "output": "x"}]}, "input[0].call_id"),
        ({"input": [{"role": "user", "content": [{"type": "input_text"}]}]}, "input[0].content[0].text"),
        ({"background": True}, "background"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"prompt": {"id": "p"}}, "prompt"),
        ({"tools": [{"type": "function"}]}, "tools[0].name"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tools": [WEATHER], "tool_choice": {"type": "function", "name": "other"}}, "tool_choice.name"),
        (
            {
                "tools": [WEATHER],
                "tool_choice": {
                    "type": "allowed_tools",
                    "tools": [{"type": "web_search"}, {"type": "function", "name": "wether"}],
                },
            },
            "tool_choice.tools[1]",
        ),
        ({"text": {"format": {"type": "json_schema", "name": "x"}}}, "text.format.schema"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
    ],
)
async def test_a_wrong_body_is_refused_by_field(
    edge: Edge, backends: Backends, change: dict[str, Any], field: str
) -> None:
    """400, the field as the caller wrote it; nothing is asked."""
    answer = await edge.client.post(PATH, json={**HELLO, **change})

    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["param"] == field
    assert backends.router.prompts == []
