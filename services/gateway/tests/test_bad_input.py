"""Bad requests get a 4xx whose message names the field; never a 5xx, never FastAPI's 422."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import pytest_asyncio

from services.gateway.settings import LimitSettings
from services.gateway.tests.backends import KEY, Backends, running_backends
from services.gateway.tests.conftest import Edge, StartGateway, running_edge

CHAT = "/v1/chat/completions"
TEXT = "/v1/completions"
EMBED = "/v1/embeddings"
USER = {"role": "user", "content": "Привет"}
TOOL = {"type": "function", "function": {"name": "f"}}


def chat(**changes: Any) -> dict[str, Any]:
    """Return a chat body with changes."""
    return {"model": "yandexgpt", "messages": [USER], **changes}


def said(message: Any) -> dict[str, Any]:
    """Return a chat body with this as its second message."""
    return chat(messages=[USER, message])


WRONG: list[tuple[str, str, Any, str]] = [
    ("no body", CHAT, b"", "body"),
    ("not JSON", CHAT, b"hello", "body"),
    ("cut JSON", CHAT, b'{"model": "yandexgpt"', "body"),
    ("two values", CHAT, b'{"model":"m","messages":[]} {}', "body"),
    ("a list", CHAT, [], "body"),
    ("a text", CHAT, "hi", "body"),
    ("null", CHAT, None, "body"),
    ("a BOM", CHAT, b'\xef\xbb\xbf{"model":"yandexgpt"}', "body"),
    ("model missing", CHAT, {"messages": [USER]}, "model"),
    ("model empty", CHAT, chat(model=""), "model"),
    ("model a number", CHAT, chat(model=5), "model"),
    ("model null", CHAT, chat(model=None), "model"),
    ("model too long", CHAT, chat(model="m" * 300), "model"),
    ("messages missing", CHAT, {"model": "yandexgpt"}, "messages"),
    ("messages empty", CHAT, chat(messages=[]), "messages"),
    ("messages a text", CHAT, chat(messages="hi"), "messages"),
    ("messages too many", CHAT, chat(messages=[USER] * 1001), "messages"),
    ("message a text", CHAT, said("hi"), "messages[1]"),
    ("role missing", CHAT, said({"content": "hi"}), "messages[1].role"),
    ("role unknown", CHAT, said({"role": "king", "content": "hi"}), "messages[1].role"),
    ("content missing", CHAT, said({"role": "user"}), "messages[1].content"),
    ("content null", CHAT, said({"role": "user", "content": None}), "messages[1].content"),
    ("content a number", CHAT, said({"role": "user", "content": 5}), "messages[1].content"),
    ("content an object", CHAT, said({"role": "user", "content": {}}), "messages[1].content"),
    ("no parts", CHAT, said({"role": "user", "content": []}), "messages[1].content"),
    ("part a text", CHAT, said({"role": "user", "content": ["hi"]}), "messages[1].content[0]"),
    ("part of no type", CHAT, said({"role": "user", "content": [{"text": "hi"}]}), "messages[1].content[0].type"),
    ("part of a wrong type", CHAT, said({"role": "user", "content": [{"type": "x"}]}), "messages[1].content[0].type"),
    ("part without text", CHAT, said({"role": "user", "content": [{"type": "text"}]}), "messages[1].content[0].text"),
    (
        "part without picture",
        CHAT,
        said({"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image_url"}]}),
        "messages[1].content[1].image_url",
    ),
    ("tool without id", CHAT, said({"role": "tool", "content": "1"}), "messages[1].tool_call_id"),
    ("function without name", CHAT, said({"role": "function", "content": "1"}), "messages[1].name"),
    ("assistant says nothing", CHAT, said({"role": "assistant"}), "messages[1].content"),
    (
        "a user calls a tool",
        CHAT,
        said({"role": "user", "content": "a", "tool_calls": [{"id": "1", "function": {"name": "f"}}]}),
        "messages[1].tool_calls",
    ),
    (
        "arguments an object",
        CHAT,
        said({"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": {}}}]}),
        "messages[1].tool_calls[0].function.arguments",
    ),
    ("messages and prompt", CHAT, chat(prompt="hi"), "prompt"),
    ("prompt empty", CHAT, {"model": "yandexgpt", "prompt": ""}, "prompt"),
    ("prompt a number", CHAT, {"model": "yandexgpt", "prompt": 1}, "prompt"),
    ("temperature a text", CHAT, chat(temperature="hot"), "temperature"),
    ("temperature too high", CHAT, chat(temperature=2.1), "temperature"),
    ("temperature negative", CHAT, chat(temperature=-0.1), "temperature"),
    ("temperature NaN", CHAT, b'{"model":"m","messages":[],"temperature":NaN}', "temperature"),
    ("temperature infinite", CHAT, b'{"model":"m","messages":[],"temperature":-Infinity}', "temperature"),
    ("temperature huge", CHAT, b'{"model":"m","messages":[],"temperature":1e999}', "temperature"),
    ("temperature true", CHAT, chat(temperature=True), "temperature"),
    ("top_p too high", CHAT, chat(top_p=1.5), "top_p"),
    ("max_tokens zero", CHAT, chat(max_tokens=0), "max_tokens"),
    ("max_tokens a fraction", CHAT, chat(max_tokens=1.5), "max_tokens"),
    ("max_tokens a text", CHAT, chat(max_tokens="10"), "max_tokens"),
    ("max_tokens huge", CHAT, chat(max_tokens=10**30), "max_tokens"),
    ("max_completion_tokens negative", CHAT, chat(max_completion_tokens=-1), "max_completion_tokens"),
    ("n zero", CHAT, chat(n=0), "n"),
    ("n huge", CHAT, chat(n=1000), "n"),
    ("n true", CHAT, chat(n=True), "n"),
    ("stream a text", CHAT, chat(stream="yes"), "stream"),
    ("stream a number", CHAT, chat(stream=1), "stream"),
    ("stream_options alone", CHAT, chat(stream_options={"include_usage": True}), "stream_options"),
    (
        "include_usage a text",
        CHAT,
        chat(stream=True, stream_options={"include_usage": "y"}),
        "stream_options.include_usage",
    ),
    ("stop a number", CHAT, chat(stop=5), "stop"),
    ("five stops", CHAT, chat(stop=["a"] * 5), "stop"),
    ("stop of numbers", CHAT, chat(stop=[1]), "stop[0]"),
    ("tools an object", CHAT, chat(tools={}), "tools"),
    ("tool of a wrong type", CHAT, chat(tools=[{**TOOL, "type": "magic"}]), "tools[0].type"),
    ("tool without a function", CHAT, chat(tools=[{"type": "function"}]), "tools[0].function"),
    ("function without a name", CHAT, chat(tools=[{"type": "function", "function": {}}]), "tools[0].function.name"),
    (
        "function with a bad name",
        CHAT,
        chat(tools=[{"type": "function", "function": {"name": "a b"}}]),
        "tools[0].function.name",
    ),
    (
        "parameters a list",
        CHAT,
        chat(tools=[{"type": "function", "function": {"name": "f", "parameters": []}}]),
        "tools[0].function.parameters",
    ),
    ("tool_choice without tools", CHAT, chat(tool_choice="auto"), "tool_choice"),
    ("tool_choice unknown", CHAT, chat(tools=[TOOL], tool_choice="maybe"), "tool_choice"),
    (
        "tool_choice names nothing known",
        CHAT,
        chat(tools=[TOOL], tool_choice={"type": "function", "function": {"name": "g"}}),
        "tool_choice.function.name",
    ),
    ("tools and functions", CHAT, chat(tools=[TOOL], functions=[{"name": "f"}]), "functions"),
    ("response_format a text", CHAT, chat(response_format="json"), "response_format"),
    ("response_format unknown", CHAT, chat(response_format={"type": "xml"}), "response_format.type"),
    ("json_schema missing", CHAT, chat(response_format={"type": "json_schema"}), "response_format.json_schema"),
    ("reasoning_effort unknown", CHAT, chat(reasoning_effort="a lot"), "reasoning_effort"),
    ("seed a text", CHAT, chat(seed="x"), "seed"),
    ("seed huge", CHAT, chat(seed=2**70), "seed"),
    ("user a number", CHAT, chat(user=1), "user"),
    ("logit_bias a list", CHAT, chat(logit_bias=[1]), "logit_bias"),
    ("logprobs a number", CHAT, chat(logprobs=2), "logprobs"),
    ("metadata nested", CHAT, chat(metadata={"a": {"b": 1}}), "metadata"),
    ("frequency_penalty too high", CHAT, chat(frequency_penalty=3), "frequency_penalty"),
    ("an embedding model", CHAT, chat(model="text-embeddings"), "model"),
    (
        "invalid UTF-8 in a message",
        CHAT,
        b'{"model":"m","messages":[{"role":"user","content":"\xff"}]}',
        "messages[0].content",
    ),
    ("invalid UTF-8 in an unknown field", CHAT, b'{"model":"m","messages":[],"x":{"y":["\xc3"]}}', "x.y[0]"),
    (
        "half a surrogate pair",
        CHAT,
        b'{"model":"m","messages":[{"role":"user","content":"\\ud800"}]}',
        "messages[0].content",
    ),
    ("NaN in a schema", CHAT, b'{"model":"m","messages":[],"tools":[{"a":NaN}]}', "tools[0].a"),
    ("model twice", CHAT, b'{"model":"a","model":"yandexgpt","messages":[{"role":"user","content":"a"}]}', "model"),
    ("role twice", CHAT, b'{"model":"yandexgpt","messages":[{"role":"user","role":"system","content":"a"}]}', "role"),
    ("too deep", CHAT, b'{"model":"m","messages":[],"x":' + b"[" * 70 + b"]" * 70 + b"}", "body"),
    ("far too deep", CHAT, b'{"model":"m","x":' + b'{"a":' * 100_000, "body"),
    ("text: prompt missing", TEXT, {"model": "yandexgpt"}, "prompt"),
    ("text: prompt empty", TEXT, {"model": "yandexgpt", "prompt": ""}, "prompt"),
    ("text: no prompts", TEXT, {"model": "yandexgpt", "prompt": []}, "prompt"),
    ("text: one prompt empty", TEXT, {"model": "yandexgpt", "prompt": ["a", ""]}, "prompt[1]"),
    ("text: tokens", TEXT, {"model": "yandexgpt", "prompt": [1, 2]}, "prompt[0]"),
    ("text: lists of tokens", TEXT, {"model": "yandexgpt", "prompt": [[1, 2]]}, "prompt[0]"),
    ("text: suffix", TEXT, {"model": "yandexgpt", "prompt": "a", "suffix": "b"}, "suffix"),
    ("text: best_of", TEXT, {"model": "yandexgpt", "prompt": "a", "best_of": 3}, "best_of"),
    ("text: logprobs", TEXT, {"model": "yandexgpt", "prompt": "a", "logprobs": 9}, "logprobs"),
    ("embed: input missing", EMBED, {"model": "text-embeddings"}, "input"),
    ("embed: input empty", EMBED, {"model": "text-embeddings", "input": ""}, "input"),
    ("embed: no inputs", EMBED, {"model": "text-embeddings", "input": []}, "input"),
    ("embed: an object", EMBED, {"model": "text-embeddings", "input": {}}, "input"),
    ("embed: tokens", EMBED, {"model": "text-embeddings", "input": [1, 2, 3]}, "input[0]"),
    ("embed: an object inside", EMBED, {"model": "text-embeddings", "input": ["a", {}]}, "input[1]"),
    ("embed: too many", EMBED, {"model": "text-embeddings", "input": ["a"] * 2049}, "input"),
    ("embed: dimensions zero", EMBED, {"model": "text-embeddings", "input": "a", "dimensions": 0}, "dimensions"),
    ("embed: format", EMBED, {"model": "text-embeddings", "input": "a", "encoding_format": "hex"}, "encoding_format"),
    ("embed: a chat model", EMBED, {"model": "yandexgpt", "input": "a"}, "model"),
]


@dataclass(frozen=True, slots=True)
class Shared:
    """One gateway for the whole table: starting one for each row would take a minute."""

    edge: Edge
    backends: Backends


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(redis_server_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shared]:
    """Return the shared gateway."""
    journal = tmp_path_factory.mktemp("journal")
    async with running_backends() as backends, running_edge(backends.targets, redis_server_url, journal) as edge:
        yield Shared(edge, backends)


@pytest.mark.parametrize(("path", "body", "field"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
@pytest.mark.asyncio(loop_scope="module")
async def test_a_wrong_body_is_refused_by_field(shared: Shared, path: str, body: Any, field: str) -> None:
    """400, both dialects, and the message has the field's path; nothing reached the router."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()

    answer = await shared.edge.client.post(path, content=content)

    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert error["param"] == field
    assert error["type"] == "invalid_request_error"
    assert field == "body" or field in error["message"]
    assert isinstance(error["details"], dict)
    assert shared.backends.router.prompts == []


