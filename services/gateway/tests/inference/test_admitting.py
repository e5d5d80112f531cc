"""A request that a budget has no room for waits a moment while others of the budget run, and never in vain."""

from __future__ import annotations

import asyncio
import json
import random
from datetime import UTC, datetime
from typing import Any

import httpx
import redis.asyncio
from prometheus_client import REGISTRY
from razvilka.auth.v1 import auth_pb2
from structlog.testing import capture_logs

from servicekit.testing import FakeClock
from services.gateway.admission.settlements import MOST_WAITING, Settlements
from services.gateway.settings import AdmissionSettings
from services.gateway.tests.admission_kit import leftovers
from services.gateway.tests.backends import KEY, Backends, caller
from services.gateway.tests.conftest import Edge, StartGateway

CHAT = "/v1/chat/completions"
WORDS = "Скажи привет"
# What one of these requests holds: its input and ten tokens of output, in micro-roubles.
HOLD = (len(WORDS) + 16 + 8) * 200 + 10 * 400
LONG = AdmissionSettings(budget_wait_s=30.0)


def body(**changes: Any) -> dict[str, Any]:
    return {"model": "yandexgpt", "messages": [{"role": "user", "content": WORDS}], "max_tokens": 10, **changes}


def with_left(micro_rub: int) -> auth_pb2.Caller:
    """Return a caller with a budget of which 1,250,000 micro-roubles are spent."""
    day = auth_pb2.BUDGET_PERIOD_DAY
    return caller(budgets=[auth_pb2.Budget(subject="user:user-1", period=day, limit_micro_rub=1_250_000 + micro_rub)])


def waits(outcome: str) -> float:
    return REGISTRY.get_sample_value("razvilka_gateway_budget_waits_total", {"outcome": outcome}) or 0.0


async def one_running(edge: Edge, backends: Backends) -> asyncio.Task[httpx.Response]:
    """Return a request that the router holds back."""
    backends.router.hold, backends.router.hold_at = asyncio.Event(), 0
    running = asyncio.create_task(edge.client.post(CHAT, json=body()))
    await backends.router.entered.wait()
    return running


async def until_waiting(count: int = 1) -> None:
    async with asyncio.timeout(20):
        while REGISTRY.get_sample_value("razvilka_gateway_budget_waiting") != count:
            await asyncio.sleep(0.001)


async def test_a_request_waits_for_what_another_holds_and_does_not_use(
    start_gateway: StartGateway, backends: Backends
) -> None:
    """Sixteen callers side by side were refused six times of ten while most of their budget was left."""
    edge = await start_gateway(admission=LONG)
    backends.auth.callers[KEY] = with_left(2 * HOLD - 1)
    before, running = waits("admitted"), await one_running(edge, backends)

    waiting = asyncio.create_task(edge.client.post(CHAT, json=body()))
    await until_waiting()
    assert backends.router.hold is not None
    backends.router.hold.set()

    assert [(await each).status_code for each in (running, waiting)] == [200, 200]
    assert waits("admitted") == before + 1


async def test_a_request_that_waited_is_told_resets_from_when_it_was_admitted(
    start_gateway: StartGateway, backends: Backends
) -> None:
    """`X-RateLimit-Reset` was of before the wait, so it had passed when it was told."""
    clock = FakeClock(datetime.now(UTC))
    edge = await start_gateway(admission=LONG, clock=clock)
    backends.auth.callers[KEY] = with_left(2 * HOLD - 1)
    running = await one_running(edge, backends)

    waiting = asyncio.create_task(edge.client.post(CHAT, json=body()))
    await until_waiting()
    clock.jump(2)
    assert backends.router.hold is not None
    backends.router.hold.set()
    answer = await waiting

    assert ((await running).status_code, answer.status_code) == (200, 200)
    assert int(answer.headers["x-ratelimit-reset"]) >= clock.now().timestamp()


