"""What models there are: prices, lifecycle, what a key may use, parameters, canaries, the state of providers."""

from __future__ import annotations

import openai
import pytest
from prometheus_client import REGISTRY
from razvilka.router.v1 import router_pb2 as pb

from services.gateway.tests.backends import KEY, Backends, caller
from services.gateway.tests.conftest import Edge
from services.gateway.tests.router_backend import model


async def test_models_are_listed_with_prices_and_lifecycle(edge: Edge) -> None:
    """OpenAI's list with release 1.0's fields; prices are roubles for a token."""
    body = (await edge.client.get("/v1/models")).json()

    by_id = {model["id"]: model for model in body["data"]}
    assert body["object"] == "list"
    pro = by_id["yandexgpt:latest"]
    assert (pro["object"], pro["owned_by"], pro["created"]) == ("model", "yandexgpt", 1_700_000_000)
    assert pro["pricing"] == {
        "prompt": "0.0002",
        "completion": "0.0004",
        "cached_prompt": "0.0001",
        "request": "0",
        "currency": "RUB",
        "version": "2026-01",
    }
    assert (pro["context_length"], pro["limits"]["max_completion_tokens"]) == (32_768, 8_192)
    assert by_id["yandexgpt:deprecated"]["lifecycle"] == {
        "status": "deprecated",
        "deprecated": True,
        "deprecation_date": "2025-06-15",
        "deprecated_at": "2025-06-15T15:06:40+00:00",
        "shutdown_date": "2096-10-02",
        "successor": "yandexgpt:latest",
    }
    assert (pro["lifecycle"]["status"], pro["lifecycle"]["successor"]) == ("active", None)
    assert by_id["free-lunch"]["pricing"] is None


@pytest.mark.parametrize(
    ("asked", "id"),
    [
        ("yandexgpt", "yandexgpt:latest"),
        ("yandexgpt:latest", "yandexgpt:latest"),
        ("gigachat/pro", "gigachat-pro"),
        ("gigachat%2Fpro", "gigachat-pro"),
    ],
)
async def test_one_model_is_found_by_id_and_alias(edge: Edge, asked: str, id: str) -> None:
    """Ids have colons and slashes."""
    answer = await edge.client.get(f"/v1/models/{asked}")

    assert answer.json()["id"] == id


async def test_the_official_client_lists_models(edge: Edge) -> None:
    """And gets NotFoundError for one that is not there."""
    client = openai.AsyncOpenAI(base_url=f"{edge.client.base_url}/v1", api_key=KEY, max_retries=0)

    models = [model.id async for model in client.models.list()]

    assert "gigachat-pro" in models
    with pytest.raises(openai.NotFoundError):
        await client.models.retrieve("nothing")


async def test_models_for_embeddings_are_told_apart(edge: Edge) -> None:
    """By what pickers filter by: the type, and what comes out."""
    models = (await edge.client.get("/v1/models")).json()["data"]

    kinds = {model["id"]: (model["type"], model["architecture"]["output_modalities"]) for model in models}
    assert kinds["text-embeddings"] == ("embedding", ["embeddings"])
    assert kinds["gigachat-pro"] == ("chat", ["text"])


async def test_a_model_without_a_day_of_birth_is_as_old_as_its_price(edge: Edge, backends: Backends) -> None:
    """`created` is never 0: clients sort by it and show it as a date."""
    backends.router.models = [model("old", created_at=None), model("new", created_at=None, prices=[])]
    backends.router.version = "2"
    await edge.gateway.catalog.refresh()

    created = {model["id"]: model["created"] for model in (await edge.client.get("/v1/models")).json()["data"]}

    assert created == {"old": 1_700_000_000, "new": 1_577_836_800}


async def test_models_can_be_asked_by_parameter(edge: Edge) -> None:
    """Release 1.0's filter."""
    none = await edge.client.get("/v1/models", params={"supported_parameters": "tools,telepathy"})
    some = await edge.client.get("/v1/models", params={"supported_parameters": "tools, temperature"})

    assert none.json()["data"] == []
    assert len(some.json()["data"]) == 5


