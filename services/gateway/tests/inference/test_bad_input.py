"""Bad requests get a 4xx whose message names the field; never a 5xx, never FastAPI's 422."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from services.gateway.settings import LimitSettings
from services.gateway.tests.backends import KEY, Backends, running_backends
from services.gateway.tests.conftest import Edge, StartGateway, running_edge, visitor
from services.gateway.tests.inference.bad_bodies import CHAT, WRONG, chat


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
    async with visitor(edge) as stranger:
        answer = await stranger.post(CHAT, json=chat(), headers={"x-api-key": KEY})

    assert answer.status_code == 401


async def test_a_wrong_method_is_told_all_that_are_right(edge: Edge) -> None:
    """Several routes may share a path: Allow names the methods of all of them."""
    answer = await edge.client.put("/v1/keys")

    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, POST")
