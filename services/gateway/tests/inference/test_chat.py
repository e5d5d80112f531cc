"""Chat completions, plain and streamed, over real HTTP."""

from __future__ import annotations

import json

import pytest
from razvilka.router.v1 import router_pb2 as pb
from razvilka.usage.v1 import usage_pb2

from services.gateway.clients.completion import Delta, ToolCallPart
from services.gateway.inference.openai_bodies import AnswerHead
from services.gateway.inference.streaming.event_stream import ChatFrames
from services.gateway.tests.backends import Backends
from services.gateway.tests.conftest import Edge
from services.gateway.tests.inference.chat_calls import HELLO, PATH, events, official

# 6 uncached input tokens at 0.2, 4 cached at 0.1, 3 output at 0.4 roubles per 1,000, rounded up.
COST_MICRO_RUB = 2_800


async def test_answers_in_openai_form_with_its_cost(edge: Edge) -> None:
    """A plain answer has OpenAI's shape, and says what it cost in the body and in a header."""
    answer = await edge.client.post(PATH, json=HELLO)

    body = answer.json()
    assert answer.status_code == 200, answer.text
    assert body["id"].startswith("chatcmpl-")
    assert body["object"] == "chat.completion"
    assert body["model"] == "yandexgpt"
    assert body["system_fingerprint"] == "build-7"
    assert body["choices"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Привет!", "refusal": None},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ]
    assert body["usage"] == {
        "prompt_tokens": 10,
        "completion_tokens": 3,
        "total_tokens": 13,
        "prompt_tokens_details": {"cached_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": 1},
        "cost_rub": "0.002800",
    }
    assert answer.headers["x-razvilka-cost-micro-rub"] == str(COST_MICRO_RUB)
    assert answer.headers["x-razvilka-model"] == "yandexgpt:latest-build-7"
    assert answer.headers["x-razvilka-provider"] == "yandexgpt"
    assert answer.headers["x-razvilka-queue-ms"] == "0"
    assert answer.headers["x-ratelimit-limit-requests"] == "10000"


async def test_every_request_leaves_one_exact_row(edge: Edge, backends: Backends) -> None:
    """What the provider counted is what is recorded, under the request's own id."""
    answer = await edge.client.post(PATH, json=HELLO)

    row = await backends.usage.row(answer.headers["x-request-id"])
    assert row.status == usage_pb2.STATUS_COMPLETED
    assert row.source == usage_pb2.SOURCE_PROVIDER
    assert (row.tokens_input, row.tokens_output, row.tokens_cached, row.cost_micro_rub) == (10, 3, 4, COST_MICRO_RUB)
    assert (row.user_id, row.key_id, row.model, row.requested_model) == (
        "user-1",
        "key-1",
        "yandexgpt:latest",
        "yandexgpt",
    )
    assert row.price_version == "2026-01"
    assert row.finish_reason == "stop"
    assert [attempt.provider for attempt in row.attempts] == ["yandexgpt"]


@pytest.mark.parametrize("stream", [False, True])
async def test_an_ending_that_only_a_later_router_knows_is_a_stop(edge: Edge, backends: Backends, stream: bool) -> None:
    """While services are upgraded one by one, an answer is not lost for a word."""
    backends.router.finish = 9  # type: ignore[assignment]

    answer = await edge.client.post(PATH, json={**HELLO, "stream": stream})

    assert answer.status_code == 200
    assert '"finish_reason":"stop"' in answer.text


async def test_streams_as_openai_does(edge: Edge, backends: Backends) -> None:
    """Role first, then content, then the finish reason, then [DONE]; no usage unless it was asked for."""
    answer = await edge.client.post(PATH, json={**HELLO, "stream": True})

    *chunks, done = events(answer.text)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert done == "[DONE]"
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert len({chunk["id"] for chunk in chunks}) == 1
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": "", "refusal": None}
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks) == "Привет!"
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks][-1] == "stop"
    assert [chunk for chunk in chunks if "usage" in chunk] == []
    row = await backends.usage.row()
    assert (row.stream, row.status, row.cost_micro_rub) == (True, usage_pb2.STATUS_COMPLETED, COST_MICRO_RUB)