async def test_a_request_waits_for_other_gateways_too(start_gateway: StartGateway, backends: Backends) -> None:
    """Nobody tells it of their settlements: it asks again now and then."""
    here, there = await start_gateway(admission=LONG), await start_gateway(admission=LONG)
    backends.auth.callers[KEY] = with_left(2 * HOLD - 1)
    running = await one_running(there, backends)

    waiting = asyncio.create_task(here.client.post(CHAT, json=body()))
    await until_waiting()
    assert backends.router.hold is not None
    backends.router.hold.set()

    assert [(await each).status_code for each in (running, waiting)] == [200, 200]


async def test_who_hangs_up_while_waiting_asks_and_pays_nothing(
    start_gateway: StartGateway, backends: Backends, redis_client: redis.asyncio.Redis
) -> None:
    """Room that comes later is not theirs: the whole answer was made, and billed, for nobody."""
    edge = await start_gateway(admission=LONG)
    backends.auth.callers[KEY] = with_left(2 * HOLD - 1)
    running = await one_running(edge, backends)
    assert backends.router.hold is not None

    with capture_logs() as said:
        await hang_up_while_waiting(edge)
        backends.router.hold.set()
        async with asyncio.timeout(20):
            while sum(entry["event"] == "http.request" for entry in said) < 2:
                await asyncio.sleep(0.001)

    assert (await running).status_code == 200
    assert sorted(entry["status"] for entry in said if entry["event"] == "http.request") == [200, 499]
    assert len(backends.router.prompts) == 1
    assert await leftovers(redis_client) == []


async def hang_up_while_waiting(edge: Edge) -> None:
    """Ask, leave when the request waits for room, and return when the gateway has noticed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.gateway.port)
    content = json.dumps(body()).encode()
    head = f"POST {CHAT} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {KEY}\r\ncontent-length: {len(content)}\r\n\r\n"
    writer.write(head.encode() + content)
    await until_waiting()
    writer.write_eof()
    async with asyncio.timeout(20):
        assert await reader.read() == b""
    writer.close()


async def test_a_request_that_nothing_makes_room_for_is_refused_at_once(
    start_gateway: StartGateway, backends: Backends
) -> None:
    """Neither when nothing runs, nor when all that runs together would not leave enough."""
    edge = await start_gateway(admission=LONG)
    before = waits("admitted"), waits("refused")
    backends.auth.callers[KEY] = with_left(2 * HOLD - 1)
    alone = await edge.client.post(CHAT, json=body(max_tokens=1000))
    running = await one_running(edge, backends)
    too_long = await edge.client.post(CHAT, json=body(max_tokens=1000))
    assert backends.router.hold is not None
    backends.router.hold.set()

    assert (alone.status_code, too_long.status_code) == (429, 429)
    assert (await running).status_code == 200
    assert (waits("admitted"), waits("refused")) == before


async def test_a_wait_ends(start_gateway: StartGateway, backends: Backends) -> None:
    """Then the refusal is what it would have been."""
    edge = await start_gateway(admission=AdmissionSettings(budget_wait_s=0.05))
    backends.auth.callers[KEY] = with_left(2 * HOLD - 1)
    before, running = waits("refused"), await one_running(edge, backends)

    refused = await edge.client.post(CHAT, json=body())
    assert backends.router.hold is not None
    backends.router.hold.set()

    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "budget_exceeded")
    assert waits("refused") == before + 1
    assert (await running).status_code == 200


async def test_no_more_wait_than_may() -> None:
    """Each asks Redis again after every settlement: the rest is told at once that there is no room."""
    settlements = Settlements(random.Random(1))
    waiting = [asyncio.create_task(settlements.next("user-1", 30.0)) for _ in range(MOST_WAITING)]
    await until_waiting(MOST_WAITING)

    assert not await settlements.next("user-1", 30.0)

    settlements.told("user-1")
    assert all(await asyncio.gather(*waiting))
