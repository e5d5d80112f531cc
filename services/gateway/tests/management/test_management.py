"""The management API: each route behind its scope, nothing for strangers, no key above its maker."""

from __future__ import annotations

from typing import Any

import pytest
from razvilka.auth.v1 import auth_pb2, oauth_pb2

from services.gateway.identity.access import Scope
from services.gateway.management.needs import NEEDS
from services.gateway.tests.backends import KEY, Backends, caller
from services.gateway.tests.conftest import Edge, StartGateway
from services.gateway.tests.identity_backends import EMAIL, PASSWORD

EVERYTHING = [scope.value for scope in Scope]
PRICE = {"model": "gigachat-pro", "valid_from": "2027-01-01T00:00:00+03:00", "input": 0.5, "output": 0.5}
MOVE = {"model": "yandexgpt-5.1", "since": "2027-01-01T00:00:00+03:00"}
ROUTES: dict[tuple[str, str], tuple[str, Any, int]] = {
    ("GET", "/v1/users/me"): ("profile:read", None, 200),
    ("PATCH", "/v1/users/me"): ("profile:write", {"name": "Маша"}, 200),
    ("DELETE", "/v1/users/me"): ("profile:write", {"password": PASSWORD}, 204),
    ("GET", "/v1/users/me/export"): ("profile:read", None, 200),
    ("GET", "/v1/sessions"): ("profile:read", None, 200),
    ("DELETE", "/v1/sessions/sid-1"): ("profile:write", None, 200),
    ("GET", "/v1/grants"): ("profile:read", None, 200),
    ("DELETE", "/v1/grants/grant-1"): ("profile:write", None, 200),
    ("GET", "/v1/keys"): ("keys:read", None, 200),
    ("POST", "/v1/keys"): ("keys:write", {"name": "CI", "scopes": ["keys:write"]}, 201),
    ("POST", "/v1/keys/key-1/rotate"): ("keys:write", {"overlap_s": 60}, 201),
    ("GET", "/v1/keys/key-1"): ("keys:read", None, 200),
    ("PATCH", "/v1/keys/key-1"): ("keys:write", {"name": "CI"}, 200),
    ("DELETE", "/v1/keys/key-1"): ("keys:write", None, 200),
    ("GET", "/v1/users/me/model-names"): ("keys:read", None, 200),
    ("PUT", "/v1/users/me/model-names"): ("keys:write", {"names": {}}, 200),
    ("GET", "/v1/keys/key-1/model-names"): ("keys:read", None, 200),
    ("PUT", "/v1/keys/key-1/model-names"): ("keys:write", {"names": {}}, 200),
    ("GET", "/v1/clients"): ("clients:write", None, 200),
    ("POST", "/v1/clients"): ("clients:write", {"name": "Примус", "redirect_uris": ["https://a.example/cb"]}, 201),
    ("PATCH", "/v1/clients/app-1"): ("clients:write", {"name": "Примус"}, 200),
    ("POST", "/v1/clients/app-1/rotate"): ("clients:write", {"overlap_s": 60}, 200),
    ("DELETE", "/v1/clients/app-1"): ("clients:write", None, 200),
    ("POST", "/v1/admin/users/user-9/disable"): ("admin", None, 200),
    ("POST", "/v1/admin/users/user-9/enable"): ("admin", None, 200),
    ("GET", "/v1/admin/users"): ("admin", None, 200),
    ("PATCH", "/v1/admin/users/user-9"): ("admin", {"tier": "pro"}, 200),
    ("GET", "/v1/admin/audit"): ("admin", None, 200),
    ("POST", "/v1/admin/audit/check"): ("admin", None, 200),
    ("GET", "/v1/admin/abuse"): ("admin", None, 200),
    ("GET", "/v1/admin/providers/circuits"): ("admin", None, 200),
    ("GET", "/v1/admin/providers/history"): ("admin", None, 200),
    ("POST", "/v1/admin/providers/gigachat/drain"): ("admin", {"reason": "maintenance"}, 200),
    ("POST", "/v1/admin/providers/gigachat/undrain"): ("admin", {}, 200),
    ("POST", "/v1/admin/providers/gigachat/reset"): ("admin", {"model": "gigachat-pro"}, 200),
    ("GET", "/v1/admin/catalog/overrides"): ("admin", None, 200),
    ("PUT", "/v1/admin/catalog/overrides/gigachat-pro"): ("admin", {"enabled": False}, 200),
    ("DELETE", "/v1/admin/catalog/overrides/gigachat-pro"): ("admin", None, 200),
    ("GET", "/v1/admin/catalog/prices"): ("admin", None, 400),
    ("POST", "/v1/admin/catalog/prices"): ("admin", PRICE, 200),
    ("POST", "/v1/admin/catalog/channels/yandexgpt:latest"): ("admin", MOVE, 200),
    ("GET", "/v1/admin/models/expiring"): ("admin", None, 200),
    ("POST", "/v1/admin/keys/key-1/disable"): ("admin", None, 200),
    ("POST", "/v1/admin/keys/key-1/enable"): ("admin", None, 200),
    ("POST", "/v1/admin/clients/app-1/disable"): ("admin", None, 200),
    ("POST", "/v1/admin/clients/app-1/enable"): ("admin", None, 200),
    ("POST", "/v1/admin/grants/grant-1/disable"): ("admin", None, 200),
    ("POST", "/v1/admin/grants/grant-1/enable"): ("admin", None, 200),
}


