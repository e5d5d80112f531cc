"""Everything beside inference: models, parameters, requests, the key, providers, health, the description."""

from __future__ import annotations

import asyncio
import json
import re
from decimal import Decimal
from typing import Any

import pytest
from prometheus_client import REGISTRY
from razvilka.auth.v1 import auth_pb2
from redis.asyncio import Redis

from servicekit.errors import ErrorReason, Internal
from services.gateway.admission.dimensions import LIMITED
from services.gateway.admission.keys import budget_key
from services.gateway.admission.periods import BudgetPeriod
from services.gateway.tests.backends import KEY, Backends, caller
from services.gateway.tests.conftest import Edge, StartGateway, visitor

CHAT = "/v1/chat/completions"
HELLO: dict[str, Any] = {"model": "yandexgpt", "messages": [{"role": "user", "content": "Привет"}]}
UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


async def test_a_generation_is_found_by_the_id_of_its_answer(edge: Edge, backends: Backends) -> None:
    """The id in the body and the request id both lead to the row."""
    answer = await edge.client.post(CHAT, json=HELLO)
    await backends.usage.row()

    by_answer = await edge.client.get("/v1/generation", params={"id": answer.json()["id"]})
    by_request = await edge.client.get(f"/v1/requests/{answer.headers['x-request-id']}")

    data = by_answer.json()["data"]
    assert (data["id"], data["model"], data["streamed"]) == (answer.json()["id"], "yandexgpt", False)
    assert (data["tokens_prompt"], data["tokens_completion"], data["total_cost"]) == (10, 3, 0.0028)
    explained = by_request.json()
    assert (explained["model"], explained["status"], explained["counted_by"]) == (
        "yandexgpt:latest",
        "completed",
        "provider",
    )
    assert explained["attempts"] == [
        {"provider": "yandexgpt", "model": "yandexgpt:latest", "reason": None, "latency_ms": 12}
    ]


@pytest.mark.parametrize("id", ["nonsense", "chatcmpl-1", "019ab7e4-0000-7000-8000-000000000000"])
async def test_what_is_not_there_or_not_ours_is_not_found(edge: Edge, id: str) -> None:
    """404, whatever the id looks like."""
    assert (await edge.client.get("/v1/generation", params={"id": id})).status_code == 404
    assert (await edge.client.get(f"/v1/requests/{id}")).status_code == 404


async def test_another_users_request_is_not_found(edge: Edge, backends: Backends) -> None:
    """The same answer as for one that does not exist."""
    answer = await edge.client.post(CHAT, json=HELLO)
    await backends.usage.row()
    backends.auth.callers["other"] = caller(user_id="user-2", key_id="key-2")

    foreign = await edge.client.get(
        f"/v1/requests/{answer.headers['x-request-id']}", headers={"Authorization": "Bearer other"}
    )

    assert foreign.status_code == 404


async def test_a_key_shows_its_spend_budget_and_limits(edge: Edge, backends: Backends) -> None:
    """Release 1.0's fields in roubles; the tighter of user and key counts."""
    budget = auth_pb2.Budget(subject="key:key-1", period=auth_pb2.BUDGET_PERIOD_TOTAL, limit_micro_rub=5_000_000)
    backends.auth.callers[KEY] = caller(budgets=[budget], key_limits=auth_pb2.Limits(requests_per_minute=7))

    data = (await edge.client.get("/v1/auth/key")).json()["data"]

    assert (data["label"], data["tier"], data["is_free_tier"]) == ("laptop", "pro", False)
    assert (data["usage"], data["usage_rub"], data["limit"], data["limit_remaining"]) == (1.25, "1.250000", 5.0, 3.75)
    assert (data["rate_limit"]["requests"], data["rate_limit"]["interval"]) == (7, "1m")
    # Every kind of limit is told, also one that is added tomorrow.
    told = data["rate_limit"].keys() - {"requests", "interval"}
    assert told == {row.setting for row in LIMITED} - {"requests_per_minute"}


