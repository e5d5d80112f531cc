"""API keys from outside (rule 45), and the management of clients, grants and sessions."""

import re
import zlib
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from razvilka.auth.v1 import auth_pb2

from tests.oauth_kit.application import use
from tests.oauth_kit.house import House

KEY = re.compile(r"rz_live_([0-9A-Za-z]{30,})([0-9A-Za-z]{6})")
MANAGE = ["keys:read", "keys:write", "models:read", "profile:read", "profile:write", "clients:write"]


@pytest.fixture(scope="module")
def manager(house: House) -> Iterator[httpx.Client]:
    """A client with a key that may manage keys."""
    with house.client() as made:
        key = house.stack.issue_key(scopes=MANAGE)
        made.headers["authorization"] = f"Bearer {key}"
        yield made


def new_key(manager: httpx.Client, **order: Any) -> dict[str, Any]:
    answer = manager.post("/v1/keys", json={"name": "test", "scopes": ["models:read"], **order})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def test_a_key_is_recognisable_and_long(house: House):
    """Rule 45: brand, kind, 178 bits or more, a checksum."""
    assert KEY.fullmatch(house.stack.api_key)


def test_a_slip_of_the_pen_is_refused_before_anything_is_asked(house: House):
    """Rule 45: the checksum does not fit."""
    key = house.stack.api_key
    other = key[:-8] + ("A" if key[-8] != "A" else "B") + key[-7:]

    assert use(house.http, other).status_code == 401
    assert zlib.crc32(other.encode()) != zlib.crc32(key.encode())


def test_a_key_is_shown_once(manager: httpx.Client):
    """Rule 45: afterwards the beginning and the last four characters."""
    made = new_key(manager)

    listed = next(key for key in manager.get("/v1/keys").json()["data"] if key["id"] == made["id"])

    assert KEY.fullmatch(made["key"])
    assert "key" not in listed
    assert made["key"].startswith(listed["prefix"])
    assert made["key"].endswith(listed["last_four"])
    assert made["key"] not in manager.get("/v1/keys").text


def test_a_key_is_kept_as_a_hash(house: House, manager: httpx.Client):
    """Rule 45: what a thief of the table finds opens nothing."""
    made = new_key(manager)

    row = house.stack.query("SELECT k::text AS row FROM auth.api_keys AS k WHERE id::text = $1", made["id"])[0]["row"]

    assert made["key"] not in row
    assert made["key"].encode().hex() not in row


def test_a_key_can_do_no_more_than_its_maker(manager: httpx.Client):
    """Rule 17, for keys."""
    answer = manager.post("/v1/keys", json={"name": "more", "scopes": ["admin"]})

    assert answer.status_code == 403
    assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]


@pytest.mark.parametrize(
    "bounds",
    [
        pytest.param({"models": ["yandexgpt:latest"]}, id="models"),
        pytest.param({"budget_micro_rub": 1_000_000, "budget_period": auth_pb2.BUDGET_PERIOD_MONTH}, id="budget"),
        pytest.param({"ip_allow_list": ["127.0.0.0/8", "::1/128"]}, id="addresses"),
    ],
)
def test_a_bounded_credential_makes_no_freer_one(house: House, bounds: dict[str, Any]):
    """Rule 17: what bounds the maker is known where the key is made."""
    key = house.stack.issue_key(scopes=MANAGE, **bounds)
    order = {"name": "freer", "scopes": ["models:read"], "models": ["gigachat"], "ip_allow_list": ["0.0.0.0/0"]}

    answer = house.http.post("/v1/keys", json=order, headers={"authorization": f"Bearer {key}"})

    assert answer.status_code == 403, answer.text


def test_what_a_maker_leaves_out_is_as_narrow_as_itself(house: House):
    """Rule 17: neither all scopes of a plain key nor all models."""
    key = house.stack.issue_key(scopes=MANAGE, models=["yandexgpt:latest"])

    made = house.http.post("/v1/keys", json={"name": "plain"}, headers={"authorization": f"Bearer {key}"})

    assert made.status_code == 201, made.text
    assert (made.json()["scopes"], made.json()["models"]) == (["models:read"], ["yandexgpt:latest"])


def test_a_stronger_key_of_ones_own_is_not_rotated(house: House, manager: httpx.Client):
    """Rule 17: its successor's secret would be the weaker credential's."""
    strong = new_key(manager, scopes=["models:read", "profile:write"])
    weak = new_key(manager, scopes=["keys:write", "models:read"])

    answer = house.http.post(
        f"/v1/keys/{strong['id']}/rotate", json={}, headers={"authorization": f"Bearer {weak['key']}"}
    )

    assert answer.status_code == 403
    assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]


def test_a_key_does_what_its_scopes_say(house: House, manager: httpx.Client):
    """The same table as for tokens."""
    key = new_key(manager)["key"]

    assert use(house.http, key).status_code == 200
    assert use(house.http, key, "/v1/keys").status_code == 403


def test_a_rotated_key_overlaps_and_a_revoked_one_ends(house: House, manager: httpx.Client, eventually):
    """Rule 45: within seconds, like a token."""
    old = new_key(manager)
    new = manager.post(f"/v1/keys/{old['id']}/rotate", json={"overlap_s": 60}).json()
    assert use(house.http, old["key"]).status_code == 200
    assert use(house.http, new["key"]).status_code == 200

    assert manager.delete(f"/v1/keys/{old['id']}").status_code == 200

    eventually(lambda: use(house.http, old["key"]).status_code == 401)
    assert use(house.http, new["key"]).status_code == 200


