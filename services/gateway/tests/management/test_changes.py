"""One key, one application: which fields auth is told of, and which it is not."""

from __future__ import annotations

from typing import Any

import pytest
from razvilka.auth.v1 import oauth_pb2

from services.gateway.tests.backends import KEY, Backends, caller
from services.gateway.tests.conftest import Edge


@pytest.fixture
def everything(backends: Backends) -> Backends:
    """Let the test's key manage keys and applications."""
    backends.auth.callers[KEY] = caller(scopes=["keys:read", "keys:write", "clients:write"])
    return backends


async def test_only_what_a_body_gives_is_changed_of_a_key(edge: Edge, everything: Backends) -> None:
    """Null ends no field but the expiry, which it takes away; models are called by their ids."""
    body: dict[str, Any] = {"models": ["yandexgpt"], "expires_at": None, "cache": {"mode": "on", "ttl_s": 60}}

    changed = await edge.client.patch("/v1/keys/key-1", json=body)

    asked = everything.auth.ordered
    assert changed.status_code == 200
    assert changed.json()["first_key_id"] == "key-1"
    assert "key" not in changed.json()
    assert sorted(asked.changed) == ["cache_ttl_s", "expires_at", "models"]
    assert (list(asked.models), asked.HasField("expires_at"), asked.cache_ttl_s) == (["yandexgpt:latest"], False, 60)
    assert (asked.maker.subject, asked.session_id) == ("key:key-1", "")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "name"), ({"expires_at": "2027-01-01T00:00:00"}, "expires_at"), ({"models": ["none"]}, "models[0]"),
        ({"expires_at": "9999-12-31T23:59:59-12:00"}, "expires_at"),
        ({"expires_at": "0001-01-01T00:00:00+14:00"}, "expires_at"),
        ({"scopes": []}, "scopes"), ({"budget": None}, "budget"),
        ({"cache": {"mode": "on", "ttl_s": 10**9}}, "cache.ttl_s"),
    ],
)  # fmt: skip
async def test_a_change_of_a_key_that_says_nothing_or_nonsense_is_refused_by_name(
    edge: Edge, everything: Backends, body: dict[str, Any], param: str
) -> None:
    """Before auth is asked."""
    refused = await edge.client.patch("/v1/keys/key-1", json=body)

    assert (refused.status_code, refused.json()["error"]["param"]) == (400, param)
    assert everything.auth.ordered is None


async def test_an_application_is_changed_and_its_fresh_secret_is_shown_once(edge: Edge, everything: Backends) -> None:
    """Under the names that auth has for its fields."""
    body = {"redirect_uris": ["https://a.example/cb"], "dpop_bound_access_tokens": False}
    changed = await edge.client.patch("/v1/clients/app-1", json=body)
    nothing = await edge.client.patch("/v1/clients/app-1", json={})
    rotated = await edge.client.post("/v1/clients/app-1/rotate", json={})

    change, rotation = everything.oauth.requests[-2:]
    assert (changed.status_code, nothing.status_code, rotated.status_code) == (200, 400, 200)
    assert isinstance(change, oauth_pb2.ChangeClientRequest)
    assert sorted(change.changed) == ["dpop_bound", "redirect_uris"]
    assert (rotated.json()["client_secret"], rotation.overlap_s) == ("rz_cs_2", 86_400)
    assert "client_secret" not in changed.json()