async def test_a_key_and_its_successor_have_their_limits_together(edge: Edge, backends: Backends) -> None:
    """Each had a bucket of its own: whoever rotated a key had its minute twice."""
    one_a_minute = auth_pb2.Limits(requests_per_minute=1)
    for key, key_id in ((KEY, "key-1"), ("successor", "key-2")):
        backends.auth.callers[key] = caller(key_id=key_id, lineage_id="key-1", key_limits=one_a_minute)

    first = await edge.client.post(CHAT, json=HELLO)
    second = await edge.client.post(CHAT, json=HELLO, headers={"Authorization": "Bearer successor"})

    assert (first.status_code, second.status_code) == (200, 429)
    assert second.json()["error"]["details"]["owner_id"] == "key-2"


async def test_a_key_that_has_asked_is_told_by_redis(edge: Edge, backends: Backends, redis_client: Redis) -> None:
    """At once, and with what has just been settled: the usage service is asked the first time only."""
    first = (await edge.client.get("/v1/auth/key")).json()["data"]["usage_rub"]
    async with asyncio.timeout(20):
        while not await redis_client.keys("gw:{*}:b:key:*:t"):
            await asyncio.sleep(0.01)
    # It would say so now; what Redis counts is never lowered by it.
    backends.usage.spend = 0
    answer = await edge.client.post(CHAT, json=HELLO)
    cost = answer.json()["usage"]["cost_rub"]

    second = (await edge.client.get("/v1/auth/key")).json()["data"]["usage_rub"]

    assert Decimal(cost) > 0
    assert (first, Decimal(second)) == ("1.250000", Decimal("1.25") + Decimal(cost))


async def test_what_running_requests_hold_is_not_left_of_a_budget(
    edge: Edge, backends: Backends, redis_client: Redis
) -> None:
    """As /v1/budgets tells it, and as the next request is admitted; it is spent by nobody yet."""
    budget = auth_pb2.Budget(subject="key:key-1", period=auth_pb2.BUDGET_PERIOD_TOTAL, limit_micro_rub=5_000_000)
    backends.auth.callers[KEY] = caller(budgets=[budget])
    counters: dict[Any, Any] = {"u": 2_000_000, "h": 500_000}
    await redis_client.hset(budget_key("user-1", "key:key-1", BudgetPeriod.TOTAL, "", 0), mapping=counters)

    data = (await edge.client.get("/v1/auth/key")).json()["data"]

    assert (data["usage_rub"], data["limit"], data["limit_remaining"]) == ("2.000000", 5.0, 2.5)


@pytest.mark.parametrize("path", ["/v1/models", "/nothing", "/health", CHAT])
async def test_every_answer_has_an_id_and_security_headers(edge: Edge, path: str) -> None:
    """Errors too; and nothing says what server this is."""
    answer = await edge.client.get(path, headers={"x-request-id": "forged"})

    assert UUID7.fullmatch(answer.headers["x-request-id"])
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["content-type"] == "application/json"
    assert "server" not in answer.headers
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    ("method", "path", "hint"),
    [
        ("POST", "/v1/responses/resp_1/cancel", "POST /v1/responses"),
        ("POST", "/v1/messages/batches", "/v1/messages/count_tokens"),
        ("POST", "/chat/completions", "ends in /v1"),
        ("GET", "/v1/v1/models", "ends in /v1"),
        ("POST", "/responses", "ends in /v1"),
        ("POST", "/v1/v1/files", "ends in /v1"),
        ("GET", "/batches", "ends in /v1"),
        ("POST", "/v1/v1/messages", "has no /v1"),
        ("POST", "/messages/count_tokens", "has no /v1"),
        ("POST", "/v1/images/generations", "files and batches"),
    ],
)
async def test_where_clients_look_in_vain_they_are_told_what_there_is(
    edge: Edge, method: str, path: str, hint: str
) -> None:
    """Else some say that the model does not exist."""
    answer = await edge.client.request(method, path, json={})

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
    assert hint in answer.json()["error"]["message"]


async def test_hsts_is_sent_where_tls_is_in_front(start_gateway: StartGateway) -> None:
    """A setting: on plain HTTP it would be a lie."""
    edge = await start_gateway(hsts=True)

    answer = await edge.client.get("/health")

    assert answer.headers["strict-transport-security"].startswith("max-age=31536000")