async def test_a_stream_ends_with_usage_when_asked(edge: Edge) -> None:
    """With include_usage the last chunk has no choices and the usage with its cost; the others say null."""
    body = {**HELLO, "stream": True, "stream_options": {"include_usage": True}}

    *chunks, last, _ = events((await edge.client.post(PATH, json=body)).text)

    assert last["choices"] == []
    assert last["usage"]["total_tokens"] == 13
    assert last["usage"]["cost_rub"] == "0.002800"
    assert {chunk["usage"] for chunk in chunks} == {None}


async def test_a_stream_may_come_in_one_message(edge: Edge, backends: Backends) -> None:
    """Under load the router merges everything; the caller still gets a whole stream, and the row a first token."""
    backends.router.at_once = True

    answer = await edge.client.post(PATH, json={**HELLO, "stream": True})

    *chunks, done = events(answer.text)
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks) == "Привет!"
    assert done == "[DONE]"
    assert (await backends.usage.row()).first_token_ms >= 1


async def test_the_official_client_reads_both(edge: Edge) -> None:
    """The openai package parses answers and streams, and sees the cost as an extra field."""
    client = official(edge)

    plain = await client.chat.completions.create(**HELLO)
    stream = await client.chat.completions.create(**HELLO, stream=True)
    text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    assert plain.choices[0].message.content == text == "Привет!"
    assert plain.usage is not None
    assert plain.usage.model_extra == {"cost_rub": "0.002800"}


async def test_tool_calls_come_back(edge: Edge, backends: Backends) -> None:
    """A tool call keeps its id, name and arguments; content is null."""
    backends.router.chunks = []
    backends.router.finish = pb.FINISH_REASON_TOOL_CALLS
    backends.router.tool_calls = [pb.ToolCall(id="call_1", name="weather", arguments='{"city":"Омск"}')]

    plain = (await edge.client.post(PATH, json=HELLO)).json()
    chunks = events((await edge.client.post(PATH, json={**HELLO, "stream": True})).text)[:-1]

    function = {"name": "weather", "arguments": '{"city":"Омск"}'}
    message = plain["choices"][0]["message"]
    assert message["content"] is None
    assert message["tool_calls"] == [{"id": "call_1", "type": "function", "function": function}]
    assert plain["choices"][0]["finish_reason"] == "tool_calls"
    calls = [
        chunk["choices"][0]["delta"]["tool_calls"] for chunk in chunks if "tool_calls" in chunk["choices"][0]["delta"]
    ]
    assert calls == [[{"index": 0, "id": "call_1", "type": "function", "function": function}]]


async def test_the_old_functions_dialect_gets_its_own_answer(edge: Edge, backends: Backends) -> None:
    """Who sends `functions` is answered with `function_call`."""
    backends.router.chunks = []
    backends.router.finish = pb.FINISH_REASON_TOOL_CALLS
    backends.router.tool_calls = [pb.ToolCall(id="call_1", name="weather", arguments="{}")]
    body = {**HELLO, "functions": [{"name": "weather", "parameters": {}}], "function_call": {"name": "weather"}}

    choice = (await edge.client.post(PATH, json=body)).json()["choices"][0]

    assert choice["message"]["function_call"] == {"name": "weather", "arguments": "{}"}
    assert choice["finish_reason"] == "function_call"
    assert backends.router.prompts[0].tool_choice.function_name == "weather"