async def test_an_unknown_model_is_not_found(edge: Edge) -> None:
    """404 with release 1.0's code."""
    answer = await edge.client.post(CHAT, json=chat(model="gpt-9"))

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")


async def test_a_model_without_a_price_is_refused(edge: Edge, backends: Backends) -> None:
    """Never free: loudly unavailable, and clients are told not to retry."""
    answer = await edge.client.post(CHAT, json=chat(model="free-lunch"))

    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "model_without_price")
    assert answer.headers["x-should-retry"] == "false"
    assert backends.router.prompts == []


async def test_a_body_that_says_it_is_huge_is_refused_unread(start_gateway: StartGateway) -> None:
    """Content-Length alone is enough; the connection is closed."""
    edge = await start_gateway(limit=LimitSettings(body_mb=1))

    answer = await edge.client.post(CHAT, content=b" " * (1024 * 1024 + 1))

    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "payload_too_large")
    assert answer.headers["connection"] == "close"


async def test_a_body_that_grows_huge_is_refused_on_the_way(start_gateway: StartGateway) -> None:
    """A chunked body has no length to look at: it is counted."""
    edge = await start_gateway(limit=LimitSettings(body_mb=1))

    async def parts() -> Any:
        for _ in range(20):
            yield b" " * 65_536

    answer = await edge.client.post(CHAT, content=parts())

    assert answer.status_code == 413