@pytest.fixture
def everything(backends: Backends) -> Backends:
    """Give the test's key every scope."""
    backends.auth.callers[KEY] = caller(scopes=EVERYTHING)
    return backends


async def test_each_route_works_with_its_scope_and_not_without(edge: Edge, backends: Backends) -> None:
    """The one table, seen from outside: 403 names the scope, the scope is enough (rule 41)."""
    seen = {}
    for number, ((method, path), (scope, body, _)) in enumerate(ROUTES.items()):
        for has in (True, False):
            key = f"rz_live_{number}_{has}"
            scopes = {*EVERYTHING} if has else {*EVERYTHING} - {scope}
            backends.auth.callers[key] = caller(scopes=sorted(scopes), key_id=key)
            headers = {"authorization": f"Bearer {key}"}
            answer = await edge.client.request(method, path, headers=headers, json=body)
            seen[method, path, has] = (answer.status_code, answer.headers.get("www-authenticate", ""))

    expected = {}
    for (method, path), (scope, _, status) in ROUTES.items():
        expected[method, path, True] = (status, "")
        expected[method, path, False] = (403, f'Bearer realm="razvilka", error="insufficient_scope", scope="{scope}"')
    assert seen == expected


def test_every_management_route_is_tested_here() -> None:
    """A new row needs a new test."""
    rows = {tuple(row.split(" ", 1)) for needs in NEEDS for row in needs if " " in row}
    names = {
        "sid-1": "{session_id}",
        "grant-1": "{grant_id}",
        "key-1": "{key_id}",
        "app-1": "{client_id}",
        "user-9": "{user_id:path}",
        "gigachat": "{provider}",
        "gigachat-pro": "{model_id:path}",
        "yandexgpt:latest": "{channel}",
    }
    tested = {(method, "/".join(names.get(part, part) for part in path.split("/"))) for method, path in ROUTES}

    assert rows == tested


@pytest.mark.parametrize("path", ["/v1/sessions/sid-9", "/v1/grants/grant-9", "/v1/keys/key-9", "/v1/clients/app-9"])
async def test_what_is_somebody_elses_is_not_there(edge: Edge, everything: Backends, path: str) -> None:
    """404, as for what never was."""
    answer = await edge.client.delete(path)

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


async def test_what_is_not_there_is_named_as_in_its_path(edge: Edge, everything: Backends) -> None:
    """The services call it `id`, which no caller has said."""
    answer = await edge.client.delete("/v1/sessions/sid-9")

    assert answer.json()["error"]["param"] == "session_id"


async def test_a_name_is_refused_at_the_length_that_is_described(edge: Edge, everything: Backends) -> None:
    """Auth keeps a hundred characters."""
    kept = await edge.client.patch("/v1/users/me", json={"name": "x" * 100})
    refused = await edge.client.patch("/v1/users/me", json={"name": "x" * 101})

    described = (await edge.client.get("/openapi.json")).json()["components"]["schemas"]["ProfileChange"]
    assert described["properties"]["name"]["anyOf"][0]["maxLength"] == 100
    assert (kept.status_code, refused.status_code, refused.json()["error"]["param"]) == (200, 400, "name")


