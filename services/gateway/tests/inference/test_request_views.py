"""What a request tells of itself from the moment that its answer has ended."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest
import redis.asyncio
from razvilka.auth.v1 import auth_pb2

from servicekit.errors import ErrorReason, ProviderFailed
from services.gateway.admission.keys import explanation_key
from services.gateway.clients.catalog import Catalog
from services.gateway.inference.explaining.request_views import SOURCE_NAMES, request_body
from services.gateway.inference.routes.bodies import RequestBody
from services.gateway.metering.settle import usage_record
from services.gateway.tests.backends import KEY, Backends, caller
from services.gateway.tests.conftest import Edge, StartGateway
from services.gateway.tests.inference.chat_calls import HELLO, PATH
from services.gateway.tests.metering_kit import completed, facts, ticket
from tools.stack.home import REPOSITORY


async def told(edge: Edge, request_id: str) -> dict[str, Any]:
    """Return what the gateway says of a request at once."""
    answer = await edge.client.get(f"/v1/requests/{request_id}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


@pytest.mark.parametrize("stream", [False, True])
async def test_a_request_is_explained_before_its_row_is_stored(edge: Edge, backends: Backends, stream: bool) -> None:
    """The usage service is away: no row can be there, and the answer has ended."""
    backends.usage.is_away = True

    answer = await edge.client.post(PATH, json={**HELLO, "stream": stream})
    found = await told(edge, answer.headers["x-request-id"])
    backends.usage.is_away = False

    assert (found["status"], found["stream"]) == ("completed", stream)
    assert found["resolved_model"] == answer.headers["x-razvilka-model"]
    assert (found["rule"], found["candidates"][0]) == ("catalogue", found["model"])
    assert [attempt["reason"] for attempt in found["attempts"]] == [None]
    timing = found["timing"]
    assert timing["queue_ms"] == 0
    assert timing["provider_ms"] > 0


async def test_the_parts_of_the_price_make_up_the_cost(edge: Edge) -> None:
    """Tokens, price and amount of each part; the sum is rounded up."""
    answer = await edge.client.post(PATH, json=HELLO)
    found = await told(edge, answer.headers["x-request-id"])

    parts = [found["price"][name] for name in ("input", "cached", "output")]
    for part in parts:
        assert Decimal(part["rub"]) == part["tokens"] * Decimal(part["rub_per_1k"]) / 1000
    assert sum(Decimal(part["rub"]) for part in parts) <= Decimal(found["cost_rub"])
    assert Decimal(found["cost_rub"]) - sum(Decimal(part["rub"]) for part in parts) < Decimal("0.000001")
    assert sum(part["tokens"] for part in parts) == found["tokens_input"] + found["tokens_output"]


async def test_limits_and_budgets_are_told_as_they_are_after_it(edge: Edge, backends: Backends) -> None:
    """What the estimate took too much has been given back, and the place among those that run."""
    limits = auth_pb2.Limits(requests_per_minute=60, tokens_per_minute=100_000, concurrent_requests=5)
    budget = auth_pb2.Budget(subject="user:user-1", period=auth_pb2.BUDGET_PERIOD_DAY, limit_micro_rub=50_000_000)
    backends.auth.callers[KEY] = caller(user_limits=limits, budgets=[budget])

    answer = await edge.client.post(PATH, json=HELLO)
    found = await told(edge, answer.headers["x-request-id"])

    used = found["tokens_input"] + found["tokens_output"]
    met = {each["limit"]: (each["of"], each["consumed"], each["left"]) for each in found["limits"]}
    assert met == {"rpm": (60, 1, 59), "tpm": (100_000, used, 100_000 - used), "concurrency": (5, 1, 5)}
    [told_of] = found["budgets"]
    spent = Decimal(backends.usage.spend) / 1_000_000 + Decimal(found["cost_rub"])
    assert (told_of["subject"], told_of["period"]) == ("user:user-1", "day")
    assert Decimal(told_of["left_rub"]) == Decimal(told_of["of_rub"]) - spent
    assert Decimal(told_of["held_rub"]) >= Decimal(told_of["consumed_rub"]) == Decimal(found["cost_rub"])


@pytest.mark.parametrize(("wish", "rule"), [({}, "caller"), ({"provider": {"sort": "latency"}}, "latency")])
async def test_it_says_who_chose_the_models(edge: Edge, wish: dict[str, Any], rule: str) -> None:
    """The caller, or by the caller's wish what was measured."""
    models = ["gigachat-pro", "yandexgpt:latest"]

    answer = await edge.client.post(PATH, json={**HELLO, "model": models[0], "models": models, **wish})
    found = await told(edge, answer.headers["x-request-id"])

    assert (found["rule"], found["candidates"]) == (rule, models)


