"""POST /v1/tokenize: counted by the provider, free, within the limits of requests."""

from __future__ import annotations

from typing import Any

import pytest
import redis.asyncio
from razvilka.auth.v1 import auth_pb2

from servicekit.errors import ErrorReason, ProviderFailed
from services.gateway.tests.admission_kit import leftovers
from services.gateway.tests.backends import KEY, Backends, caller
from services.gateway.tests.conftest import Edge

PATH = "/v1/tokenize"
CHAT = [{"role": "user", "content": "Привет"}]


async def test_texts_are_counted_one_by_one(edge: Edge, backends: Backends) -> None:
    """In their order, with their lengths and the sum; the headers say whose tokenizer it was."""
    backends.router.counts = [3, 5]

    answer = await edge.client.post(PATH, json={"model": "gigachat/pro", "input": ["Привет", "и пока"]})

    assert answer.json() == {
        "object": "list",
        "model": "gigachat/pro",
        "data": [
            {"object": "tokens", "index": 0, "tokens": 3, "characters": 6},
            {"object": "tokens", "index": 1, "tokens": 5, "characters": 6},
        ],
        "total_tokens": 8,
        "counted_by": "provider",
    }
    assert answer.headers["x-razvilka-provider"] == "gigachat"
    assert "provider;dur=" in answer.headers["server-timing"]


async def test_a_chat_is_counted_whole(edge: Edge, backends: Backends) -> None:
    """With its tools: as it would be billed."""
    backends.router.counts = [21]
    tool = {"type": "function", "function": {"name": "find", "parameters": {"type": "object"}}}

    answer = await edge.client.post(PATH, json={"model": "yandexgpt", "messages": CHAT, "tools": [tool]})

    assert answer.json()["data"] == [{"object": "tokens", "index": 0, "tokens": 21}]
    [asked] = backends.router.counted
    assert [tool.name for tool in asked.prompt.tools] == ["find"]


@pytest.mark.parametrize("question", [{"input": "Привет, мир"}, {"messages": CHAT}], ids=["text", "chat"])
async def test_what_no_tokenizer_counts_is_estimated_and_named_so(
    edge: Edge, backends: Backends, question: dict[str, Any]
) -> None:
    """By our own count, which is that of the bill where a provider says nothing."""
    backends.router.counts = []

    answer = (await edge.client.post(PATH, json={"model": "yandexgpt", **question})).json()

    assert answer["counted_by"] == "estimate"
    assert answer["total_tokens"] == answer["data"][0]["tokens"] > 0


async def test_counting_is_free_and_leaves_nothing(
    edge: Edge, backends: Backends, redis_client: redis.asyncio.Redis
) -> None:
    """No row, no hold; a spent budget does not refuse it."""
    budget = auth_pb2.Budget(subject="user:user-1", period=auth_pb2.BUDGET_PERIOD_DAY, limit_micro_rub=1)
    backends.auth.callers[KEY] = caller(budgets=[budget])

    answer = await edge.client.post(PATH, json={"model": "yandexgpt", "input": "Привет"})

    assert answer.status_code == 200
    assert await leftovers(redis_client) == []
    assert backends.usage.rows == {}


async def test_it_counts_as_a_request(edge: Edge, backends: Backends) -> None:
    """Else it would be a way around the limit, into the provider's quota."""
    backends.auth.callers[KEY] = caller(user_limits=auth_pb2.Limits(requests_per_minute=1))

    first = await edge.client.post(PATH, json={"model": "yandexgpt", "input": "Привет"})
    second = await edge.client.post(PATH, json={"model": "yandexgpt", "input": "Привет"})

    assert (first.status_code, first.headers["x-ratelimit-remaining"]) == (200, "0")
    assert (second.status_code, second.json()["error"]["code"]) == (429, "rate_limit_exceeded")


async def test_a_tokenizer_that_fails_is_an_error(edge: Edge, backends: Backends) -> None:
    """An estimate in its place would be taken for its count."""
    backends.router.failure = ProviderFailed(ErrorReason.PROVIDER_ERROR, "The provider failed.")

    answer = await edge.client.post(PATH, json={"model": "yandexgpt", "input": "Привет"})

    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "provider_error")


WRONG = {
    "nothing": ({}, "input"),
    "both": ({"input": "a", "messages": CHAT}, "input"),
    "tools of a text": ({"input": "a", "tools": []}, "tools"),
    "no text": ({"input": []}, "input"),
    "too many texts": ({"input": ["a"] * 33}, "input"),
    "a number": ({"input": 5}, "input"),
    "no message": ({"messages": []}, "messages"),
}


@pytest.mark.parametrize(("body", "field"), WRONG.values(), ids=WRONG)
async def test_a_bad_body_is_refused_by_its_field(edge: Edge, body: dict[str, Any], field: str) -> None:
    """Before anything is asked."""
    answer = await edge.client.post(PATH, json={"model": "yandexgpt", **body})

    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == field


async def test_only_chat_models_and_those_of_the_key_are_counted_for(edge: Edge, backends: Backends) -> None:
    """As everywhere."""
    backends.auth.callers["listed"] = caller(key_id="key-3", models=["gigachat-pro"])

    other = await edge.client.post(
        PATH, json={"model": "yandexgpt", "input": "a"}, headers={"authorization": "Bearer listed"}
    )
    embedding = await edge.client.post(PATH, json={"model": "text-embeddings", "input": "a"})

    assert (other.status_code, embedding.status_code) == (403, 400)