async def test_a_page_that_is_none_is_named_as_it_was_asked_for(edge: Edge, everything: Backends) -> None:
    """Auth calls it a token."""
    answer = await edge.client.get("/v1/keys", params={"page": "garbage"})

    assert answer.json()["error"]["param"] == "page"


async def test_the_profile_is_read_and_changed(edge: Edge, everything: Backends) -> None:
    """Only fields that a user may change; unknown ones are mistakes."""
    read = await edge.client.get("/v1/users/me")
    changed = await edge.client.patch("/v1/users/me", json={"language": "en", "time_zone": "Asia/Omsk"})
    grabbed = await edge.client.patch("/v1/users/me", json={"tier": "enterprise"})
    odd = await edge.client.patch("/v1/users/me", json={"language": "fr"})

    assert (read.json()["email"], read.json()["tier"]) == (EMAIL, "pro")
    assert (changed.json()["language"], changed.json()["time_zone"]) == ("en", "Asia/Omsk")
    assert [answer.status_code for answer in (grabbed, odd)] == [400, 400]
    assert grabbed.json()["error"]["param"] == "tier"


async def test_leaving_takes_the_password(edge: Edge, everything: Backends) -> None:
    """A stolen key alone deletes nobody."""
    answer = await edge.client.request("DELETE", "/v1/users/me", json={"password": "wrong"})

    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "invalid_credentials")


async def test_a_key_is_shown_once(edge: Edge, everything: Backends) -> None:
    """The secret is in the answer that makes it; lists have prefix and last four (rule 45)."""
    order = {"name": "CI", "scopes": ["models:read"], "budget": {"limit_micro_rub": 5_000_000, "period": "month"}}
    made = await edge.client.post("/v1/keys", json={**order, "expires_at": "2027-01-01T00:00:00+03:00"})
    listed = await edge.client.get("/v1/keys")

    ordered = everything.auth.ordered
    assert (made.status_code, made.json()["key"]) == (201, "rz_live_fresh")
    assert made.headers["cache-control"] == "no-store"
    assert (ordered.user_id, ordered.budget_micro_rub) == ("user-1", 5_000_000)
    assert ordered.budget_period == auth_pb2.BUDGET_PERIOD_MONTH
    assert ordered.expires_at.ToJsonString() == "2026-12-31T21:00:00Z"
    (row,) = listed.json()["data"]
    assert "key" not in row
    assert (row["prefix"], row["last_four"], row["last_used_at"]) == ("rz_live_Ab3d", "wxyz", None)


async def test_the_end_of_a_new_key_needs_a_time_zone(edge: Edge, everything: Backends) -> None:
    """The sentence names the field, too, as where a key is changed."""
    answer = await edge.client.post("/v1/keys", json={"name": "CI", "expires_at": "2027-01-01T00:00:00"})

    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (400, "expires_at")
    assert error["message"].endswith("(field `expires_at`).")
    assert everything.auth.ordered is None


async def test_a_key_for_a_model_that_does_not_exist_is_not_made(edge: Edge, everything: Backends) -> None:
    """It would refuse every request it is made for."""
    answer = await edge.client.post("/v1/keys", json={"name": "CI", "models": ["gigachat-pro", "yandexgtp"]})

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "models[1]")
    assert everything.auth.ordered is None


@pytest.mark.parametrize(
    ("held", "asked", "ordered"),
    [
        ([], ["yandexgpt", "yandexgpt:latest", "gigachat/pro"], ["yandexgpt:latest", "gigachat-pro"]),
        (["yandexgpt:latest"], ["yandexgpt"], ["yandexgpt:latest"]),
        (["gigachat/pro"], ["gigachat-pro"], ["gigachat/pro"]),
    ],
)
async def test_models_of_a_new_key_are_named_as_the_catalogue_does(
    edge: Edge, backends: Backends, held: list[str], asked: list[str], ordered: list[str]
) -> None:
    """A maker limited to a model may name its alias, and one limited to an alias the model."""
    backends.auth.callers[KEY] = caller(scopes=EVERYTHING, models=held)

    answer = await edge.client.post("/v1/keys", json={"name": "CI", "models": asked})

    assert answer.status_code == 201
    assert list(backends.auth.ordered.models) == ordered


