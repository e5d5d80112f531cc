"""Answers that are asked to be cached: exactly the same request, of the same account, whole or as a stream."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis.asyncio
from hypothesis import given
from hypothesis import strategies as st
from razvilka.router.v1 import router_pb2 as pb
from razvilka.usage.v1 import usage_pb2

from servicekit.errors import ErrorReason, ProviderFailed
from services.gateway.clients.completion import Choice, Completion, End, Route, ToolCallPart
from services.gateway.inference.caching.whole_answer import Gathering, part_of
from services.gateway.settings import CacheSettings
from services.gateway.tests.admission_kit import leftovers
from services.gateway.tests.backends import KEY, Backends, caller
from services.gateway.tests.conftest import Edge, StartGateway, running_edge
from services.gateway.tests.inference.cached_calls import ON, STREAM, ask, asked, status
from services.gateway.tests.inference.idempotent_calls import CALLS, CHAT, HELLO
from tools.testing.throwaway import throwaway_redis


def said(answer: httpx.Response) -> Any:
    """Return what an answer says, without what is of one request only: ids, times, the price."""
    body = answer.json()
    shown = body.get("choices") or body.get("content") or body.get("data") or body.get("output")
    return [{key: value for key, value in part.items() if key != "id"} for part in shown]


@pytest.mark.parametrize(
    ("path", "body"), [call for call in CALLS.values() if not call[1].get("stream")], ids=lambda value: str(value)[:20]
)
async def test_the_same_request_is_answered_from_the_cache(
    edge: Edge, backends: Backends, path: str, body: dict[str, Any]
) -> None:
    """On every route: the second costs nothing, has a row and an id of its own, and says where it comes from."""
    first, second = [await ask(edge.client, body, path=path) for _ in range(2)]

    assert [status(first), status(second)] == ["miss", "hit"]
    assert said(second) == said(first)
    assert second.headers["x-razvilka-model"] == first.headers["x-razvilka-model"]
    assert second.headers["x-razvilka-cost-micro-rub"] == "0"
    assert asked(backends) == 1
    rows = [await backends.usage.row(answer.headers["x-request-id"]) for answer in (first, second)]
    assert [row.cache_status for row in rows] == ["miss", "hit"]
    assert rows[0].cost_micro_rub > 0 == rows[1].cost_micro_rub
    # What it would have cost without any cache is the same both times.
    assert rows[1].saved_micro_rub == rows[0].cost_micro_rub + rows[0].saved_micro_rub
    assert rows[1].tokens_input == rows[0].tokens_input
    assert rows[1].status == usage_pb2.STATUS_COMPLETED


def text_of(answer: httpx.Response) -> str:
    """Return the text of a chat in either form."""
    if not answer.headers["content-type"].startswith("text/event-stream"):
        return str(answer.json()["choices"][0]["message"]["content"])

    chunks = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]
    return "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])


@pytest.mark.parametrize("body", [HELLO, STREAM], ids=["whole", "streamed"])
async def test_what_the_cache_answers_has_waited_in_no_line(
    edge: Edge, backends: Backends, body: dict[str, Any]
) -> None:
    """The wait was the first request's: the row and Server-Timing of the second one knew, its header did not."""
    backends.router.queued_ms = 420
    first, second = [await ask(edge.client, body) for _ in range(2)]

    assert [status(first), status(second)] == ["miss", "hit"]
    assert [answer.headers["x-razvilka-queue-ms"] for answer in (first, second)] == ["420", "0"]