async def test_a_failed_request_is_explained_at_once_too(edge: Edge, backends: Backends) -> None:
    """By whichever gateway is asked."""
    backends.router.failure = ProviderFailed(ErrorReason.PROVIDER_TIMEOUT, "The provider is too slow.")

    answer = await edge.client.post(PATH, json=HELLO)
    found = await told(edge, answer.headers["x-request-id"])

    assert (found["status"], found["error_code"], found["cost_rub"]) == ("failed", "provider_timeout", "0.000000")


async def test_another_gateway_explains_it_as_well(start_gateway: StartGateway, redis_url: str) -> None:
    """What one wrote down, all can read."""
    first, second = await start_gateway(), await start_gateway()

    answer = await first.client.post(PATH, json=HELLO)

    assert (await told(second, answer.headers["x-request-id"]))["timing"]


async def test_nobody_else_s_request_is_explained(
    edge: Edge, backends: Backends, redis_client: redis.asyncio.Redis
) -> None:
    """It lies under the name of its user; the same id of another one is unknown."""
    answer = await edge.client.post(PATH, json=HELLO)
    request_id = answer.headers["x-request-id"]
    row = await backends.usage.row()
    backends.auth.callers["other"] = caller(user_id="user-2", key_id="key-2")

    other = await edge.client.get(f"/v1/requests/{request_id}", headers={"authorization": "Bearer other"})

    assert other.status_code == 404
    assert await redis_client.exists(explanation_key(row.user_id, request_id))


async def test_what_is_written_down_ends_by_itself(
    start_gateway: StartGateway, backends: Backends, redis_client: redis.asyncio.Redis
) -> None:
    """As long as the setting says; zero: nothing is written."""
    kept = await start_gateway(admission={"explained_s": 60})
    answer = await kept.client.post(PATH, json=HELLO)
    [name] = await redis_client.keys("gw:{*}:e:*")
    lives_ms = await redis_client.pttl(name)
    await redis_client.delete(name)
    silent = await start_gateway(admission={"explained_s": 0})
    await silent.client.post(PATH, json=HELLO)

    assert answer.headers["x-request-id"] in str(name)
    assert 0 < lives_ms <= 60_000
    assert await redis_client.keys("gw:{*}:e:*") == []


async def test_an_older_request_is_told_from_its_row(
    edge: Edge, backends: Backends, redis_client: redis.asyncio.Redis
) -> None:
    """The price is found again in the catalogue; what only the settlement knew is null."""
    answer = await edge.client.post(PATH, json=HELLO)
    await backends.usage.row()
    for name in await redis_client.keys("gw:{*}:e:*"):
        await redis_client.delete(name)

    found = await told(edge, answer.headers["x-request-id"])

    assert found["price"]["version"] == found["price_version"]
    assert (found["timing"], found["limits"], found["budgets"], found["candidates"]) == (None, None, None, None)


def test_a_row_whose_price_nobody_knows_any_more_has_none() -> None:
    """A guess would be worse."""
    body = request_body(usage_record(ticket(), facts(), completed()), Catalog((), "1"))

    assert body["price"] is None


def test_the_page_of_requests_has_every_field_and_every_way_of_counting() -> None:
    """Whoever reads an answer finds there what each of its fields means."""
    page = (REPOSITORY / "docs" / "api" / "requests.md").read_text(encoding="utf-8")
    told_of = set(re.findall(r"`([a-z_]+)`", page))

    assert RequestBody.model_fields.keys() - told_of == set()
    assert set(SOURCE_NAMES.values()) - told_of == set()
