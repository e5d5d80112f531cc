"""/v1/admin/catalog: orders are noted before they count, and mistakes are named."""

from __future__ import annotations

import json
from typing import Any

import pytest

from services.gateway.identity.access import Scope
from services.gateway.tests.backends import KEY, Backends, caller
from services.gateway.tests.conftest import Edge

AT = "2026-11-23T12:00:00Z"
PRICE: dict[str, Any] = {
    "model": "GigaChat-2",
    "valid_from": "2027-01-01T00:00:00+03:00",
    "input": 0.07,
    "output": "0.2",
}
MOVE = {"model": "yandexgpt-5.1", "since": "2027-01-01T00:00:00Z"}


@pytest.fixture
def admin(backends: Backends) -> Backends:
    """Give the test's key the scope of administrators."""
    backends.auth.callers[KEY] = caller(scopes=[Scope.ADMIN.value])
    return backends


async def send(edge: Edge, method: str, path: str, body: Any) -> Any:
    return await edge.client.request(method, f"/v1/admin/catalog/{path}", json=body)


async def test_an_override_is_noted_and_carried_out(edge: Edge, admin: Backends) -> None:
    """With the fields that were given, and no other."""
    answer = await send(edge, "PUT", "overrides/gigachat/pro", {"enabled": False, "canary": None})

    patch = {"enabled": False, "canary": None}
    assert answer.json() == {"model": "gigachat-pro", "patch": patch, "by": "user:user-1", "at": AT}
    (noted,) = admin.accounts.requests
    assert (noted.order, noted.subject) == ("catalog.override_set", "model:gigachat/pro")
    assert dict(noted.details) == {"enabled": "False", "canary": "None"}
    (order,) = admin.router.providers.orders
    assert (order.model, json.loads(order.patch_json)) == ("gigachat/pro", patch)


async def test_a_price_is_noted_and_sent_exactly(edge: Edge, admin: Backends) -> None:
    """0.07 roubles are 70,000 micro-roubles; cached tokens cost what input costs."""
    answer = await send(edge, "POST", "prices", {**PRICE, "source": "contract 17"})

    (order,) = admin.router.providers.orders
    amounts = (order.price.input_micro_rub_per_1k, order.price.output_micro_rub_per_1k)
    assert (*amounts, order.price.cached_micro_rub_per_1k) == (70_000, 200_000, 70_000)
    assert answer.json() == {
        "model": "GigaChat-2",
        "version": "m@2027-01-01",
        "valid_from": "2026-12-31T21:00:00Z",
        "input": "0.07",
        "output": "0.2",
        "cached": "0.07",
        "source": "contract 17",
        "by": "user:user-1",
        "at": AT,
    }
    (noted,) = admin.accounts.requests
    assert (noted.order, noted.subject) == ("catalog.price_added", "model:GigaChat-2")
    assert (noted.details["input"], noted.details["source"]) == ("0.07", "contract 17")


async def test_a_channel_is_moved(edge: Edge, admin: Backends) -> None:
    """By its alias too; the id comes back."""
    answer = await send(edge, "POST", "channels/yandexgpt", MOVE)

    assert answer.json() == {"channel": "yandexgpt:latest", "model": "yandexgpt-5.1", "since": "2027-01-01T00:00:00Z"}
    (noted,) = admin.accounts.requests
    assert (noted.order, noted.subject) == ("catalog.channel_moved", "channel:yandexgpt")
    (order,) = admin.router.providers.orders
    assert (order.channel, order.model, order.moved_by) == ("yandexgpt", "yandexgpt-5.1", "user:user-1")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "overrides/gigachat", {"enabled": False}),
        ("DELETE", "overrides/gigachat", None),
        ("POST", "prices", PRICE),
        ("POST", "channels/yandexgpt", MOVE),
    ],
)
async def test_an_order_that_cannot_be_noted_is_not_carried_out(
    edge: Edge, admin: Backends, method: str, path: str, body: Any
) -> None:
    """Whose key has the scope, but who is an administrator no longer, changes nothing."""
    admin.accounts.is_administrator = False

    answer = await send(edge, method, path, body)

    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "permission_denied")
    assert admin.router.providers.orders == []


@pytest.mark.parametrize(
    ("method", "path", "body", "param"),
    [
        ("PUT", "overrides/gigachat", {"enabled": "no"}, "enabled"),
        ("PUT", "overrides/gigachat", {"fallbacks": []}, "fallbacks"),
        ("PUT", "overrides/gigachat", {"canary": {"model": "x", "percent": 0}}, "canary.percent"),
        ("POST", "prices", {**PRICE, "input": -1}, "input"),
        ("POST", "prices", {**PRICE, "output": "0.0000001"}, "output"),
        ("POST", "prices", {**PRICE, "valid_from": "2027-01-01T00:00:00"}, "valid_from"),
        ("POST", "prices", {**PRICE, "valid_from": "9999-12-31T23:59:59-12:00"}, "valid_from"),
        ("PUT", "overrides/gigachat", {"shutdown_at": "0001-01-01T00:00:00+14:00"}, "shutdown_at"),
        ("PUT", "overrides/gigachat", {"shutdown_at": 20270630}, "shutdown_at"),
        ("PUT", "overrides/gigachat", {"deprecated_at": "20270630"}, "deprecated_at"),
        ("POST", "prices", {**PRICE, "valid_from": 2**31}, "valid_from"),
        ("POST", "channels/yandexgpt", {**MOVE, "since": 1.5}, "since"),
        ("POST", "channels/yandexgpt", {**MOVE, "since": "tomorrow"}, "since"),
        ("POST", "channels/yandexgpt", {**MOVE, "since": "9999-12-31T23:59:59-12:00"}, "since"),
    ],
)
async def test_a_mistake_is_named_and_nothing_is_noted(
    edge: Edge, admin: Backends, method: str, path: str, body: Any, param: str
) -> None:
    """With its field."""
    answer = await send(edge, method, path, body)

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    assert admin.accounts.requests == []


async def test_overrides_and_prices_are_shown(edge: Edge, admin: Backends) -> None:
    """With who ordered them; null stands for the files."""
    overrides = (await edge.client.get("/v1/admin/catalog/overrides")).json()
    prices = (await edge.client.get("/v1/admin/catalog/prices?model=GigaChat-2")).json()

    switched = {"model": "gigachat-pro", "patch": {"enabled": False}, "by": "user:admin-1", "at": AT}
    gone = {"model": "gigachat", "patch": None, "by": "user:admin-1", "at": AT}
    assert overrides == {"data": [switched], "history": [gone, switched]}
    (price,) = prices["data"]
    assert (price["input"], price["output"], price["cached"]) == ("0.065", "0.13", "0")
    assert (price["valid_from"], price["source"], price["by"], price["at"]) == (AT, "list", None, None)