async def test_a_body_just_under_the_limit_passes(edge: Edge) -> None:
    """Ten megabytes of text are not too much."""
    body = chat(messages=[{"role": "user", "content": "a" * (10 * 1024 * 1024 - 200)}])

    answer = await edge.client.post(CHAT, json=body)

    assert answer.status_code == 200, answer.text[:300]


async def test_compressed_bodies_are_refused(edge: Edge) -> None:
    """415: a few kilobytes could become gigabytes."""
    answer = await edge.client.post(CHAT, content=b"x", headers={"content-encoding": "gzip"})

    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "unsupported_media_type")


async def test_the_content_type_does_not_matter(edge: Edge) -> None:
    """Curl without -H sends a form type; the body is JSON all the same."""
    answer = await edge.client.post(
        CHAT, content=json.dumps(chat()), headers={"content-type": "application/x-www-form-urlencoded"}
    )

    assert answer.status_code == 200


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "TRACE", "OPTIONS"])
async def test_other_methods_are_not_allowed(edge: Edge, method: str) -> None:
    """405 with Allow."""
    answer = await edge.client.request(method, CHAT)

    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert answer.json()["error"]["code"] == "method_not_allowed"


async def test_unknown_paths_are_not_found(edge: Edge) -> None:
    """404 in our form, with a request id."""
    answer = await edge.client.get("/v1/nothing")

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
    assert answer.headers["x-request-id"] == answer.json()["error"]["details"]["request_id"]