async def test_an_unexpected_failure_tells_nothing(edge: Edge, backends: Backends) -> None:
    """500 with a fixed message; details stay in the log."""
    backends.router.failure = Internal("secret detail")

    answer = await edge.client.post(CHAT, json=HELLO)

    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == ErrorReason.INTERNAL_ERROR.value.lower()


async def test_production_hides_the_description(start_gateway: StartGateway) -> None:
    """No /docs, no /openapi.json."""
    edge = await start_gateway(environment="production")

    assert (await edge.client.get("/docs")).status_code == 404
    assert (await edge.client.get("/openapi.json")).status_code == 404


async def test_the_description_tells_the_truth_about_the_hot_routes(edge: Edge) -> None:
    """Bodies, answers, errors and security of routes that FastAPI does not parse; no reference leads nowhere."""
    described = (await edge.client.get("/openapi.json")).json()

    operation = described["paths"][CHAT]["post"]
    body = operation["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"$ref": "#/components/schemas/ChatRequest"}
    assert set(operation["responses"]["200"]["content"]) == {"application/json", "text/event-stream"}
    assert operation["security"] == [{scheme: ["completions:write"]} for scheme in ("key", "oauth")]
    assert "security" not in described["paths"]["/health"]["get"]
    references = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(described)))
    assert references <= set(described["components"]["schemas"])
    assert not any("422" in item["responses"] for path in described["paths"].values() for item in path.values())


async def test_one_line_is_logged_and_nothing_secret(edge: Edge, capsys: pytest.CaptureFixture[str]) -> None:
    """The canonical line has ids and figures; never the prompt, the answer or the key."""
    await edge.client.post(CHAT, json={**HELLO, "messages": [{"role": "user", "content": "CANARY-7391"}]})
    async with visitor(edge) as stranger:
        await stranger.post(CHAT, json=HELLO, headers={"Authorization": "Bearer CANARY-KEY"})

    written = capsys.readouterr().out
    assert "CANARY" not in written
    assert KEY not in written
    assert "вет" not in written
    lines = [line for line in written.splitlines() if "http.request" in line and CHAT in line]
    assert len(lines) == 2
    assert "cost_micro_rub" in lines[0]
    assert "invalid_key" in lines[1]


async def test_a_balancers_healthy_answers_are_for_debugging(edge: Edge, capsys: pytest.CaptureFixture[str]) -> None:
    """They are counted; a line each would be 43,000 a day for every balancer."""
    assert (await edge.client.get("/health")).status_code == 200
    await edge.client.get("/v1/models")

    lines = [line for line in capsys.readouterr().out.splitlines() if "http.request" in line]
    assert [("debug" in line, "/health" in line) for line in lines] == [(True, True), (False, False)]


async def test_metrics_count_by_route_never_by_path(edge: Edge) -> None:
    """Labels are a closed set: what callers write is not in it."""
    await edge.client.get("/v1/models/some-strange-model")
    await edge.client.get("/some/strange/path")

    labels = {
        sample.labels["route"]
        for metric in REGISTRY.collect()
        if metric.name == "razvilka_gateway_requests"
        for sample in metric.samples
    }
    assert "/v1/models/{model_id:path}" in labels
    assert not any("strange" in label for label in labels)


async def test_what_is_read_for_somebody_shows_in_whose_name(edge: Edge, backends: Backends) -> None:
    """Each credential's own context, asked for once in a while and not for each read."""
    backends.auth.callers["other"] = caller(user_id="user-2", key_id="key-2")
    id = "019a0000-0000-7000-8000-000000000000"

    for key in (KEY, "other", KEY):
        await edge.client.get(f"/v1/requests/{id}", headers={"Authorization": f"Bearer {key}"})
    await edge.client.get("/v1/files/file-none")

    mine, others = f"signed for Bearer {KEY}".encode(), b"signed for Bearer other"
    # An id that nobody knows is asked for twice: release 1.0 may have given it.
    assert backends.usage.shown == [mine, mine, others, others, mine, mine]
    assert backends.router.shown == [mine]
    assert len(backends.user_contexts.asked) == 2