def test_somebody_elses_key_cannot_be_touched(house: House, manager: httpx.Client):
    """Ids are no rights."""
    theirs = new_key(manager)
    stranger = {"authorization": f"Bearer {house.stack.issue_key(scopes=MANAGE)}"}

    assert house.http.delete(f"/v1/keys/{theirs['id']}", headers=stranger).status_code in (200, 404)
    assert house.http.post(f"/v1/keys/{theirs['id']}/rotate", json={}, headers=stranger).status_code == 404
    assert use(house.http, theirs["key"]).status_code == 200


def test_keys_in_addresses_open_nothing(house: House):
    """Rule 45: never in URLs."""
    for name in ("key", "api_key", "access_token", "token"):
        assert house.http.get("/v1/models", params={name: house.stack.api_key}).status_code in (400, 401)


def test_secrets_are_not_in_the_logs(house: House, browser, public, confidential):
    """Rule 45: no key, code, verifier, token or password in any log of the suite."""
    given = public.code(browser)
    tokens = public.redeem(given).json()
    own = confidential.tokens(browser)
    house.http.get("/v1/models", params={"access_token": tokens["access_token"]})
    house.http.get("/authorize", params={"code": given.code, "token": tokens["refresh_token"]})
    demo = house.stack.demo
    secrets = [
        given.code, given.verifier, tokens["access_token"], tokens["refresh_token"], own["refresh_token"],
        confidential.secret, demo.api_key, demo.admin_key, demo.demo_password, demo.registration_token,
    ]  # fmt: skip

    for program in ("gateway", "auth", "router", "usage"):
        log = house.stack.log(program).read_text(errors="replace")
        assert not any(secret in log for secret in secrets), program


def test_a_client_is_managed_by_its_owner(house: House, manager: httpx.Client):
    """/v1/clients: made, listed, ended; the secret once."""
    order = {
        "name": "App",
        "confidential": True,
        "redirect_uris": ["https://client.example/cb"],
        "scopes": ["models:read"],
    }
    made = manager.post("/v1/clients", json=order).json()
    assert made["client_secret"]
    assert made["client_secret"] not in manager.get("/v1/clients").text

    for bad in (
        "http://client.example/cb",
        "javascript:alert(1)",
        "https://client.example/cb#x",
        "http://localhost/cb",
    ):
        assert manager.post("/v1/clients", json={**order, "redirect_uris": [bad]}).status_code == 400, bad
    assert manager.delete(f"/v1/clients/{made['client_id']}").status_code == 200
    assert made["client_id"] not in manager.get("/v1/clients").text


BAD_REGISTRATIONS = {
    "http": ({"redirect_uris": ["http://client.example/cb"]}, "invalid_redirect_uri"),
    "localhost": ({"redirect_uris": ["http://localhost/cb"]}, "invalid_redirect_uri"),
    "fragment": ({"redirect_uris": ["https://client.example/cb#x"]}, "invalid_redirect_uri"),
    "userinfo": ({"redirect_uris": ["https://a@client.example/cb"]}, "invalid_redirect_uri"),
    "javascript": ({"redirect_uris": ["javascript:alert(1)"]}, "invalid_redirect_uri"),
    "wildcard": ({"redirect_uris": ["https://*.client.example/cb"]}, "invalid_redirect_uri"),
    "none": ({"redirect_uris": []}, "invalid_redirect_uri"),
    "a string": ({"redirect_uris": "https://client.example/cb"}, "invalid_redirect_uri"),
    "implicit": ({"grant_types": ["implicit"]}, "invalid_client_metadata"),
    "token": ({"response_types": ["token"]}, "invalid_client_metadata"),
    "jwt": ({"token_endpoint_auth_method": "private_key_jwt"}, "invalid_client_metadata"),
    "admin": ({"scope": "admin"}, "invalid_client_metadata"),
    "unknown scope": ({"scope": "everything"}, "invalid_client_metadata"),
    "statement": ({"software_statement": "a.b.c"}, "invalid_client_metadata"),
}


@pytest.mark.parametrize(("changes", "error"), BAD_REGISTRATIONS.values(), ids=BAD_REGISTRATIONS)
def test_a_bad_registration_is_refused(house: House, changes, error: str):
    """Rule 46 (RFC 7591 3.2.2), and rule 1: what may be registered at all."""
    metadata = {"redirect_uris": ["https://client.example/cb"], "token_endpoint_auth_method": "none", **changes}
    headers = {"authorization": f"Bearer {house.stack.demo.registration_token}"}

    answer = house.http.post("/register", json=metadata, headers=headers)

    assert answer.status_code == 400
    assert answer.json()["error"] == error
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("header", [None, "Bearer wrong", "Bearer", "Basic eDp5"])
def test_a_registration_needs_the_initial_token(house: House, header: str | None):
    """Rule 46."""
    metadata = {"redirect_uris": ["https://client.example/cb"], "token_endpoint_auth_method": "none"}

    answer = house.http.post("/register", json=metadata, headers={"authorization": header} if header else {})

    assert answer.status_code == 401
    assert "client_id" not in answer.text
