"""Whatever bytes a header or a path brings along, the request is answered, never failed."""

from __future__ import annotations

import pytest

from services.gateway.tests.conftest import Edge

TRACE = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
ASKED = {"model": "yandexgpt", "messages": [{"role": "user", "content": "Привет!"}]}


@pytest.mark.parametrize("state", ["продавец=1".encode(), b"vendor=\xe9", b"vendor=a\tb"])
async def test_a_tracestate_that_is_none_is_left_out(edge: Edge, state: bytes) -> None:
    """It would go on as metadata, which has printable ASCII only: the trace goes on without it."""
    headers = [(b"traceparent", TRACE), (b"tracestate", state)]

    answer = await edge.client.post("/v1/chat/completions", json=ASKED, headers=headers)

    assert answer.status_code == 200, answer.text
