"""One key, one bill: the same request with the same Idempotency-Key gets the same bytes and costs nothing more."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import openai
import pytest
import redis.asyncio
from razvilka.usage.v1 import usage_pb2

from services.gateway.settings import IdempotencySettings
from services.gateway.tests.backends import KEY, Backends, caller
from services.gateway.tests.conftest import Edge, StartGateway
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


def asked(backends: Backends) -> int:
    """Return how often a provider was asked."""
    return len(backends.router.prompts) + len(backends.router.embeds)


@pytest.mark.parametrize(("path", "body"), CALLS.values(), ids=CALLS)
async def test_the_same_request_with_the_same_key_gets_the_same_bytes(
    edge: Edge, backends: Backends, path: str, body: dict[str, Any]
) -> None:
    """Of every route, whole or as a stream: one call, one row; the replay says so and names the request it is of."""
    first = await post(edge.client, body, path=path)
    again = await post(edge.client, body, path=path)

    assert (first.status_code, is_replay(first)) == (200, False), first.text
    assert (again.status_code, is_replay(again)) == (200, True)
    assert again.content == first.content
    assert again.headers["content-type"] == first.headers["content-type"]
    assert again.headers["x-razvilka-model"] == first.headers["x-razvilka-model"]
    assert again.headers["x-razvilka-original-request-id"] == first.headers["x-request-id"]
    assert again.headers["x-request-id"] != first.headers["x-request-id"]
    assert "x-ratelimit-remaining" not in again.headers
    assert asked(backends) == 1
    row = await backends.usage.row()
    assert (row.request_id, row.status) == (first.headers["x-request-id"], usage_pb2.STATUS_COMPLETED)
    assert row.cost_micro_rub > 0
    assert row.flags == ""


@pytest.mark.parametrize(("path", "body"), CALLS.values(), ids=CALLS)
async def test_a_replay_says_nothing_twice(edge: Edge, path: str, body: dict[str, Any]) -> None:
    """Its id is its own, in Anthropic's header too: the client of the Messages API read both as one id."""
    first = await post(edge.client, body, path=path)
    again = await post(edge.client, body, path=path)

    names = [name for name, _ in again.headers.multi_items()]
    assert sorted(set(names)) == sorted(names)
    assert {*first.headers} - {*again.headers} <= {name for name in first.headers if "ratelimit" in name}
    if path == "/v1/messages":
        assert again.headers["request-id"] == again.headers["x-request-id"]


async def test_many_at_once_over_two_gateways_are_one_call(
    start_gateway: StartGateway, backends: Backends, redis_client: redis.asyncio.Redis
) -> None:
    """Whoever comes while the first is answered waits for its answer, wherever it came in."""
    edges = [await start_gateway(), await start_gateway()]
    backends.router.hold, backends.router.hold_at = asyncio.Event(), 0
    body = CALLS["a stream"][1]
    async with asyncio.TaskGroup() as tasks:
        racing = [tasks.create_task(post(edges[number % 2].client, body)) for number in range(16)]
        await backends.router.entered.wait()
        assert [name async for name in redis_client.scan_iter(RECORDS)]
        backends.router.hold.set()
    answers = [task.result() for task in racing]

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert [is_replay(answer) for answer in answers].count(False) == 1
    assert asked(backends) == 1
    row = await backends.usage.row()
    assert {answer.headers.get("x-razvilka-original-request-id", row.request_id) for answer in answers} == {
        row.request_id
    }


async def test_a_key_is_of_one_body_and_one_route(edge: Edge, backends: Backends) -> None:
    """Anything else under the key is a fault of the caller's, and no client should try it again."""
    body = {**HELLO, "max_tokens": 10}
    await post(edge.client, body)

    others = [await post(edge.client, {**body, "max_tokens": 11}), await post(edge.client, body, path="/v1/messages")]

    for refused in others:
        assert refused.status_code == 409
        assert refused.json()["error"]["code"] == "idempotency_key_reused"
        assert refused.headers["x-should-retry"] == "false"
    assert asked(backends) == 1
    assert (await post(edge.client, {**body, "max_tokens": 11}, key="order-2")).status_code == 200


BAD_KEYS = {
    "empty": [b""],
    "too long": [b"k" * 256],
    "a control character": [b"a\tb"],
    "not ASCII": ["ключ".encode()],
    "twice": [b"order-1", b"order-1"],
}


@pytest.mark.parametrize("keys", BAD_KEYS.values(), ids=BAD_KEYS)
async def test_what_is_no_key_is_refused_by_name(edge: Edge, backends: Backends, keys: list[bytes]) -> None:
    """A caller who believes in a key that is not kept would pay twice."""
    refused = await edge.client.post(CHAT, json=HELLO, headers=[(b"Idempotency-Key", key) for key in keys])

    error = refused.json()["error"]
    assert (refused.status_code, error["code"], error["param"]) == (400, "invalid_request", "Idempotency-Key")
    assert "1 to 255" in error["message"]
    assert asked(backends) == 0


async def test_the_longest_key_is_one(edge: Edge) -> None:
    """255 characters, blanks and quotes among them."""
    key = ('"8e03978e-40d5 43e8"' + "~" * 255)[:255]

    await post(edge.client, key=key)

    assert is_replay(await post(edge.client, key=key))