async def test_a_rotated_key_overlaps_with_its_successor(edge: Edge, everything: Backends) -> None:
    """The old one goes on for as long as is asked."""
    answer = await edge.client.post("/v1/keys/key-1/rotate", json={"overlap_s": 600})
    unknown = await edge.client.post("/v1/keys/key-9/rotate", json={})

    assert (answer.status_code, answer.json()["key"]) == (201, "rz_live_rotated")
    assert (everything.auth.ordered.key_id, everything.auth.ordered.overlap_s) == ("key-1", 600)
    assert unknown.status_code == 404


BUDGET = auth_pb2.Budget(subject="key:key-1", period=auth_pb2.BUDGET_PERIOD_DAY, limit_micro_rub=1)
MAKES: dict[str, tuple[str, dict[str, Any]]] = {
    "a new key": ("/v1/keys", {"name": "CI"}),
    "a rotated key": ("/v1/keys/key-1/rotate", {}),
    "an application": ("/v1/clients", {"name": "CLI"}),
}


@pytest.mark.parametrize(("path", "order"), MAKES.values(), ids=MAKES.keys())
async def test_auth_is_told_what_the_maker_may_do_itself(
    edge: Edge, backends: Backends, path: str, order: dict[str, Any]
) -> None:
    """It decides by that; what the order leaves out, the gateway does not fill in."""
    bounds: dict[str, Any] = {"models": ["gigachat-pro"], "ip_allow_list": ["127.0.0.0/8"], "budgets": [BUDGET]}
    backends.auth.callers[KEY] = caller(**{"scopes": EVERYTHING, **bounds})

    answer = await edge.client.post(path, json=order)

    asked = backends.oauth.requests[-1] if path == "/v1/clients" else backends.auth.ordered
    assert answer.status_code == 201, answer.text
    assert asked.maker == auth_pb2.Authority(
        scopes=sorted(EVERYTHING), subject=f"key:{backends.auth.callers[KEY].key_id}", **bounds
    )


async def test_a_clients_secret_is_shown_once(edge: Edge, everything: Backends) -> None:
    """Public applications have none."""
    public = await edge.client.post("/v1/clients", json={"name": "CLI"})
    secret = await edge.client.post("/v1/clients", json={"name": "Server", "confidential": True})
    listed = await edge.client.get("/v1/clients")

    orders = [request for request in everything.oauth.requests if isinstance(request, oauth_pb2.CreateClientRequest)]
    assert (public.json()["client_secret"], secret.json()["client_secret"]) == (None, "rz_cs_1")
    assert "client_secret" not in listed.json()["data"][0]
    assert orders[0].owner_user_id == "user-1"


async def test_grants_show_their_cap(edge: Edge, everything: Backends) -> None:
    """What the user allowed, in micro-roubles."""
    answer = await edge.client.get("/v1/grants")

    (grant,) = answer.json()["data"]
    assert grant["budget"] == {"limit_micro_rub": 500_000_000, "period": "month"}


async def test_the_description_names_the_scopes_routes(edge: Edge) -> None:
    """The management API is in /openapi.json, with security."""
    described = (await edge.client.get("/openapi.json")).json()["paths"]

    assert described["/v1/keys"]["post"]["security"] == [{"key": ["keys:write"]}, {"oauth": ["keys:write"]}]
    assert {"get", "patch", "delete"} <= described["/v1/users/me"].keys()


async def test_administrators_may_have_a_listener_of_their_own(
    start_gateway: StartGateway, everything: Backends, free_port: int
) -> None:
    """Then the API's port knows nothing of /v1/admin, whatever the credential; the other one does."""
    edge = await start_gateway(admin_port=free_port)
    path = "/v1/admin/users/user-9/disable"

    public = await edge.client.post(path)
    private = await edge.client.post(f"http://127.0.0.1:{free_port}{path}")
    stranger = await edge.client.post(f"http://127.0.0.1:{free_port}{path}", headers={"authorization": "Bearer nobody"})

    assert (public.status_code, public.json()["error"]["code"]) == (404, "not_found")
    assert (private.status_code, stranger.status_code) == (200, 401)
    assert len([each for each in everything.accounts.requests if hasattr(each, "admin_user_id")]) == 1
