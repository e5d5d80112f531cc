"""Revocation (RFC 7009) and introspection (RFC 7662): rules 33, 34, 36; rows /revoke, /introspect."""

import httpx
import pytest

from tests.integration.oauth.answers import assert_refused
from tests.integration.oauth.jwt_parts import claims_of, segment
from tests.oauth_kit.application import Application, use
from tests.oauth_kit.people import Person
from tools.browser.browser import Browser

DEAD = {"active": False}


def is_active(client: Application, token: str) -> bool:
    return bool(client.introspect(token).json()["active"])


@pytest.mark.parametrize(
    "token", ["unknown", "rz_rt_" + "x" * 43, "a.b.c", "eyJhbGciOiJub25lIn0.e30.", "жетон", "x" * 9000]
)
def test_what_is_no_token_is_revoked_already(public: Application, confidential: Application, token: str):
    """Rule 33; row unknown or dead token: 200."""
    for client in (public, confidential):
        assert client.revoke(token).status_code == 200


def test_a_dead_token_is_revoked_again(browser: Browser, public: Application):
    """Rule 33: twice is once."""
    tokens = public.tokens(browser)

    for token in (tokens["refresh_token"], tokens["refresh_token"], tokens["access_token"]):
        assert public.revoke(token).status_code == 200


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "id_token", "nonsense", ""])
@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
def test_a_hint_is_only_a_hint(browser: Browser, public: Application, confidential: Application, kind: str, hint: str):
    """Rule 34; row wrong hint."""
    tokens = public.tokens(browser)

    answer = public.revoke(tokens[kind], token_type_hint=hint)

    assert answer.status_code == 200
    assert not is_active(confidential, tokens["access_token"])


def test_a_revoked_refresh_token_takes_its_access_tokens_along(
    browser: Browser, public: Application, confidential: Application, eventually
):
    """Rule 34: also those of earlier refreshes, at the gateway too."""
    first = public.tokens(browser)
    second = public.refresh(first["refresh_token"]).json()

    assert public.revoke(second["refresh_token"]).status_code == 200

    for token in (first["access_token"], second["access_token"]):
        assert not is_active(confidential, token)
        eventually(lambda token=token: use(public.http, token).status_code == 401)
    assert_refused(public.refresh(second["refresh_token"]), "invalid_grant")


def test_a_revoked_access_token_leaves_the_grant(browser: Browser, public: Application, eventually):
    """RFC 7009 2.1: only that token ends."""
    tokens = public.tokens(browser)

    assert public.revoke(tokens["access_token"]).status_code == 200

    eventually(lambda: use(public.http, tokens["access_token"]).status_code == 401)
    again = public.refresh(tokens["refresh_token"])
    assert again.status_code == 200
    assert use(public.http, again.json()["access_token"]).status_code == 200


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
def test_another_clients_token_cannot_be_revoked(
    browser: Browser, public: Application, other: Application, confidential: Application, kind: str
):
    """Rule 33; row other client's token: the token lives."""
    tokens = public.tokens(browser)

    answer = other.revoke(tokens[kind])

    assert answer.status_code in (200, 400, 403)
    assert is_active(confidential, tokens["access_token"])
    assert public.refresh(tokens["refresh_token"]).status_code == 200


def test_a_revocation_needs_a_token(public: Application):
    """Rule 33; row no token: 400."""
    assert_refused(public.post("/revoke"), "invalid_request")
    assert_refused(public.post("/revoke", token=""), "invalid_request")


def test_a_revocation_needs_a_client(browser: Browser, public: Application, confidential: Application):
    """Rule 33; row unknown client, wrong secret."""
    token = confidential.tokens(browser)["access_token"]
    http = confidential.http

    assert_refused(
        http.post("/revoke", data={"token": token, "client_id": "unknown"}), "invalid_client", statuses=(400, 401)
    )
    assert_refused(
        http.post("/revoke", data={"token": token}), "invalid_client", "invalid_request", statuses=(400, 401)
    )
    wrong = http.post("/revoke", data={"token": token}, auth=(confidential.client_id, "wrong"))
    assert_refused(wrong, "invalid_client", statuses=(401,))
    assert wrong.headers["www-authenticate"].startswith("Basic")
    unproved = http.post("/revoke", data={"token": token, "client_id": confidential.client_id})
    assert_refused(unproved, "invalid_client", statuses=(400, 401))
    assert is_active(confidential, token)


@pytest.mark.parametrize("path", ["/revoke", "/introspect"])
def test_only_posts_are_taken(confidential: Application, path: str):
    """Row GET: 405."""
    for method in ("GET", "PUT", "DELETE"):
        answer = confidential.http.request(
            method, path, params={"token": "x"}, auth=(confidential.client_id, confidential.secret)
        )

        assert answer.status_code == 405
        assert "POST" in answer.headers["allow"]


