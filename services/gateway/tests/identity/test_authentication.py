"""Who may pass: keys, scopes, model lists, addresses, revocations, and auth being down."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from razvilka.auth.v1 import auth_pb2
from redis.asyncio import Redis

from servicekit.errors import ErrorReason, Unavailable
from servicekit.testing.fake_clock import FakeClock
from services.gateway.identity.revocations import RECONNECT_S
from services.gateway.tests.backends import KEY, Backends, caller
from services.gateway.tests.conftest import Edge, StartGateway, until_listening, visitor
from tools.testing.patience import PATIENT_S

CHAT = "/v1/chat/completions"
HELLO: dict[str, Any] = {"model": "yandexgpt", "messages": [{"role": "user", "content": "Привет"}]}
CHANNEL = "razvilka:auth:revoked"


async def ask(edge: Edge, key: str = KEY, **headers: str) -> httpx.Response:
    """Send the smallest authenticated request."""
    return await edge.client.get("/v1/models", headers={"Authorization": f"Bearer {key}", **headers})


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        ([], "auth_required"),
        (["Basic dXNlcjpwYXNz"], "auth_required"),
        (["Bearer"], "invalid_key"),
        ([KEY], "auth_required"),
        (["Bearer unknown"], "invalid_key"),
        (["Bearer two words"], "invalid_key"),
        ([f"Bearer {'k' * 600}"], "invalid_key"),
        ([f"Bearer {KEY}", "Bearer other"], "auth_required"),
    ],
    ids=["none", "basic", "no key", "no scheme", "unknown", "spaces", "too long", "two"],
)
async def test_no_valid_key_is_401(edge: Edge, authorization: list[str], code: str) -> None:
    """Always 401 with a challenge, in JSON, and the key is not repeated."""
    async with visitor(edge) as stranger:
        headers = [("authorization", value) for value in authorization]

        answer = await stranger.post(CHAT, json=HELLO, headers=headers)

    assert (answer.status_code, answer.json()["error"]["code"]) == (401, code)
    assert answer.json()["error"]["type"] == "authentication_error"
    assert answer.headers["www-authenticate"].startswith("Bearer ")
    assert "unknown" not in answer.text


async def test_the_scheme_is_not_case_sensitive(edge: Edge) -> None:
    """RFC 9110: bearer, Bearer, BEARER."""
    answer = await edge.client.get("/v1/models", headers={"Authorization": f"bEaReR {KEY}"})

    assert answer.status_code == 200


async def test_a_missing_scope_is_403(edge: Edge, backends: Backends) -> None:
    """The scope is named, in the body and in the challenge."""
    backends.auth.callers["narrow"] = caller(key_id="key-2", scopes=["models:read"])

    answer = await edge.client.post(CHAT, json=HELLO, headers={"Authorization": "Bearer narrow"})

    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "insufficient_scope")
    assert answer.json()["error"]["details"]["required_scope"] == "completions:write"
    assert 'scope="completions:write"' in answer.headers["www-authenticate"]
    assert (await ask(edge, "narrow")).status_code == 200


@pytest.mark.parametrize(
    ("allowed", "asked", "status"),
    [
        (["gigachat-pro"], "yandexgpt", 403),
        (["gigachat/pro"], "gigachat-pro", 200),
        (["yandexgpt:latest"], "yandexgpt", 200),
        ([], "yandexgpt", 200),
    ],
    ids=["another", "alias listed", "alias asked", "no list"],
)
async def test_a_key_may_list_its_models(
    edge: Edge, backends: Backends, allowed: list[str], asked: str, status: int
) -> None:
    """Ids and aliases mean the same model."""
    backends.auth.callers["listed"] = caller(key_id="key-3", models=allowed)

    answer = await edge.client.post(CHAT, json={**HELLO, "model": asked}, headers={"Authorization": "Bearer listed"})

    assert answer.status_code == status, answer.text
    if status == 403:
        assert answer.json()["error"]["code"] == "model_not_allowed"


async def test_the_list_of_models_travels_with_every_call(edge: Edge, backends: Backends) -> None:
    """Whole, streamed, or for vectors: the router must know which fallbacks the caller may use."""
    backends.auth.callers["listed"] = caller(key_id="key-3", models=["yandexgpt", "gigachat-pro", "text-embeddings"])
    headers = {"Authorization": "Bearer listed"}

    for extra in ({}, {"stream": True}):
        answer = await edge.client.post(CHAT, json={**HELLO, "model": "yandexgpt", **extra}, headers=headers)
        assert answer.status_code == 200, answer.text
    vectors = await edge.client.post(
        "/v1/embeddings", json={"model": "text-embeddings", "input": "раз"}, headers=headers
    )
    assert vectors.status_code == 200, vectors.text

    lists = [list(request.allowed_models) for request in backends.router.prompts]
    lists += [list(request.allowed_models) for request in backends.router.embeds]
    assert list(map(sorted, lists)) == [["gigachat-pro", "text-embeddings", "yandexgpt"]] * 3


@pytest.mark.parametrize(
    ("trusted", "forwarded", "status"),
    [
        ("", "", 403),
        ("", "10.1.2.3", 403),
        ("127.0.0.0/8", "10.1.2.3", 200),
        ("127.0.0.0/8", "8.8.8.8", 403),
        ("127.0.0.0/8", "10.1.2.3, 8.8.8.8", 403),
        ("127.0.0.0/8", "8.8.8.8, 10.1.2.3, 127.0.0.9", 200),
        ("127.0.0.0/8", "not an address", 403),
    ],
    ids=["direct", "forged", "proxied", "elsewhere", "forged before the proxy", "two proxies", "garbage"],
)
async def test_a_key_may_list_its_addresses(
    start_gateway: StartGateway, backends: Backends, trusted: str, forwarded: str, status: int
) -> None:
    """X-Forwarded-For counts only from a trusted proxy, and only its last untrusted hop."""
    edge = await start_gateway(trusted_proxies=trusted)
    backends.auth.callers[KEY] = caller(ip_allow_list=["10.0.0.0/8"])

    answer = await ask(edge, **({"X-Forwarded-For": forwarded} if forwarded else {}))

    assert answer.status_code == status
    if status == 403:
        assert answer.json()["error"]["code"] == "ip_not_allowed"


async def test_auth_is_asked_once_for_many_requests(edge: Edge, backends: Backends) -> None:
    """A burst of one key waits for one question; after that the cache answers."""
    backends.auth.hold = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        waiting = [tasks.create_task(ask(edge)) for _ in range(20)]
        async with asyncio.timeout(PATIENT_S):
            while not backends.auth.asked:
                await asyncio.sleep(0.01)
        backends.auth.hold.set()

    assert {task.result().status_code for task in waiting} == {200}
    assert backends.auth.asked == 1


async def test_known_keys_work_while_auth_is_down(start_gateway: StartGateway, backends: Backends) -> None:
    """Stale beats down for keys we knew; unknown ones get 503, never 200 and never 401."""
    edge = await start_gateway(key_cache_s=0)
    assert (await ask(edge)).status_code == 200
    backends.auth.failure = Unavailable(ErrorReason.DATABASE_ERROR, "down")

    known, unknown = await ask(edge), await ask(edge, "never-seen")

    assert known.status_code == 200
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (503, "service_unavailable")
    assert unknown.headers["retry-after"] == "1"


async def test_a_revoked_key_ends_at_once(start_gateway: StartGateway, backends: Backends, redis_client: Redis) -> None:
    """The push ends the cached verdict, which would not end by itself; the next request is refused."""
    edge = await start_gateway(clock=FakeClock(datetime.now(UTC)))
    assert (await ask(edge)).status_code == 200
    await until_listening(redis_client)
    del backends.auth.callers[KEY]

    await redis_client.publish(CHANNEL, json.dumps({"kind": "key", "id": "key-1", "at": 1}))

    async with asyncio.timeout(PATIENT_S):
        while (await ask(edge)).status_code != 401:
            await asyncio.sleep(0.01)


async def test_a_revocation_that_was_missed_is_read_on_reconnection(
    start_gateway: StartGateway, backends: Backends, redis_client: Redis
) -> None:
    """A listener that lost its connection catches up from the set, well before the cache would have ended by itself."""
    clock = FakeClock(datetime.now(UTC))
    edge = await start_gateway(clock=clock)
    assert (await ask(edge)).status_code == 200
    await until_listening(redis_client)
    del backends.auth.callers[KEY]
    await redis_client.zadd("razvilka:auth:revocations", {json.dumps({"kind": "key", "id": "key-1", "at": 1}): 1})

    await redis_client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")

    async with asyncio.timeout(PATIENT_S):
        while (await ask(edge)).status_code != 401:
            if clock.monotonic() + RECONNECT_S < edge.settings.key_cache_s:
                clock.advance(RECONNECT_S)
            await asyncio.sleep(0.01)


async def test_rubbish_on_the_channel_harms_nobody(edge: Edge, redis_client: Redis) -> None:
    """The listener goes on after what it cannot read."""
    await until_listening(redis_client)
    await redis_client.publish(CHANNEL, b"\xff{")
    await redis_client.publish(CHANNEL, json.dumps({"kind": "moon", "id": "x"}))

    assert (await ask(edge)).status_code == 200
    assert await redis_client.pubsub_numsub(CHANNEL) == [(CHANNEL.encode(), 1)]


async def test_open_paths_need_no_key(edge: Edge) -> None:
    """Probes and the description are for everybody."""
    async with visitor(edge) as stranger:
        for path in ("/health", "/ready", "/health/providers", "/openapi.json", "/docs"):
            assert (await stranger.get(path)).status_code == 200, path


@pytest.mark.parametrize(
    "path",
    [
        "/v1/models",
        "/v1/models/x",
        "/v1/parameters/x",
        "/v1/generation?id=x",
        "/v1/requests/x",
        "/v1/auth/key",
        "/v1/providers/status",
    ],
)
async def test_every_other_path_needs_one(edge: Edge, path: str) -> None:
    """401 before anything is looked up."""
    async with visitor(edge) as stranger:
        assert (await stranger.get(path)).status_code == 401


async def test_rate_limits_are_told_before_they_hit(edge: Edge, backends: Backends) -> None:
    """The second request of two is refused with 429, headers and Retry-After; nothing reached the router."""
    limits = auth_pb2.Limits(requests_per_minute=1)
    backends.auth.callers["slow"] = caller(user_id="user-9", key_id="key-9", user_limits=limits)
    headers = {"Authorization": "Bearer slow"}

    first = await edge.client.post(CHAT, json=HELLO, headers=headers)
    second = await edge.client.post(CHAT, json=HELLO, headers=headers)

    assert first.status_code == 200
    assert first.headers["x-ratelimit-remaining-requests"] == "0"
    assert (second.status_code, second.json()["error"]["code"]) == (429, "rate_limit_exceeded")
    assert second.headers.get_list("retry-after") == [second.headers["retry-after"]]
    assert "," not in second.headers["retry-after"]
    assert second.headers["x-ratelimit-limit"] == "1"
    assert len(backends.router.prompts) == 1
