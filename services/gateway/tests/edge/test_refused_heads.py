"""What the server refuses before, or while, the application hears of it: in the log and the counters like all else."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from structlog.testing import capture_logs

from servicekit.testing.sampled import sampled
from services.gateway.tests.backends import KEY
from services.gateway.tests.conftest import Edge

CHUNKED = (
    f"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {KEY}\r\ntransfer-encoding: chunked\r\n"
)
HEADS = {
    "no Host": (b"GET /v1/models HTTP/1.1\r\n\r\n", 400),
    "a coding that nobody knows": (b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip, chunked\r\n\r\n", 501),
    "too long": (b"GET / HTTP/1.1\r\nhost: a\r\nx: " + b"x" * 200_000 + b"\r\n\r\n", 431),
}


async def refusal_of(edge: Edge, *parts: bytes) -> tuple[int, str, str]:
    """Send the parts, and return status, code and request id of the one answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.gateway.port)
    for part in parts:
        writer.write(part)
        await writer.drain()
        await asyncio.sleep(0.05)
    async with asyncio.timeout(60):
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    error = json.loads(body)["error"]
    assert f"x-request-id: {error['details']['request_id']}".encode() in head
    return int(head[9:12]), error["code"], error["details"]["request_id"]


def lines(said: list[Any]) -> list[tuple[str, int, str | None]]:
    """Return request id, status and error of each line of a request."""
    return [(each["request_id"], each["status"], each.get("error")) for each in said if each["event"] == "http.request"]


@pytest.mark.parametrize(("sent", "status"), HEADS.values(), ids=HEADS.keys())
async def test_a_head_that_is_refused_is_logged_and_counted(edge: Edge, sent: bytes, status: int) -> None:
    """Its caller has an id to complain with: every request leaves one line at the gateway."""
    labels = {"route": "unknown", "method": "unknown", "status": str(status)}
    before = sampled("razvilka_gateway_requests_total", **labels)
    errors = sampled("razvilka_gateway_errors_total", route="unknown", code="invalid_request")
    with capture_logs() as said:
        told, code, request_id = await refusal_of(edge, sent)

    assert (told, code) == (status, "invalid_request")
    assert lines(said) == [(request_id, status, "invalid_request")]
    assert sampled("razvilka_gateway_requests_total", **labels) == before + 1
    assert sampled("razvilka_gateway_errors_total", route="unknown", code="invalid_request") == errors + 1


@pytest.mark.parametrize("at_once", [True, False], ids=["with its head", "later"])
async def test_a_body_that_turns_out_to_be_none_is_one_request_with_one_id(edge: Edge, at_once: bool) -> None:
    """The line said 499 under one id, as if the caller had left, and the caller was told 400 under another."""
    head, chunk = f"{CHUNKED}\r\n".encode(), b"zz\r\n"
    with capture_logs() as said:
        told, code, request_id = await refusal_of(edge, *([head + chunk] if at_once else [head, chunk]))
        async with asyncio.timeout(60):
            while not lines(said):
                await asyncio.sleep(0.01)

    assert (told, code) == (400, "invalid_request")
    assert lines(said) == [(request_id, 400, "invalid_request")]