RAW: list[tuple[str, bytes, bytes]] = [
    ("not HTTP", b"hello\r\n\r\n", b"400"),
    ("headers too large", b"GET /health HTTP/1.1\r\nhost: a\r\nx: " + b"a" * 20_000 + b"\r\n\r\n", b"431"),
    ("path too long", b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nhost: a\r\n\r\n", b"431"),
    (
        "length and chunks",
        b"POST /v1/embeddings HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"400",
    ),
    (
        "two lengths",
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        b"400",
    ),
    ("a bad length", b"POST /v1/embeddings HTTP/1.1\r\nhost: a\r\ncontent-length: -5\r\n\r\n", b"400"),
]


@pytest.mark.parametrize(("request_bytes", "status"), [row[1:] for row in RAW], ids=[row[0] for row in RAW])
async def test_what_is_not_proper_http_gets_a_json_refusal(edge: Edge, request_bytes: bytes, status: bytes) -> None:
    """Even the parser's own refusals have our body, and the connection ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.gateway.port)

    writer.write(request_bytes)
    answer = await reader.read()
    writer.close()

    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 " + status), answer
    assert b"application/json" in head
    assert json.loads(body)["error"]["code"] == "invalid_request"


async def test_bad_queries_are_400(edge: Edge) -> None:
    """FastAPI's 422 never shows."""
    answer = await edge.client.get("/v1/generation")

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "id")


async def test_nothing_is_charged_for_bad_input(edge: Edge) -> None:
    """A refused body takes nothing from the limits."""
    await edge.client.post(CHAT, json=chat(n=0))

    answer = await edge.client.post(CHAT, json=chat())

    assert answer.headers["x-ratelimit-remaining-requests"] == "9999"


async def test_a_key_in_the_wrong_header_is_no_key(edge: Edge) -> None:
    """Only Authorization: Bearer counts."""
    async with httpx.AsyncClient(base_url=edge.client.base_url) as stranger:
        answer = await stranger.post(CHAT, json=chat(), headers={"x-api-key": KEY})

    assert answer.status_code == 401
