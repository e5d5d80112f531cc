"""What becomes of answers under way when a gateway stops."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
from razvilka.usage.v1 import usage_pb2

from services.gateway.tests.backends import KEY, Backends
from services.gateway.tests.conftest import running_edge
from services.gateway.tests.inference.stream_calls import CHAT, body, line_with
from tools.testing.patience import PATIENT_S


def stranger() -> httpx.AsyncClient:
    """Return a client that outlives the gateway."""
    return httpx.AsyncClient(headers={"Authorization": f"Bearer {KEY}"}, timeout=PATIENT_S)


async def test_stopping_cuts_streams_with_an_error_event(backends: Backends, redis_url: str, tmp_path: Any) -> None:
    """At the end of the grace time a stream is told so, billed, and its row is shipped before the process ends."""
    backends.router.hold, backends.router.hold_at = asyncio.Event(), 2
    async with stranger() as client, asyncio.TaskGroup() as tasks:
        running = running_edge(backends.targets, redis_url, tmp_path / "journal", grace_s=10.2)
        edge = await running.__aenter__()
        client.base_url = edge.client.base_url
        async with client.stream("POST", CHAT, json=body()) as answer:
            lines = answer.aiter_lines()
            await line_with("вет", lines)

            stopping = tasks.create_task(running.__aexit__(None, None, None))
            text = "\n".join([line async for line in lines])
            await stopping

    assert "[DONE]" not in text
    error = json.loads(text.split("event: error\ndata: ")[1])["error"]
    assert error["code"] == "service_unavailable"
    (row,) = backends.usage.rows.values()
    assert (row.status, row.error_code) == (usage_pb2.STATUS_INTERRUPTED, "shutdown")
    assert row.tokens_output == 2


async def test_stopping_lets_answers_finish(backends: Backends, redis_url: str, tmp_path: Any) -> None:
    """An answer under way ends as if nothing happened."""
    backends.router.hold, backends.router.hold_at = asyncio.Event(), 2
    async with stranger() as client, asyncio.TaskGroup() as tasks:
        running = running_edge(backends.targets, redis_url, tmp_path / "journal", grace_s=20)
        edge = await running.__aenter__()
        client.base_url = edge.client.base_url
        answer = tasks.create_task(client.post(CHAT, json=body()))
        await backends.router.entered.wait()

        stopping = tasks.create_task(running.__aexit__(None, None, None))
        async with asyncio.timeout(PATIENT_S):
            while edge.gateway.readiness.is_ready:
                await asyncio.sleep(0.01)
        backends.router.hold.set()
        await stopping

    assert answer.result().text.endswith("data: [DONE]\n\n")
