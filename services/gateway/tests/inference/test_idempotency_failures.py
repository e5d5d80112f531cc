"""What happens to an idempotency key when something goes wrong: what was billed is kept, what was not is forgotten."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio
from razvilka.auth.v1 import auth_pb2
from razvilka.usage.v1 import usage_pb2

from servicekit.errors import ErrorReason, InvalidRequest, ProviderFailed, Unavailable
from services.gateway.edge.cancellation import SHUTDOWN
from services.gateway.settings import IdempotencySettings, StreamSettings
from services.gateway.tests.admission_kit import leftovers
from services.gateway.tests.backends import Backends, caller
from services.gateway.tests.conftest import Edge, StartGateway, running_edge
from services.gateway.tests.inference.idempotent_calls import (
    CALLS,
    CHAT,
    HELLO,
    RECORDS,
    is_replay,
    keyed,
    only_record,
    post,
)
from tools.testing.redis_clients import redis_settings
from tools.testing.throwaway import throwaway_redis

STREAM: dict[str, Any] = CALLS["a stream"][1]


async def test_what_was_refused_before_anything_was_made_is_forgotten(
    edge: Edge, backends: Backends, redis_client: redis.asyncio.Redis
) -> None:
    """A wrong field, a limit, a refusal by the router: the key is as good as new, for another body too."""
    wrong = await post(edge.client, {**HELLO, "model": "nobody"})
    backends.auth.callers["rz_live_poor"] = caller(
        user_id="user-2", user_limits=auth_pb2.Limits(requests_per_minute=1, requests_per_day=1)
    )
    backends.router.failure = InvalidRequest(ErrorReason.INVALID_PARAMETERS, "No.", param="temperature")
    refused = await post(edge.client, {**HELLO, "temperature": 1})
    backends.router.failure = None
    poor = {"Authorization": "Bearer rz_live_poor"}
    await edge.client.post(CHAT, json=HELLO, headers=poor)
    limited = await edge.client.post(CHAT, json=HELLO, headers={**poor, **keyed()})

    assert [each.status_code for each in (wrong, refused, limited)] == [404, 400, 429]
    assert [name async for name in redis_client.scan_iter(RECORDS)] == []
    answered = await post(edge.client)
    assert (answered.status_code, is_replay(answered)) == (200, False)


@pytest.mark.parametrize("body", [HELLO, STREAM], ids=["plain", "stream"])
async def test_a_failure_that_cost_nothing_is_forgotten(edge: Edge, backends: Backends, body: dict[str, Any]) -> None:
    """The provider was down: the retry asks again, and is the one that is billed."""
    backends.router.failure = Unavailable(ErrorReason.PROVIDER_UNAVAILABLE, "The provider is down.")
    failed = await post(edge.client, body)
    backends.router.failure = None

    answered = await post(edge.client, body)

    assert (failed.status_code, answered.status_code, is_replay(answered)) == (503, 200, False)
    rows = [await backends.usage.row(answer.headers["x-request-id"]) for answer in (failed, answered)]
    assert rows[0].cost_micro_rub == 0 < rows[1].cost_micro_rub


async def test_a_failure_that_was_billed_is_kept(edge: Edge, backends: Backends) -> None:
    """A stream broke off after words were delivered: the retry hears the same words, and of the same break."""
    backends.router.failure, backends.router.fail_at = ProviderFailed(ErrorReason.PROVIDER_ERROR, "broke off"), 2
    broken = await post(edge.client, STREAM)
    backends.router.failure = None

    again = await post(edge.client, STREAM)

    assert (again.status_code, is_replay(again)) == (200, True)
    assert again.content == broken.content
    assert "event: error" in again.text
    row = await backends.usage.row()
    assert row.status == usage_pb2.STATUS_FAILED
    assert f'"cost_rub":"{row.cost_micro_rub / 1e6:f}"' in again.text
    assert len(backends.router.prompts) == 1


async def test_a_whole_answer_of_which_a_part_failed_is_kept_with_its_status(edge: Edge, backends: Backends) -> None:
    """The first of two prompts was answered and is billed; the error is given again, and no client should insist."""
    backends.router.failure = Unavailable(ErrorReason.PROVIDER_UNAVAILABLE, "The provider is down.")
    backends.router.fail_from_call = 2
    body = {"model": "yandexgpt", "prompt": ["раз", "два"]}
    broken = await post(edge.client, body, path="/v1/completions")

    again = await post(edge.client, body, path="/v1/completions")

    assert (broken.status_code, again.status_code, is_replay(again)) == (503, 503, True)
    assert again.content == broken.content
    assert again.headers["x-should-retry"] == "false"
    cost = (await backends.usage.row()).cost_micro_rub
    assert cost > 0
    assert again.headers.get_list("x-razvilka-cost-micro-rub") == [str(cost)]
    assert len(backends.router.prompts) == 2


@pytest.mark.parametrize("model", ["yandexgpt", "gigachat-pro"], ids=["cancels", "drains"])
async def test_an_answer_whose_caller_left_is_made_to_its_end(edge: Edge, backends: Backends, model: str) -> None:
    """Whatever the provider bills when it is cut: the retry is to get the whole answer, once billed."""
    backends.router.hold, backends.router.hold_at = asyncio.Event(), 2
    body = {**STREAM, "model": model}
    async with edge.client.stream("POST", CHAT, json=body, headers=keyed()) as answer:
        async for line in answer.aiter_lines():
            if "вет" in line:
                break

    backends.router.hold.set()
    again = await post(edge.client, body)

    assert is_replay(again)
    assert again.text.endswith("data: [DONE]\n\n")
    row = await backends.usage.row()
    assert (row.status, row.source) == (usage_pb2.STATUS_COMPLETED, usage_pb2.SOURCE_PROVIDER)
    assert not backends.router.was_cancelled


async def test_a_caller_that_does_not_read_holds_its_own_answer_up_for_no_longer_than_its_time(
    start_gateway: StartGateway, backends: Backends
) -> None:
    """It is cut like everybody; the answer goes on and is kept."""
    edge = await start_gateway(stream=StreamSettings(write_s=0.2), idempotency=IdempotencySettings(most_kb=50_000))
    backends.router.chunks = ["x" * 100_000] * 200
    request = edge.client.build_request("POST", CHAT, json=STREAM, headers=keyed())
    still = await edge.client.send(request, stream=True)

    row = await backends.usage.row()
    again = await post(edge.client, STREAM)

    await still.aclose()
    assert row.status == usage_pb2.STATUS_COMPLETED
    assert again.text.count("x" * 100_000) == 200
    assert len(backends.router.prompts) == 1


async def test_whoever_waits_and_leaves_ends_nothing(edge: Edge, backends: Backends) -> None:
    """Nor does a stop of the gateway keep it waiting."""
    backends.router.hold, backends.router.hold_at = asyncio.Event(), 0
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(post(edge.client))
        await backends.router.entered.wait()
        leaving = asyncio.create_task(post(edge.client))
        staying = tasks.create_task(post(edge.client))
        # The call itself and the two that wait for it.
        await until(lambda: len(edge.gateway.cancellations) == 3)
        leaving.cancel()
        await until(lambda: len(edge.gateway.cancellations) == 2)
        backends.router.hold.set()

    assert (first.result().status_code, is_replay(staying.result())) == (200, True)
    assert len(backends.router.prompts) == 1


async def until(is_so: Any) -> None:
    """Return when it is so."""
    async with asyncio.timeout(20):
        while not is_so():
            await asyncio.sleep(0.01)


async def test_whoever_waits_beyond_its_deadline_is_told_to_come_again(
    start_gateway: StartGateway, backends: Backends
) -> None:
    """The answer is not ready, nothing is wrong with the key."""
    slow = await start_gateway()
    edge = await start_gateway(request_timeout_s=0.2)
    backends.router.hold, backends.router.hold_at = asyncio.Event(), 0
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(post(slow.client))
        await backends.router.entered.wait()
        late = await post(edge.client)
        backends.router.hold.set()

    assert (late.status_code, late.json()["error"]["code"]) == (409, "idempotency_in_progress")
    assert late.headers["retry-after"] == "1"
    assert "x-should-retry" not in late.headers
    assert first.result().status_code == 200


@pytest.mark.parametrize("body", [HELLO, STREAM], ids=["plain", "stream"])
async def test_what_a_stopping_gateway_cuts_is_not_billed_and_may_be_asked_again(
    edge: Edge, backends: Backends, redis_client: redis.asyncio.Redis, body: dict[str, Any]
) -> None:
    """The row says what was used and why it costs nothing; the retry is the one bill of the key."""
    backends.router.hold, backends.router.hold_at = asyncio.Event(), 2
    async with asyncio.TaskGroup() as tasks:
        cut = tasks.create_task(post(edge.client, body))
        await backends.router.entered.wait()
        assert edge.gateway.cancellations.end_all(SHUTDOWN) == 1
    backends.router.hold = None
    request_id = cut.result().headers["x-request-id"]

    answered = await post(edge.client, body)

    row = await backends.usage.row(request_id)
    explained = (await edge.client.get(f"/v1/requests/{request_id}")).json()
    assert (explained["cost_rub"], explained["price"], explained["flags"]) == ("0.000000", None, ["not_kept"])
    assert (row.status, row.error_code, row.flags) == (usage_pb2.STATUS_INTERRUPTED, "shutdown", "not_kept")
    assert (row.cost_micro_rub, row.tokens_input > 0) == (0, True)
    assert (answered.status_code, is_replay(answered)) == (200, False)
    assert (await backends.usage.row(answered.headers["x-request-id"])).cost_micro_rub > 0
    assert await leftovers(redis_client) == []


@pytest.mark.parametrize("body", [HELLO, STREAM], ids=["plain", "stream"])
async def test_a_gateway_that_was_believed_dead_bills_nothing_for_a_key_that_was_taken_over(
    start_gateway: StartGateway, backends: Backends, redis_client: redis.asyncio.Redis, body: dict[str, Any]
) -> None:
    """Of two gateways with one key only one can keep its answer, so only one can bill it."""
    frozen, other = [await start_gateway(idempotency=IdempotencySettings(lease_s=600)) for _ in range(2)]
    hold = backends.router.hold = asyncio.Event()
    backends.router.hold_at = 2
    async with asyncio.TaskGroup() as tasks:
        late = tasks.create_task(post(frozen.client, body))
        await backends.router.entered.wait()
        backends.router.hold = None
        await redis_client.hset(await only_record(redis_client), "until", "0")
        taken = await post(other.client, body)
        hold.set()

    assert (taken.status_code, is_replay(taken)) == (200, False)
    assert "idempotency_in_progress" in late.result().text
    row = await backends.usage.row(late.result().headers["x-request-id"])
    assert (row.cost_micro_rub, row.flags, row.error_code) == (0, "not_kept", "idempotency_in_progress")
    assert (await backends.usage.row(taken.headers["x-request-id"])).cost_micro_rub > 0
    assert (await post(frozen.client, body)).content == taken.content


async def test_a_record_that_redis_lost_is_written_anew(
    edge: Edge, backends: Backends, redis_client: redis.asyncio.Redis
) -> None:
    """Flushed while the request ran: nobody else has the key, so its answer is kept and billed."""
    backends.router.hold, backends.router.hold_at = asyncio.Event(), 0
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(post(edge.client))
        await backends.router.entered.wait()
        await redis_client.delete(await only_record(redis_client))
        backends.router.hold.set()

    assert (await post(edge.client)).content == first.result().content
    assert (await backends.usage.row()).cost_micro_rub > 0


async def test_without_redis_only_requests_with_a_key_are_refused(backends: Backends, tmp_path: Path) -> None:
    """Nobody can tell whether they were answered before; the promise is one bill."""
    with throwaway_redis(tmp_path) as url:
        running = running_edge(backends.targets, url, tmp_path / "journal")
        edge = await running.__aenter__()
        assert (await edge.client.post(CHAT, json=HELLO)).status_code == 200
    refused = await post(edge.client)
    plain = await edge.client.post(CHAT, json=HELLO)
    await running.__aexit__(None, None, None)

    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "cache_error")
    assert refused.headers["retry-after"] == "1"
    assert plain.status_code == 200
    assert len(backends.router.prompts) == 2


async def test_an_answer_that_cannot_be_kept_is_not_billed(backends: Backends, tmp_path: Path) -> None:
    """Redis left while it was made: the caller gets an error, may try again, and has paid nothing."""
    backends.router.hold, backends.router.hold_at = asyncio.Event(), 0
    async with asyncio.TaskGroup() as tasks:
        with throwaway_redis(tmp_path) as url:
            running = running_edge(backends.targets, url, tmp_path / "journal")
            edge = await running.__aenter__()
            asking = tasks.create_task(post(edge.client))
            await backends.router.entered.wait()
        backends.router.hold.set()
    failed = asking.result()
    row = await backends.usage.row(failed.headers["x-request-id"])
    await running.__aexit__(None, None, None)

    assert (failed.status_code, failed.json()["error"]["code"]) == (503, "cache_error")
    assert failed.headers.get_list("x-razvilka-cost-micro-rub") == ["0"]
    assert (row.cost_micro_rub, row.flags, row.tokens_output) == (0, "not_kept", 3)
    assert (row.status, row.http_status, row.error_code) == (usage_pb2.STATUS_FAILED, 503, "cache_error")


async def test_redis_that_stalls_for_a_moment_refuses_no_request(
    start_gateway: StartGateway, redis_url: str, redis_client: redis.asyncio.Redis
) -> None:
    """Admission goes on without it after 100 ms; a key cannot, so it waits."""
    edge = await start_gateway(redis=redis_settings(redis_url, timeout_ms=100))
    await redis_client.client_pause(700)

    answer = await post(edge.client, HELLO)

    assert answer.status_code == 200, answer.text
