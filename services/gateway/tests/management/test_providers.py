"""/v1/admin/providers: orders are noted before they count, and administrators see what the routers know."""

from __future__ import annotations

from typing import Any

import pytest

from services.gateway.identity.access import Scope
from services.gateway.tests.backends import KEY, Backends, caller
from services.gateway.tests.conftest import Edge


@pytest.fixture
def admin(backends: Backends) -> Backends:
    """Give the test's key the scope of administrators."""
    backends.auth.callers[KEY] = caller(scopes=[Scope.ADMIN.value])
    return backends


async def post(edge: Edge, path: str, body: Any) -> Any:
    return await edge.client.post(f"/v1/admin/providers/{path}", json=body)


async def test_a_drain_is_noted_and_carried_out(edge: Edge, admin: Backends) -> None:
    """With who ordered it, and why."""
    answer = await post(edge, "gigachat/drain", {"model": "gigachat-pro", "reason": "costs"})

    assert answer.json() == {"provider": "gigachat", "credential": None, "model": "gigachat-pro", "drained": True}
    (noted,) = admin.accounts.requests
    assert (noted.admin_user_id, noted.order, noted.subject) == ("user-1", "provider.drain", "provider:gigachat")
    assert dict(noted.details) == {"model": "gigachat-pro", "reason": "costs"}
    (order,) = admin.router.providers.orders
    assert (order.scope.model, order.drained, order.reason, order.drained_by) == (
        "gigachat-pro",
        True,
        "costs",
        "user:user-1",
    )


@pytest.mark.parametrize("path", ["gigachat/drain", "gigachat/undrain", "gigachat/reset"])
async def test_an_order_that_cannot_be_noted_is_not_carried_out(edge: Edge, admin: Backends, path: str) -> None:
    """Whose key has the scope, but who is an administrator no longer, changes nothing."""
    admin.accounts.is_administrator = False

    answer = await post(edge, path, {})

    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "permission_denied")
    assert admin.router.providers.orders == []


@pytest.mark.parametrize(
    ("path", "body", "status", "param"),
    [
        ("nobody/drain", {}, 404, "provider"),
        ("gigachat/drain", {"modle": "x"}, 400, "modle"),
        ("gigachat/drain", {"reason": "x" * 501}, 400, "reason"),
        ("gigachat/reset", {"model": 7}, 400, "model"),
    ],
)
async def test_a_mistake_is_named(edge: Edge, admin: Backends, path: str, body: Any, status: int, param: str) -> None:
    """With its field."""
    answer = await post(edge, path, body)

    assert (answer.status_code, answer.json()["error"]["param"]) == (status, param)


async def test_circuits_and_drains_are_shown(edge: Edge, admin: Backends) -> None:
    """Null stands for all of a provider, and for what has not been."""
    answer = (await edge.client.get("/v1/admin/providers/circuits")).json()

    at = "2026-11-23T12:00:00Z"
    assert answer["data"] == [
        {
            "provider": "gigachat",
            "credential": "default",
            "model": "gigachat-pro",
            "state": "open",
            "cause": "failures",
            "since": at,
            "until": at,
            "openings": 2,
            "cooling_until": None,
            "drained": False,
        }
    ]
    assert answer["drains"] == [
        {
            "provider": "gigachat",
            "credential": None,
            "model": None,
            "reason": "maintenance",
            "by": "user:admin-1",
            "at": at,
        }
    ]


async def test_past_statuses_are_shown(edge: Edge, admin: Backends) -> None:
    """Of one provider or model, as many as wanted."""
    path = "/v1/admin/providers/history?provider=gigachat&model=gigachat-pro&limit=5"
    answer = (await edge.client.get(path)).json()

    assert answer["data"] == [
        {
            "provider": "gigachat",
            "model": "gigachat-pro",
            "status": "down",
            "reason": "drained",
            "success_rate": 0.5,
            "began_at": "2026-11-23T12:00:00Z",
        }
    ]
    (asked,) = admin.router.providers.orders
    assert (asked.provider, asked.model, asked.limit) == ("gigachat", "gigachat-pro", 5)


async def test_what_was_reset_is_told(edge: Edge, admin: Backends) -> None:
    """By its scope."""
    answer = await post(edge, "gigachat/reset", {"model": "gigachat-pro"})

    assert answer.json() == {"reset": [{"provider": "gigachat", "credential": None, "model": "gigachat-pro"}]}
