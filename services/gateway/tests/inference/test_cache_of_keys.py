"""A key's own part in the cache of answers."""

from __future__ import annotations

from typing import Any

import pytest
import redis.asyncio

from services.gateway.tests.backends import KEY, Backends, caller
from services.gateway.tests.conftest import Edge
from services.gateway.tests.inference.cached_calls import ask, status
from services.gateway.tests.inference.idempotent_calls import CHAT, HELLO


async def test_a_key_gets_nothing_of_a_model_that_it_may_not_use(edge: Edge, backends: Backends) -> None:
    """Another key of the account got the answer of a fallback: for this one it is as if there were none."""
    backends.router.answering_model = "gigachat-pro"
    backends.auth.callers["rz_live_narrow"] = caller(key_id="key-2", models=["yandexgpt:latest"])
    await ask(edge.client)

    backends.router.answering_model = ""
    narrow = await ask(edge.client, authorization="Bearer rz_live_narrow")

    assert (status(narrow), narrow.headers["x-razvilka-provider"]) == ("miss", "yandexgpt")


async def test_a_key_may_ask_for_the_cache_with_every_request(
    edge: Edge, backends: Backends, redis_client: redis.asyncio.Redis
) -> None:
    """For as long as the key says; what a request says counts before it."""
    backends.auth.callers[KEY] = caller(cache_ttl_s=70)

    answers = [await edge.client.post(CHAT, json=HELLO) for _ in range(2)]
    off = await edge.client.post(CHAT, json=HELLO, headers={"x-razvilka-cache": "off"})
    other = {**HELLO, "temperature": 0.5}
    longer = await edge.client.post(CHAT, json=other, headers={"x-razvilka-cache-ttl": "900"})

    assert [status(answer) for answer in [*answers, off, longer]] == ["miss", "hit", None, "miss"]
    lives = sorted([await redis_client.ttl(name) async for name in redis_client.scan_iter("gw:*:cache:*")])
    assert len(lives) == 2
    assert 60 <= lives[0] <= 70 < 800 <= lives[1] <= 900


@pytest.mark.parametrize(("of_key_s", "least", "most"), [(0, 3500, 3600), (30 * 86_400, 86_300, 86_400)])
async def test_a_key_is_held_to_what_the_gateway_has(
    edge: Edge, backends: Backends, redis_client: redis.asyncio.Redis, of_key_s: int, least: int, most: int
) -> None:
    """One that names no time has the usual one; one that was made under another setting has the longest."""
    backends.auth.callers[KEY] = caller(cache_ttl_s=of_key_s)

    await edge.client.post(CHAT, json=HELLO)

    (life,) = [await redis_client.ttl(name) async for name in redis_client.scan_iter("gw:*:cache:*")]
    assert least <= life <= most


@pytest.mark.parametrize(
    ("cache", "ordered_s", "shown"),
    [
        (None, None, {"mode": "off", "ttl_s": None}),
        ({"mode": "off", "ttl_s": 5}, None, {"mode": "off", "ttl_s": None}),
        ({"mode": "on"}, 0, {"mode": "on", "ttl_s": None}),
        ({"mode": "on", "ttl_s": 600}, 600, {"mode": "on", "ttl_s": 600}),
    ],
    ids=["nothing", "off", "on", "for ten minutes"],
)
async def test_a_key_is_made_with_its_part_in_the_cache(
    edge: Edge, backends: Backends, cache: dict[str, Any] | None, ordered_s: int | None, shown: dict[str, Any]
) -> None:
    """And shows it."""
    backends.auth.callers[KEY] = caller(scopes=["keys:write"])

    made = await edge.client.post("/v1/keys", json={"name": "CI", "cache": cache})

    ordered = backends.auth.ordered
    assert (made.status_code, made.json()["cache"]) == (201, shown)
    assert (ordered.cache_ttl_s if ordered.HasField("cache_ttl_s") else None) == ordered_s


@pytest.mark.parametrize(
    ("cache", "param"),
    [
        ({"mode": "on", "ttl_s": 86_401}, "cache.ttl_s"),
        ({"mode": "on", "ttl_s": 0}, "cache.ttl_s"),
        ({"mode": "always"}, "cache.mode"),
        ({"ttl_s": 5}, "cache.mode"),
    ],
)
async def test_a_wrong_part_in_the_cache_is_named(
    edge: Edge, backends: Backends, cache: dict[str, Any], param: str
) -> None:
    """Before auth is asked."""
    backends.auth.callers[KEY] = caller(scopes=["keys:write"])

    answer = await edge.client.post("/v1/keys", json={"name": "CI", "cache": cache})

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