async def test_a_limited_key_is_shown_what_it_may_use(edge: Edge, backends: Backends) -> None:
    """Pickers would offer what answers 403; `?all=true` has the rest, marked."""
    backends.auth.callers[KEY] = caller(models=["gigachat/pro"])

    own = (await edge.client.get("/v1/models")).json()["data"]
    every = (await edge.client.get("/v1/models", params={"all": "true"})).json()["data"]

    assert [(model["id"], model["allowed"]) for model in own] == [("gigachat-pro", True)]
    assert len(every) == 5
    assert [model["id"] for model in every if model["allowed"]] == ["gigachat-pro"]


@pytest.mark.parametrize("path", ["/v1/models/yandexgpt", "/v1/parameters/yandexgpt"])
async def test_one_model_that_a_key_may_not_use_is_shown_on_demand(edge: Edge, backends: Backends, path: str) -> None:
    """Asked without `?all=true` it is refused as a request for an answer would be."""
    backends.auth.callers[KEY] = caller(models=["gigachat-pro"])

    refused = await edge.client.get(path)
    shown = await edge.client.get(path, params={"all": "true"})

    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "model_not_allowed")
    assert shown.status_code == 200


async def test_parameters_have_their_medians(edge: Edge) -> None:
    """Release 1.0's form."""
    data = (await edge.client.get("/v1/parameters/yandexgpt")).json()["data"]

    assert data == {
        "model": "yandexgpt:latest",
        "supported_parameters": ["temperature", "max_tokens", "tools"],
        "temperature_p50": 0.3,
        "top_p_p50": 1.0,
        "frequency_penalty_p50": 0.0,
        "presence_penalty_p50": 0.0,
    }


async def test_providers_have_a_status(edge: Edge) -> None:
    """Per provider and model version, as the router sees them."""
    data = (await edge.client.get("/v1/providers/status")).json()["data"]
    health = (await edge.client.get("/health/providers")).json()

    assert [(item["provider"], item["status"]) for item in data] == [("gigachat", "down"), ("yandexgpt", "operational")]
    assert data[1]["models"] == [
        {
            "model": "yandexgpt:latest",
            "status": "operational",
            "reason": None,
            "since": "2026-11-23T12:00:00Z",
            "latency_ms": 250,
            "latency_p50_ms": 250,
            "latency_p95_ms": 900,
            "first_token_p50_ms": 90,
            "first_token_p95_ms": 300,
            "success_rate": 0.75,
            "calls": 40,
            "updated_at": "2026-11-23T12:00:00+00:00",
        }
    ]
    assert (data[0]["since"], data[0]["calls"]) == ("2026-11-23T12:00:00Z", 80)
    assert {model["model"]: model["reason"] for model in data[0]["models"]} == {
        "gigachat-max": None,
        "gigachat-pro": "circuit_open",
    }
    assert health == {"status": "degraded", "providers": {"gigachat": "down", "yandexgpt": "operational"}}


async def test_the_sides_of_a_canary_stand_beside_each_other(edge: Edge, backends: Backends) -> None:
    """Errors, time, length and cost of an answer; what was never asked has none."""
    backends.router.canaries = [
        pb.CanarySide(channel="yandexgpt:latest", side="stable", resolved_model="pro-5"),
        pb.CanarySide(
            channel="yandexgpt:latest", side="canary", resolved_model="pro-5.1", answers=3, failures=1,
            first_content_s=0.6, tokens_output=31, cost_micro_rub=7000,
        ),
    ]  # fmt: skip

    canary, stable = (await edge.client.get("/v1/providers/status")).json()["canaries"][0]["sides"]

    assert (canary["success_rate"], canary["first_content_ms"], canary["tokens_output"]) == (0.75, 200, 10)
    assert canary["cost_rub"] == "0.002333"
    assert (stable["side"], stable["success_rate"], stable["cost_rub"]) == ("stable", None, None)


async def test_the_catalogue_is_counted(edge: Edge, backends: Backends) -> None:
    """A gauge that stands at 0 while models are served would alarm for nothing."""
    assert REGISTRY.get_sample_value("razvilka_gateway_catalog_models") == len(backends.router.models) > 0