async def test_a_key_belongs_to_the_account(edge: Edge, backends: Backends) -> None:
    """A key that was rotated finds what its predecessor began; another account, or an application, does not."""
    callers = backends.auth.callers
    callers["rz_live_successor"] = caller(key_id="key-2")
    callers["rz_live_stranger"] = caller(user_id="user-2", key_id="key-9")
    callers["rz_live_application"] = caller(key_id="", grant_id="grant-1", client_id="app-1")
    first = await post(edge.client)
    seen = {}
    for secret in (KEY, "rz_live_successor", "rz_live_stranger", "rz_live_application"):
        edge.client.headers["Authorization"] = f"Bearer {secret}"
        seen[secret] = await post(edge.client)

    assert [is_replay(answer) for answer in seen.values()] == [True, True, False, False]
    assert seen["rz_live_successor"].content == first.content
    assert asked(backends) == 3


async def test_without_a_key_every_request_is_its_own(
    edge: Edge, backends: Backends, redis_client: redis.asyncio.Redis
) -> None:
    """And nothing of it is kept."""
    answers = [await edge.client.post(CHAT, json=HELLO) for _ in range(2)]

    assert [is_replay(answer) for answer in answers] == [False, False]
    assert asked(backends) == 2
    assert [name async for name in redis_client.scan_iter(RECORDS)] == []


FREE: dict[str, dict[str, Any]] = {
    "/v1/messages/count_tokens": {**HELLO, "max_tokens": 10},
    "/v1/responses/input_tokens": {"model": "yandexgpt", "input": "Скажи привет"},
    "/v1/tokenize": {"model": "yandexgpt", "input": "Скажи привет"},
}


async def test_counting_tokens_takes_no_key(edge: Edge) -> None:
    """What costs nothing may be repeated as it is: what is no key is not even looked at."""
    counted = [await post(edge.client, body, path=path, key="") for path, body in FREE.items()]
    described = (await edge.client.get("/openapi.json")).json()["paths"]

    assert [answer.status_code for answer in counted][:2] == [200, 200]
    assert not any("Idempotency-Key" in answer.text for answer in counted)
    keyed_paths = {path for path, item in described.items() if item.get("post", {}).get("parameters")}
    assert {path for path, _ in CALLS.values()} <= keyed_paths
    assert not keyed_paths & FREE.keys()


async def test_what_is_kept_says_nothing_without_key_and_body(edge: Edge, redis_client: redis.asyncio.Redis) -> None:
    """Neither the key, nor the prompt, nor the answer stands in Redis."""
    body = {**HELLO, "messages": [{"role": "user", "content": "канарейка в клетке"}]}
    await post(edge.client, body, key="canary-key")

    name = await only_record(redis_client)
    record: Any = await redis_client.hgetall(name)
    text = name + b"".join(field + value for field, value in record.items())

    assert set(record) == {b"fingerprint", b"owner", b"answer"}
    assert not any(secret in text for secret in (b"canary-key", "канарейка".encode(), "Привет".encode()))


async def test_a_key_is_forgotten_after_its_time(
    start_gateway: StartGateway, backends: Backends, redis_client: redis.asyncio.Redis
) -> None:
    """The setting is the time to live in Redis; what comes after it is a new request."""
    edge = await start_gateway(idempotency=IdempotencySettings(kept_s=90))
    await post(edge.client)

    name = await only_record(redis_client)
    lives_s = await redis_client.ttl(name)
    await redis_client.pexpire(name, 0)

    assert 0 < lives_s <= 90
    assert not is_replay(await post(edge.client))
    assert asked(backends) == 2


async def test_an_answer_that_is_too_large_is_billed_once_all_the_same(
    start_gateway: StartGateway, backends: Backends
) -> None:
    """It can be had once; the retry is told so, and where its bill is."""
    edge = await start_gateway(idempotency=IdempotencySettings(most_kb=1))
    backends.router.chunks = ["раз, два, три " * 20] * 3
    body = CALLS["a stream"][1]

    first = await post(edge.client, body)
    again = await post(edge.client, body)

    assert first.text.endswith("data: [DONE]\n\n")
    error = again.json()["error"]
    assert (again.status_code, error["code"]) == (409, "idempotency_replay_unavailable")
    assert error["details"]["original_request_id"] == first.headers["x-request-id"]
    assert again.headers["x-should-retry"] == "false"
    assert asked(backends) == 1
    assert (await backends.usage.row()).cost_micro_rub > 0


async def test_the_official_client_sends_a_key_and_gets_the_answer_again(edge: Edge, backends: Backends) -> None:
    """By `extra_headers`, whole and as a stream: it reads a replay as any answer."""
    async with openai.AsyncOpenAI(base_url=f"{edge.client.base_url}/v1", api_key=KEY) as client:
        messages: Any = HELLO["messages"]
        whole = [
            await client.chat.completions.create(model="yandexgpt", messages=messages, extra_headers=keyed("whole"))
            for _ in range(2)
        ]
        texts = []
        for _ in range(2):
            stream = await client.chat.completions.create(
                model="yandexgpt", messages=messages, stream=True, extra_headers=keyed("streamed")
            )
            texts.append([chunk.model_dump_json() async for chunk in stream])

    assert whole[0] == whole[1]
    assert texts[0] == texts[1]
    assert len(texts[0]) > 3
    assert asked(backends) == 2


async def test_a_replayed_turn_of_the_responses_api_goes_on(edge: Edge, backends: Backends) -> None:
    """Its id is that of the turn that is kept."""
    path, body = CALLS["a response"]
    await post(edge.client, body, path=path)
    replayed = (await post(edge.client, body, path=path)).json()

    following: httpx.Response = await edge.client.post(path, json={**body, "previous_response_id": replayed["id"]})

    assert following.status_code == 200
    assert len(backends.router.prompts[-1].messages) == 3
