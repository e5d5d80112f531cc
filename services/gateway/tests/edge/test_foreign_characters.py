"""Whatever bytes a header or a path brings along, the request is answered, never failed."""

from __future__ import annotations

import pytest

from services.gateway.edge.errors.path_hints import NOTHING
from services.gateway.tests.conftest import Edge

TRACE = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
ASKED = {"model": "yandexgpt", "messages": [{"role": "user", "content": "Привет!"}]}


@pytest.mark.parametrize("state", ["продавец=1".encode(), b"vendor=\xe9", b"vendor=a\tb"])
async def test_a_tracestate_that_is_none_is_left_out(edge: Edge, state: bytes) -> None:
    """It would go on as metadata, which has printable ASCII only: the trace goes on without it."""
    headers = [(b"traceparent", TRACE), (b"tracestate", state)]

    answer = await edge.client.post("/v1/chat/completions", json=ASKED, headers=headers)

    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/files/file-" + "%00" * 24),
        ("DELETE", "/v1/files/file-" + "a" * 23 + "%00"),
        ("GET", "/v1/batches/batch_%00"),
        ("POST", "/v1/batches/batch_%00/cancel"),
    ],
)
async def test_nothing_is_called_by_a_nul(edge: Edge, method: str, path: str) -> None:
    """No store is asked: PostgreSQL would fail at it."""
    answer = await edge.client.request(method, path)

    assert (answer.status_code, answer.json()["error"]["message"]) == (404, NOTHING), answer.text