async def test_dropped_parameters_and_the_end_of_a_model_are_named(edge: Edge, backends: Backends) -> None:
    """What the provider cannot do is in a header, and so is the day a channel ends."""
    backends.router.dropped = ["seed", "user"]

    answer = await edge.client.post(PATH, json={**HELLO, "model": "yandexgpt:deprecated"})

    assert answer.headers["x-razvilka-dropped-params"] == "seed, user"
    assert answer.headers["deprecation"] == "@1750000000"
    assert answer.headers["sunset"] == "Tue, 02 Oct 2096 07:06:40 GMT"
    assert answer.headers["link"] == '</v1/models/yandexgpt:latest>; rel="successor-version"'


async def test_a_fallback_is_billed_at_its_own_price(edge: Edge, backends: Backends) -> None:
    """When another model answers, its price counts."""
    dear = pb.Price(version="giga-1", input_micro_rub_per_1k=1_000_000, output_micro_rub_per_1k=1_000_000)
    del backends.router.models[1].prices[:]
    backends.router.models[1].prices.append(dear)
    backends.router.version = "2"
    backends.router.answering_model = "gigachat-pro"
    await edge.gateway.catalog.refresh()

    answer = await edge.client.post(PATH, json=HELLO)

    assert answer.headers["x-razvilka-cost-micro-rub"] == "13000"
    assert answer.headers["x-razvilka-provider"] == "gigachat"
    row = await backends.usage.row()
    assert (row.model, row.price_version) == ("gigachat-pro", "giga-1")


async def test_trace_and_request_id_reach_the_router(edge: Edge, backends: Backends) -> None:
    """The caller's trace goes on; the request id is ours."""
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

    answer = await edge.client.post(PATH, json=HELLO, headers={"traceparent": trace, "x-request-id": "mine"})

    assert backends.router.context.trace.trace_id == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert backends.router.context.request_id == answer.headers["x-request-id"] != "mine"


@pytest.mark.parametrize("path", [PATH, "/v1/completions"])
async def test_no_frame_has_a_line_end_within(edge: Edge, backends: Backends, path: str) -> None:
    """Clients that split by Unicode's rules would tear a frame in two; the text itself is unchanged."""
    backends.router.chunks = ["a\u2028b", "c\u2029", "\u0085d — ё"]
    prompt = {"prompt": "Привет"} if path != PATH else {"messages": [{"role": "user", "content": "Привет"}]}

    answer = await edge.client.post(path, json={"model": "yandexgpt", "stream": True, **prompt})

    lines = [line for line in answer.text.splitlines() if line]
    assert lines == [line for line in answer.text.split("\n") if line]
    choices = [json.loads(line[6:])["choices"][0] for line in lines[:-1]]
    text = "".join(choice.get("text", choice.get("delta", {}).get("content", "")) for choice in choices)
    assert text == "".join(backends.router.chunks)


def test_a_stream_of_the_old_functions_dialect_has_one_call_a_choice() -> None:
    """Its pieces have no index: those of a second call would end up in the arguments of the first."""
    frames = ChatFrames(AnswerHead("chatcmpl-1", 0, "m"), include_usage=False, legacy=True)
    pieces = [
        (0, ToolCallPart(0, "call_1", "weather", '{"city":')),
        (0, ToolCallPart(1, "call_2", "clock", "{}")),
        (0, ToolCallPart(0, "", "", '"Омск"}')),
        (1, ToolCallPart(1, "call_3", "clock", "{}")),
    ]

    sent = b"".join(
        frames.deltas([Delta(index=choice, content="", reasoning="", tool_calls=(piece,), finish_reason="")])
        for choice, piece in pieces
    )

    said: dict[int, list[dict[str, str]]] = {0: [], 1: []}
    for chunk in events(sent.decode()):
        choice = chunk["choices"][0]
        said[choice["index"]] += [choice["delta"]["function_call"]] if "function_call" in choice["delta"] else []
    assert said == {
        0: [{"name": "weather", "arguments": '{"city":'}, {"arguments": '"Омск"}'}],
        1: [{"name": "clock", "arguments": "{}"}],
    }
