"""Keys and applications are made soon after a person proved who they are (RFC 9470 3; oauth rule 50)."""

from __future__ import annotations

import re
import time
from typing import Any

import httpx
import pytest

from servicekit.clock import SystemClock
from services.gateway.clients.caller import Caller
from services.gateway.identity.step_up import StepUp
from services.gateway.tests.backends import Backends, caller
from services.gateway.tests.conftest import Edge
from services.gateway.tests.identity_backends import access_token
from tools.stack.home import REPOSITORY

SCOPES = "keys:read keys:write clients:write"
# As the page of OAuth names them, in its order.
ORDERS: dict[str, dict[str, Any] | None] = {
    "POST /v1/keys": {"name": "mine"},
    "PATCH /v1/keys/{id}": {"name": "mine"},
    "POST /v1/keys/{id}/rotate": {},
    "PUT /v1/keys/{id}/model-names": {"names": {}},
    "PUT /v1/users/me/model-names": {"names": {}},
    "POST /v1/clients": {"name": "mine", "redirect_uris": ["https://app.example.com/callback"]},
    "PATCH /v1/clients/{client_id}": {"name": "mine"},
    "POST /v1/clients/{client_id}/rotate": {},
    "POST /v1/budgets": {"period": "month", "limit_rub": "100"},
    "PATCH /v1/budgets/{id}": {"limit_rub": "100"},
    "DELETE /v1/budgets/{id}": None,
}
PAGE = REPOSITORY / "docs" / "api" / "oauth.md"
CHALLENGE = 'Bearer realm="razvilka", error="insufficient_user_authentication", max_age="600"'


@pytest.fixture(autouse=True)
def grant(backends: Backends) -> None:
    """Let the grant manage."""
    backends.oauth.grants["grant-1"] = caller(grant_id="grant-1", key_id="", scopes=SCOPES.split())


async def order(edge: Edge, name: str, **claims: Any) -> httpx.Response:
    """Make or change something with a token."""
    token = access_token(scope=SCOPES, jti=f"{name} {claims}", **claims)
    method, _, path = name.partition(" ")
    url, headers = re.sub(r"\{\w+\}", "one", path), {"authorization": f"Bearer {token}"}
    return await edge.client.request(method, url, json=ORDERS[name], headers=headers)


@pytest.mark.parametrize("name", ORDERS)
async def test_an_old_proof_is_not_enough(edge: Edge, backends: Backends, name: str) -> None:
    """401 with what the client must ask for; nothing is made."""
    answer = await order(edge, name, auth_time=int(time.time()) - 3600)

    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, CHALLENGE)
    assert answer.json()["error"]["code"] == "insufficient_user_authentication"
    assert answer.json()["error"]["details"]["max_age"] == "600"
    assert "max_age=600" in answer.json()["error"]["message"]


@pytest.mark.parametrize("name", ORDERS)
async def test_a_fresh_proof_and_nobody_at_all_are(edge: Edge, name: str) -> None:
    """A person who has just logged in; an application in its own name."""
    answers = [await order(edge, name, auth_time=int(time.time()) - 60), await order(edge, name)]

    assert "insufficient_user_authentication" not in {answer.json().get("error", {}).get("code") for answer in answers}
    assert {answer.status_code for answer in answers} <= {200, 201, 404}


def test_the_page_names_every_order_that_wants_a_recent_login() -> None:
    """An application that was not told is refused in the middle of what its user wanted."""
    section = PAGE.read_text(encoding="utf-8").partition("### When a recent login is needed")[2].partition("## ")[0]

    assert re.findall(r"`((?:POST|PATCH|PUT|DELETE) /[^`]+)`", section) == list(ORDERS)


async def test_reading_needs_no_step_up(edge: Edge) -> None:
    """Nor ending: whoever wants less is not asked for more."""
    token = access_token(scope=SCOPES, auth_time=int(time.time()) - 3600, jti="old")
    headers = {"authorization": f"Bearer {token}"}

    answers = [
        await edge.client.get("/v1/keys", headers=headers),
        await edge.client.get("/v1/clients", headers=headers),
    ]

    assert [answer.status_code for answer in answers] == [200, 200]


async def test_a_time_that_is_none_is_no_token(edge: Edge) -> None:
    """auth_time must be a number."""
    answers = [await order(edge, "POST /v1/keys", auth_time=value) for value in ("now", True)]

    assert [answer.json()["error"]["code"] for answer in answers] == ["invalid_token"] * 2


def test_it_can_be_switched_off() -> None:
    """GATEWAY_OAUTH_STEP_UP_MAX_AGE_S=0."""
    old = Caller("user-1", "", "", "free", frozenset(), authenticated_at_s=0.0)

    StepUp(SystemClock(), 0).check(old)