@pytest.mark.parametrize("path", ["/revoke", "/introspect"])
def test_a_repeated_token_is_refused(confidential: Application, path: str):
    """Rule 4."""
    answer = confidential.http.post(
        path,
        content="token=a&token=b",
        headers={"content-type": "application/x-www-form-urlencoded"},
        auth=(confidential.client_id, confidential.secret),
    )

    assert_refused(answer, "invalid_request")


def test_introspection_tells_about_a_live_token(browser: Browser, person: Person, public: Application, confidential):
    """RFC 7662 2.2: what a resource server needs."""
    tokens = public.tokens(browser)
    claims = claims_of(tokens["access_token"])

    answer = confidential.introspect(tokens["access_token"])

    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    told = answer.json()
    assert told["active"] is True
    assert told["client_id"] == public.client_id
    assert told["sub"] == person.user_id
    assert set(told["scope"].split()) == {"models:read", "completions:write"}
    assert {name: told[name] for name in ("iss", "aud", "exp", "iat", "jti")} == {
        name: claims[name] for name in ("iss", "aud", "exp", "iat", "jti")
    }


def credentials_that_are_none(public: Application, confidential: Application, token: str):
    return {
        "none": {"data": {"token": token}},
        "wrong secret": {"data": {"token": token}, "auth": (confidential.client_id, "wrong")},
        "unknown client": {"data": {"token": token}, "auth": ("unknown", "wrong")},
        "a public client": {"data": {"token": token, "client_id": public.client_id}},
        "id without secret": {"data": {"token": token, "client_id": confidential.client_id}},
        "the token itself": {"data": {"token": token}, "headers": {"authorization": f"Bearer {token}"}},
    }


@pytest.mark.parametrize(
    "which", ["none", "wrong secret", "unknown client", "a public client", "id without secret", "the token itself"]
)
def test_introspection_needs_a_confidential_client(
    browser: Browser, public: Application, confidential: Application, which: str
):
    """Rule 36; row no or bad credentials: 401."""
    token = public.tokens(browser)["access_token"]
    asked = credentials_that_are_none(public, confidential, token)[which]

    answer = confidential.http.post("/introspect", **asked)

    assert_refused(answer, "invalid_client", "invalid_request", statuses=(401,))
    assert answer.headers["www-authenticate"]


def test_introspection_needs_a_token(confidential: Application):
    """Row no token: 400."""
    assert_refused(confidential.post("/introspect"), "invalid_request")


def forged(token: str) -> list[str]:
    return [
        "",
        "unknown",
        "жетон",
        "a.b.c",
        f"{segment({'alg': 'none', 'typ': 'at+jwt'})}.{token.split('.')[1]}.",
        token[:-4] + "AAAA",
        token + "x",
        f"{token} {token}",
        "x" * 20_000,
    ]


def test_what_is_dead_is_inactive_and_nothing_else(browser: Browser, public: Application, confidential: Application):
    """Rule 36; row dead, garbage, JWT with alg none, code: {"active": false} and no more."""
    given = public.code(browser)
    assert confidential.introspect(given.code).json() == DEAD
    tokens = public.redeem(given).json()
    for token in forged(tokens["access_token"])[1:]:
        assert confidential.introspect(token).json() == DEAD
    public.revoke(tokens["refresh_token"])

    for token in (tokens["access_token"], tokens["refresh_token"], given.code):
        answer = confidential.introspect(token)
        assert answer.status_code == 200
        assert answer.json() == DEAD


def test_another_clients_refresh_token_is_inactive(browser: Browser, public: Application, confidential: Application):
    """Rule 36: refresh tokens only to their own client."""
    theirs, own = public.tokens(browser), confidential.tokens(browser)

    assert confidential.introspect(theirs["refresh_token"]).json() == DEAD
    assert confidential.introspect(own["refresh_token"]).json()["active"] is True


def test_an_id_token_is_inactive(browser: Browser, confidential: Application):
    """Rules 36, 37: it says who somebody is, it opens nothing."""
    tokens = confidential.tokens(browser, scope="openid models:read")

    assert confidential.introspect(tokens["id_token"]).json() == DEAD


@pytest.mark.parametrize("path", ["/token", "/revoke"])
def test_pages_of_other_sites_may_speak_for_public_clients(public: Application, path: str):
    """CORS at /token and /revoke: any page, never with credentials."""
    asked = {"origin": "https://app.example", "access-control-request-method": "POST"}

    answer = public.http.request("OPTIONS", path, headers=asked)

    assert answer.headers["access-control-allow-origin"] in ("*", "https://app.example")
    assert "access-control-allow-credentials" not in answer.headers


def test_pages_of_other_sites_may_not_introspect(confidential: Application):
    """Introspection is between servers."""
    asked = {"origin": "https://app.example", "access-control-request-method": "POST"}

    answer: httpx.Response = confidential.http.request("OPTIONS", "/introspect", headers=asked)

    assert "access-control-allow-origin" not in answer.headers
