"""Three whole routers at the providers' real quotas: nobody is refused, by us or by the provider."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY
from razvilka.router.v1 import router_pb2 as pb

from emulator.testing import RunningEmulator
from servicekit.errors import ErrorReason, ServiceError, Unavailable
from servicekit.multiplex import MultiplexClient
from services.router.slots.settings import SlotSettings
from services.router.tests.adapters import LONG_S, yandex_settings
from services.router.tests.running_router import CONTEXT, Stub, complete, prompt, router, stream
from tools.queue.figures import Asked, fairness
from tools.queue.load import Scenario, run
from tools.testing.redis_clients import redis_settings

EQUAL = [10] * 20


@asynccontextmanager
async def three(emulator: RunningEmulator, redis_url: str, **settings: Any) -> AsyncIterator[list[MultiplexClient]]:
    shared = redis_settings(redis_url)
    async with AsyncExitStack() as opened:
        stubs = [await opened.enter_async_context(router(emulator, redis=shared, **settings)) for _ in range(3)]
        yield [stub.calls for stub in stubs]


async def refused_by_provider(emulator: RunningEmulator) -> int:
    return sum(entry["status"] == 429 for entry in await emulator.control.ground_truth())


def check(calls: list[Asked], slots: int) -> None:
    """Whose turn it is say the properties of the queue: here one loop plays routers and callers, and may be late."""
    assert fairness(calls, slots).refused == 0


@pytest.mark.parametrize("callers", [EQUAL, [105] + [5] * 19], ids=["equal", "greedy"])
async def test_two_hundred_callers_share_ten_slots(
    emulator: RunningEmulator, redis_url: str, callers: list[int]
) -> None:
    """Of twenty users, streamed and whole; the provider counts no refusal."""
    async with three(emulator, redis_url) as routers:
        calls = await run(routers, Scenario("", callers, "yandexgpt-5.1", latency_ms=20))
    check(calls, 10)
    assert await refused_by_provider(emulator) == 0


async def test_forty_callers_share_the_one_stream_of_a_person_s_key(emulator: RunningEmulator, redis_url: str) -> None:
    """GigaChat gives a private person one answer at a time."""
    async with three(emulator, redis_url) as routers:
        calls = await run(routers, Scenario("", [2] * 20, "gigachat", latency_ms=5))
    check(calls, 1)
    assert await refused_by_provider(emulator) == 0


async def test_texts_of_three_routers_are_embedded_within_one_quota(emulator: RunningEmulator, redis_url: str) -> None:
    """Ten a second for all of them, not for each: then all would be sent at once, and all above ten refused."""
    async with three(emulator, redis_url) as routers:
        calls = await run(routers, Scenario("", [3] * 8, ""))
    check(calls, 10)
    # On a slow machine what was let go in one second reaches the provider in another, and is asked again.
    assert await refused_by_provider(emulator) < 24 - 10


async def test_two_choices_with_one_stream_are_asked_one_after_the_other(
    emulator: RunningEmulator, redis_url: str
) -> None:
    """Streamed and whole: two calls at once would be refused."""
    async with router(emulator, redis=redis_settings(redis_url)) as stub:
        whole = await complete(stub, prompt("gigachat", n=2))
        parts = await stream(stub, prompt("gigachat", n=2))
    assert len(whole.choices) == 2
    assert {delta.choice_index for part in parts for delta in part.deltas} == {0, 1}
    assert await refused_by_provider(emulator) == 0


async def test_calls_are_spread_over_all_folders(emulator: RunningEmulator, redis_url: str, tmp_path: Path) -> None:
    """Two folders with one generation each answer two callers at once, and none is refused."""
    await emulator.control.add_credential("yandex_api_key", key="AQVN-second", folder="b1gsecond")
    await emulator.control.set_limits(yandex_max_sessions=1)
    (tmp_path / "more.yaml").write_text("- {api_key: AQVN-second, folder_id: b1gsecond, concurrency: 1}\n")
    settings = yandex_settings(emulator, concurrency=1, more_credentials_file=tmp_path / "more.yaml")
    async with three(emulator, redis_url, yandex=settings) as routers:
        calls = await run(routers, Scenario("", [2] * 5, "yandexgpt-5.1", latency_ms=5))
        texts = pb.EmbedRequest(model="text-search-doc", input=["a", "b"])
        for _ in range(2):
            await routers[0].unary("Embed", texts, deadline_s=LONG_S, context=CONTEXT)
    check(calls, 2)
    seen = await emulator.control.ground_truth()
    assert await refused_by_provider(emulator) == 0
    assert len({entry["credential_sha256"] for entry in seen if entry["operation"] == "chat"}) == 2


Way = Callable[[Stub, pb.Prompt], Any]


@pytest.mark.parametrize("fault", ["[[fault:status code=500]]", "[[fault:cut_mid_stream after=1]] [[gap:1]]", ""])
@pytest.mark.parametrize("ask", [complete, stream])
async def test_a_slot_comes_back_however_its_call_ended(
    emulator: RunningEmulator, redis_url: str, ask: Way, fault: str
) -> None:
    """Failed, broken off, or whole: the next caller finds the one slot free."""
    slots = SlotSettings(rest_s=0.0)
    async with router(emulator, redis=redis_settings(redis_url), slots=slots) as stub:
        await asyncio.gather(ask(stub, prompt("gigachat", f"{fault} [[chunks:4]]")), return_exceptions=True)
        await complete(stub, prompt("gigachat"), deadline_s=LONG_S)


async def test_a_slot_comes_back_when_its_caller_leaves(emulator: RunningEmulator, redis_url: str) -> None:
    """In the middle of a stream, and while the answer is waited for."""
    async with router(emulator, redis=redis_settings(redis_url)) as stub:
        async for _ in stub.calls.stream(
            "Stream", prompt("gigachat", "[[chunks:50]] [[gap:200]]"), deadline_s=LONG_S, context=CONTEXT
        ):
            break
        waiting = asyncio.create_task(complete(stub, prompt("gigachat", "[[latency:60000]]"), deadline_s=90))
        while len(await emulator.control.ground_truth(operation="chat")) < 2:
            await asyncio.sleep(0.02)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

        await complete(stub, prompt("gigachat"), deadline_s=LONG_S)
    assert await refused_by_provider(emulator) == 0


@asynccontextmanager
async def full_line(emulator: RunningEmulator, redis_url: str) -> AsyncIterator[Stub]:
    """Yield a router whose one stream of GigaChat is in use, and whose line for it has no place left for `u`."""
    shared, slots = redis_settings(redis_url), SlotSettings(places=1)
    async with router(emulator, redis=shared, slots=slots) as stub:
        held = prompt("gigachat", "[[latency:60000]]", tenant="u")
        callers = [asyncio.create_task(complete(stub, held, deadline_s=90))]
        while not await emulator.control.ground_truth(operation="chat"):
            await asyncio.sleep(0.02)
        callers.append(asyncio.create_task(complete(stub, held, deadline_s=90)))
        while REGISTRY.get_sample_value("razvilka_router_queue_waiting", {"line": "gigachat"}) != 1:
            await asyncio.sleep(0.02)
        yield stub
        for caller in callers:
            caller.cancel()
        await asyncio.gather(*callers, return_exceptions=True)


async def test_a_refusal_of_the_line_says_when_to_come_again(emulator: RunningEmulator, redis_url: str) -> None:
    """What was tried stands in it too, and nothing is held against the provider, which was not asked."""
    async with full_line(emulator, redis_url) as stub:
        with pytest.raises(Unavailable) as caught:
            await complete(stub, prompt("gigachat-max", tenant="u", alone=True), deadline_s=60)
        status = await stub.rpcs.GetProviderStatus(pb.GetProviderStatusRequest())
    error = caught.value
    assert error.reason is ErrorReason.PROVIDER_RATE_LIMITED
    assert error.details["limit"] == "queue"
    assert "PROVIDER_RATE_LIMITED" in error.details["attempts"]
    assert error.retry_after_s == 1.0
    assert [each for each in status.models if each.error_rate] == []


async def test_a_request_goes_on_to_another_provider_when_the_line_has_no_place(
    emulator: RunningEmulator, redis_url: str
) -> None:
    """It is tried as any other model that cannot be had now."""
    async with full_line(emulator, redis_url) as stub:
        asked = prompt("gigachat", candidates=["gigachat", "yandexgpt-5.1"], tenant="u")
        answer = await complete(stub, asked, deadline_s=60)
    assert answer.route.provider == "yandexgpt"
    assert [attempt.reason for attempt in answer.end.attempts] == ["PROVIDER_RATE_LIMITED", ""]


async def test_a_call_that_fails_after_its_wait_says_how_long_that_was(
    emulator: RunningEmulator, redis_url: str
) -> None:
    """Its caller's row tells the wait from the provider's time, of failures too."""
    async with router(emulator, redis=redis_settings(redis_url)) as stub:
        holds = asyncio.create_task(complete(stub, prompt("gigachat", "[[latency:60000]]"), deadline_s=90))
        while not await emulator.control.ground_truth(operation="chat"):
            await asyncio.sleep(0.02)
        waits = asyncio.create_task(complete(stub, prompt("gigachat", alone=True), deadline_s=90))
        while REGISTRY.get_sample_value("razvilka_router_queue_waiting", {"line": "gigachat"}) != 1:
            await asyncio.sleep(0.02)
        await emulator.control.fail("status", operation="chat", times=-1, code=503)
        holds.cancel()

        with pytest.raises(ServiceError) as caught:
            await waits
        await asyncio.gather(holds, return_exceptions=True)

    assert int(caught.value.details["queued_ms"]) > 0