@pytest.mark.parametrize("bodies", [(STREAM, HELLO), (HELLO, STREAM), (STREAM, STREAM)], ids=["sw", "ws", "ss"])
async def test_either_form_is_answered_from_the_other(
    edge: Edge, backends: Backends, redis_client: redis.asyncio.Redis, bodies: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    """How an answer is sent is no part of the question."""
    first, second = [await ask(edge.client, body) for body in bodies]

    assert [status(first), status(second)] == ["miss", "hit"]
    assert text_of(second) == text_of(first) == "Привет!"
    assert second.text.endswith("data: [DONE]\n\n") == ("stream" in bodies[1])
    assert asked(backends) == 1
    assert (await backends.usage.row(second.headers["x-request-id"])).cost_micro_rub == 0
    assert await leftovers(redis_client) == []


async def test_tool_calls_are_cached_whole(edge: Edge, backends: Backends) -> None:
    """With their ids and arguments, in both forms."""
    backends.router.chunks = []
    backends.router.tool_calls = [pb.ToolCall(id="call_1", name="weather", arguments='{"city": "Омск"}')]
    backends.router.finish = pb.FINISH_REASON_TOOL_CALLS
    await ask(edge.client, STREAM)

    whole = await ask(edge.client)

    assert status(whole) == "hit"
    (choice,) = whole.json()["choices"]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["tool_calls"][0]["function"] == {"name": "weather", "arguments": '{"city": "Омск"}'}


OTHERS = {
    "another field": ({**HELLO, "temperature": 0.5}, {}),
    "another model": ({**HELLO, "model": "gigachat-pro"}, {}),
    "another account": (HELLO, {"authorization": "Bearer rz_live_stranger"}),
    "an application": (HELLO, {"authorization": "Bearer rz_live_application"}),
}


@pytest.mark.parametrize(("body", "more"), OTHERS.values(), ids=OTHERS)
async def test_another_request_is_not_the_same(
    edge: Edge, backends: Backends, body: dict[str, Any], more: dict[str, str]
) -> None:
    """Nor is the same request of somebody else."""
    backends.auth.callers["rz_live_stranger"] = caller(user_id="user-2", key_id="key-9")
    backends.auth.callers["rz_live_application"] = caller(key_id="", grant_id="grant-1", client_id="app-1")
    await ask(edge.client)

    assert status(await ask(edge.client, body, **more)) == "miss"
    assert asked(backends) == 2


async def test_whoever_does_not_ask_for_it_has_no_part_in_it(
    edge: Edge, backends: Backends, redis_client: redis.asyncio.Redis
) -> None:
    """Neither fills it nor reads it, nor hears of it."""
    answers = [await edge.client.post(CHAT, json=HELLO, headers=given) for given in ({}, {"x-razvilka-cache": "off"})]
    filled = [name async for name in redis_client.scan_iter("gw:*:cache:*")]
    await ask(edge.client)
    answers.append(await edge.client.post(CHAT, json=HELLO))

    assert {status(answer) for answer in answers} == {None}
    assert filled == []
    assert asked(backends) == 4
    assert (await backends.usage.row(answers[0].headers["x-request-id"])).cache_status == ""


WRONG = {
    "neither on nor off": {"x-razvilka-cache": "yes"},
    "no number": {"x-razvilka-cache-ttl": "1h"},
    "nothing": {"x-razvilka-cache-ttl": "0"},
    "too long": {"x-razvilka-cache-ttl": "86401"},
}


@pytest.mark.parametrize("headers", WRONG.values(), ids=WRONG)
async def test_a_wrong_header_is_refused_by_name(edge: Edge, backends: Backends, headers: dict[str, str]) -> None:
    """And nothing is asked."""
    refused = await edge.client.post(CHAT, json=HELLO, headers={**ON, **headers})

    (name,) = headers
    assert refused.status_code == 400
    assert refused.json()["error"]["param"] == name
    assert asked(backends) == 0


async def test_an_answer_lives_as_long_as_the_caller_says(edge: Edge, redis_client: redis.asyncio.Redis) -> None:
    """And says nothing in Redis."""
    body = {**HELLO, "messages": [{"role": "user", "content": "канарейка"}]}
    await ask(edge.client, body, x_razvilka_cache_ttl="90")

    (name,) = [name async for name in redis_client.scan_iter("gw:*:cache:*")]
    value = await redis_client.get(name)

    assert 0 < await redis_client.ttl(name) <= 90
    assert isinstance(value, bytes)
    assert not any(secret in name + value for secret in ("канарейка".encode(), "Привет".encode()))
    await redis_client.delete(name)
    assert status(await ask(edge.client, body)) == "miss"


async def test_what_is_not_whole_is_not_cached(
    edge: Edge, backends: Backends, redis_client: redis.asyncio.Redis
) -> None:
    """A stream that broke off, an answer that a filter cut, an error."""
    backends.router.failure, backends.router.fail_at = ProviderFailed(ErrorReason.PROVIDER_ERROR, "broke off"), 2
    await ask(edge.client, STREAM)
    await ask(edge.client)
    backends.router.failure = None
    backends.router.finish = pb.FINISH_REASON_CONTENT_FILTER
    await ask(edge.client)

    assert [name async for name in redis_client.scan_iter("gw:*:cache:*")] == []


async def test_a_hit_costs_what_the_setting_says(start_gateway: StartGateway, backends: Backends) -> None:
    """A share of the frozen price, rounded up."""
    edge = await start_gateway(cache=CacheSettings(price_percent=10))

    first, second = [await ask(edge.client) for _ in range(2)]

    costs = [int(answer.headers["x-razvilka-cost-micro-rub"]) for answer in (first, second)]
    assert costs[1] == costs[0] / 10
    assert (await backends.usage.row(second.headers["x-request-id"])).cost_micro_rub == costs[1]


async def test_without_redis_the_cache_is_empty(backends: Backends, tmp_path: Path) -> None:
    """Nobody is refused for it."""
    with throwaway_redis(tmp_path) as url:
        running = running_edge(backends.targets, url, tmp_path / "journal")
        edge = await running.__aenter__()
        assert status(await ask(edge.client)) == "miss"
    answer = await ask(edge.client)
    await running.__aexit__(None, None, None)

    assert (answer.status_code, status(answer)) == (200, "miss")


words = st.text(max_size=5)
calls = st.lists(st.tuples(st.text(min_size=1, max_size=5), st.text(min_size=1, max_size=5), words), max_size=3)


@given(given_choices=st.lists(st.tuples(st.text(min_size=1, max_size=5), words, calls), min_size=1, max_size=3))
def test_a_stream_of_an_answer_gathers_to_the_same_answer(given_choices: list[Any]) -> None:
    """Whatever it has of choices, reasoning and tool calls."""
    choices = [
        Choice(index, text, reasoning, tuple(ToolCallPart(at, *call) for at, call in enumerate(made)), "stop")
        for index, (text, reasoning, made) in enumerate(given_choices)
    ]
    whole = Completion(Route("yandexgpt", "yandexgpt:latest"), tuple(choices), End(None, (), "build-7"))
    gathering = Gathering()

    gathering.add(part_of(whole))

    assert gathering.completion() == whole


async def test_an_answer_of_a_model_that_may_not_answer_now_is_not_taken(edge: Edge, backends: Backends) -> None:
    """The same words of another key may mean another model: what stands in for the first one differs."""
    backends.auth.callers = {
        KEY: caller(model_names={"spare": "gigachat-pro"}),
        f"{KEY}-2": caller(key_id="key-2", model_names={"spare": "yandexgpt:deprecated"}),
    }
    backends.router.answering_model = "gigachat-pro"
    body = {**HELLO, "models": ["spare"]}

    first = await ask(edge.client, body)
    other = await ask(edge.client, body, authorization=f"Bearer {KEY}-2")
    again = await ask(edge.client, body)

    assert [status(answer) for answer in (first, other, again)] == ["miss", "miss", "hit"]
