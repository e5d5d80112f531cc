"""A paid call over HTTP: what it holds while it runs, and that the hold goes when it cannot begin or is ended."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
import redis.asyncio
from razvilka.usage.v1 import usage_pb2
from structlog.testing import capture_logs

from services.gateway.admission.keys import details_key
from services.gateway.admission.redis.holds import Holds
from services.gateway.admission.wire import read_hold
from services.gateway.edge.cancellation import SHUTDOWN
from services.gateway.tests.admission_kit import leftovers
from services.gateway.tests.backends import Backends
from services.gateway.tests.conftest import Edge
from services.gateway.tests.metering.test_journal import files_no_larger_than

CHAT, TEXT, EMBEDDINGS = "/v1/chat/completions", "/v1/completions", "/v1/embeddings"
IN, OUT = 200, 400  # micro-roubles a token
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 5000}}


def chat(content: Any = "Скажи привет", **changes: Any) -> dict[str, Any]:
    """Return a chat body: eight tokens in by our count, ten out at most."""
    return {
        "model": "yandexgpt",
        "messages": [{"role": "user", "content": content}],
        "max_tokens": 10,
        **changes,
    }


def text(prompt: str | list[str], **changes: Any) -> dict[str, Any]:
    """Return a body in the older form."""
    return {"model": "yandexgpt", "prompt": prompt, "max_tokens": 10, **changes}


EMBED: dict[str, Any] = {"model": "text-embeddings", "input": ["а", "б"]}
# Body, tokens in as expected, tokens out at most.
HELD: dict[str, tuple[str, dict[str, Any], int, int]] = {
    "a chat": (CHAT, chat(), 8, 10),
    "a stream": (CHAT, chat(stream=True), 8, 10),
    "three choices": (CHAT, chat(n=3), 8, 30),
    "no limit": (CHAT, chat(max_tokens=None), 8, 8192),
    "an attachment": (CHAT, chat([PICTURE]), 1004, 10),
    "a tool": (CHAT, chat(tools=[TOOL]), 4 + 12, 10),
    "a prompt": (TEXT, text("раз"), 5, 10),
    "a list of prompts": (TEXT, text(["раз", "два", "три"]), 15, 30),
    "a list of prompts with two choices each": (TEXT, text(["раз", "два"], n=2, stream=True), 10, 40),
    "embeddings": (EMBEDDINGS, EMBED, 9, 0),
}


@pytest.mark.parametrize(("path", "body", "tokens_in", "tokens_out"), HELD.values(), ids=HELD)
async def test_a_running_request_holds_the_most_that_it_can_cost(
    edge: Edge,
    backends: Backends,
    redis_client: redis.asyncio.Redis,
    path: str,
    body: dict[str, Any],
    tokens_in: int,
    tokens_out: int,
) -> None:
    """What Redis holds while the router works is the estimate at the frozen price."""
    backends.router.hold, backends.router.hold_at = asyncio.Event(), 0
    async with asyncio.TaskGroup() as tasks:
        answer = tasks.create_task(edge.client.post(path, json=body))
        await backends.router.entered.wait()

        (held,) = [hold async for hold in Holds(redis_client).all()]
        (kept,) = cast(Any, await redis_client.hmget(details_key(held.user_id), [held.request_id]))

        backends.router.hold.set()
    assert held.facts.input_tokens == tokens_in
    assert held.facts.output_bound == max(1, tokens_out)
    assert held.facts.input_bound > tokens_in
    assert read_hold(kept).hold == held.facts.hold_micro_rub == held.facts.input_bound * IN + tokens_out * OUT
    assert answer.result().status_code == 200
    assert await leftovers(redis_client) == []


async def test_a_full_journal_refuses_and_holds_nothing(
    edge: Edge, backends: Backends, redis_client: redis.asyncio.Redis
) -> None:
    """What cannot be accounted for may not pass, and must not eat the caller's budget and slots either."""
    with capture_logs(), files_no_larger_than(1):
        refused = await edge.client.post(CHAT, json=chat())

    assert refused.status_code == 503
    assert await leftovers(redis_client) == []
    assert backends.router.prompts == []
    assert (await edge.client.post(CHAT, json=chat())).status_code == 200


@pytest.mark.parametrize(
    ("path", "body"), [(CHAT, chat()), (TEXT, text("раз")), (EMBEDDINGS, EMBED)], ids=["chat", "text", "embeddings"]
)
async def test_a_stopping_process_ends_whole_answers_and_bills_their_input(
    edge: Edge, backends: Backends, redis_client: redis.asyncio.Redis, path: str, body: dict[str, Any]
) -> None:
    """The caller is told so and may try elsewhere; the provider has read the prompt."""
    backends.router.hold, backends.router.hold_at = asyncio.Event(), 0
    async with asyncio.TaskGroup() as tasks:
        answer = tasks.create_task(edge.client.post(path, json=body))
        await backends.router.entered.wait()

        assert edge.gateway.cancellations.end_all(SHUTDOWN) == 1

    assert answer.result().status_code == 503
    assert answer.result().headers["retry-after"] == "1"
    assert answer.result().json()["error"]["message"].startswith("This server is being restarted.")
    row = await backends.usage.row()
    assert (row.status, row.error_code, row.http_status) == (usage_pb2.STATUS_INTERRUPTED, "shutdown", 503)
    assert answer.result().json()["error"]["details"]["cost_rub"] == f"{row.cost_micro_rub / 1e6:f}"
    assert answer.result().headers["x-razvilka-cost-micro-rub"] == str(row.cost_micro_rub)
    assert row.tokens_input > 0
    assert row.tokens_output == 0
    assert await leftovers(redis_client) == []
