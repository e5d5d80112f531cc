"""What a nearly spent budget allows, and what a dearer stand-in is held for."""

from __future__ import annotations

from google.protobuf.timestamp_pb2 import Timestamp
from razvilka.auth.v1 import auth_pb2
from razvilka.router.v1 import router_pb2 as pb

from services.gateway.tests.backends import KEY, Backends, caller
from services.gateway.tests.conftest import Edge, StartGateway
from services.gateway.tests.inference.billed_calls import BOUND, CHAT, IN, OUT, capped, chat
from services.gateway.tests.router_backend import model


async def test_a_budget_that_covers_a_short_answer_allows_one(edge: Edge, backends: Backends) -> None:
    """`hi` was refused once because 8,192 tokens of output are more than a small budget has left."""
    left = BOUND * IN + 100 * OUT
    backends.auth.callers[KEY] = capped(left)

    answer = await edge.client.post(CHAT, json=chat(max_tokens=None))

    assert answer.status_code == 200
    assert answer.headers["x-razvilka-max-tokens-lowered"] == "100; reason=budget"
    (asked,) = backends.router.prompts
    assert asked.max_tokens == 100


async def test_a_length_that_the_caller_named_is_not_changed(edge: Edge, backends: Backends) -> None:
    """The refusal says which one would fit."""
    backends.auth.callers[KEY] = capped(BOUND * IN + 5 * OUT)

    refused = await edge.client.post(CHAT, json=chat())

    error = refused.json()["error"]
    assert (refused.status_code, error["code"]) == (429, "budget_exceeded")
    assert error["details"]["max_tokens_that_fit"] == "5"
    assert "max_tokens of 5" in error["message"]
    assert int(refused.headers["retry-after"]) > 0
    assert backends.router.prompts == []


async def test_a_budget_that_covers_no_answer_refuses(edge: Edge, backends: Backends) -> None:
    """Fewer than sixteen tokens are no answer; tomorrow there is more."""
    backends.auth.callers[KEY] = capped(BOUND * IN + 15 * OUT)

    refused = await edge.client.post(CHAT, json=chat(max_tokens=None))

    assert refused.status_code == 429
    assert "retry-after" in refused.headers


async def test_waiting_is_advised_only_where_it_helps(edge: Edge, backends: Backends) -> None:
    """A whole budget does not cover this request, so no next day will."""
    budget = auth_pb2.Budget(subject="user:user-1", period=auth_pb2.BUDGET_PERIOD_DAY, limit_micro_rub=1000)
    backends.auth.callers[KEY] = caller(budgets=[budget])

    refused = await edge.client.post(CHAT, json=chat())

    assert refused.status_code == 429
    assert "retry-after" not in refused.headers


async def test_a_length_above_the_models_cap_is_told_as_the_cap(edge: Edge, backends: Backends) -> None:
    """Else the provider would make more than is held for."""
    await edge.client.post(CHAT, json=chat(max_tokens=20_000))

    (asked,) = backends.router.prompts
    assert asked.max_tokens == 8192


async def test_a_dearer_fallback_is_held_for(start_gateway: StartGateway, backends: Backends) -> None:
    """Whichever model answers, its bill is covered."""
    dear = pb.Price(
        version="dear",
        input_micro_rub_per_1k=2_000_000,
        output_micro_rub_per_1k=4_000_000,
        valid_from=Timestamp(seconds=1_700_000_000),
    )
    backends.router.models = [
        model("yandexgpt:latest", "yandexgpt", fallbacks=["gigachat-max"]),
        model("gigachat-max", provider="gigachat", prices=[dear]),
    ]
    backends.router.answering_model = "gigachat-max"
    edge = await start_gateway()

    await edge.client.post(CHAT, json=chat())

    row = await backends.usage.row()
    assert (row.price_version, row.flags) == ("dear", "")


async def test_the_router_hears_how_large_schemas_may_become(start_gateway: StartGateway, backends: Backends) -> None:
    """Only where an adapter writes them out: it refuses what would outgrow the hold."""
    schema = {"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"type": "string"}}}
    tools = [{"type": "function", "function": {"name": "f", "parameters": schema}}]
    backends.router.models = [
        model("yandexgpt:latest", "yandexgpt"),
        model("gigachat-max", provider="gigachat", writes_schemas_out=True),
    ]
    edge = await start_gateway()

    for name in ("yandexgpt", "gigachat-max"):
        assert (await edge.client.post(CHAT, json=chat(model=name, tools=tools))).status_code == 200

    as_written, written_out = backends.router.prompts
    assert as_written.schema_bound == 0
    assert written_out.schema_bound > len(str(schema))
