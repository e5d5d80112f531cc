"""Orders with an idempotency key that were carried out are told as such."""

from __future__ import annotations

import asyncio
from pathlib import Path

from services.gateway.tests.backends import Backends
from services.gateway.tests.batch_backend import UPLOAD
from services.gateway.tests.conftest import running_edge
from tools.testing.throwaway import throwaway_redis

ORDER = {"endpoint": "/v1/chat/completions", "input_file_id": UPLOAD, "completion_window": "24h"}


async def test_an_order_that_was_carried_out_while_redis_went_away_is_answered(
    backends: Backends, tmp_path: Path
) -> None:
    """It was told as failed, so whoever tried again had two, and of a key's secret nobody heard."""
    batches = backends.router.batches
    batches.may_create = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        with throwaway_redis(tmp_path) as url:
            running = running_edge(backends.targets, url, tmp_path / "journal")
            edge = await running.__aenter__()
            headers = {"Idempotency-Key": "one"}
            ordering = tasks.create_task(edge.client.post("/v1/batches", json=ORDER, headers=headers))
            async with asyncio.timeout(60):
                await batches.is_creating.wait()
        batches.may_create.set()
    answer = ordering.result()
    await running.__aexit__(None, None, None)

    assert (answer.status_code, answer.json()["id"]) == (200, "batch_1")
