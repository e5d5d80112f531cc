"""Bad authorization requests: who must see a page, and who may be told by a redirect."""

import pytest

from tests.integration.oauth.answers import assert_error_page, assert_error_redirect, is_code_free
from tests.oauth_kit.application import Application, Pkce
from tests.oauth_kit.house import House
from tools.browser.browser import Browser

WEB = "https://client.example/cb"
LOOPBACK = "http://127.0.0.1:8400/cb"

BAD_CLIENTS = {
    "absent": None,
    "empty": "",
    "unknown": "rz_app_000000000000000000000000",
    "five kilobytes": "a" * 5000,
    "NUL": "rz_app\0",
    "markup": "<script>alert(1)</script>",
}
OTHER_THAN_WEB = {
    "absent": None,
    "empty": "",
    "another host": "https://evil.example/cb",
    "a longer host": "https://client.example.evil.example/cb",
    "another port": "https://client.example:8443/cb",
    "the default port": "https://client.example:443/cb",
    "another scheme": "http://client.example/cb",
    "scheme in capitals": "HTTPS://client.example/cb",
    "host in capitals": "https://CLIENT.example/cb",
    "path in capitals": "https://client.example/CB",
    "a longer path": "https://client.example/cb/more",
    "a longer name": "https://client.example/cbx",
    "a slash": "https://client.example/cb/",
    "dots": "https://client.example/x/../cb",
    "percent": "https://client.example/%63b",
    "a query": "https://client.example/cb?x=1",
    "an empty query": "https://client.example/cb?",
    "a fragment": "https://client.example/cb#x",
    "an empty fragment": "https://client.example/cb#",
    "user information": "https://user@client.example/cb",
    "the host as user": "https://client.example@evil.example/cb",
    "backslash": "https://evil.example\\@client.example/cb",
    "CRLF": "https://client.example/cb\r\nSet-Cookie: a=b",
    "NUL": "https://client.example/cb\0",
    "a blank": " https://client.example/cb",
    "javascript": "javascript:alert(1)//https://client.example/cb",
    "data": "data:text/html,https://client.example/cb",
    "no scheme": "//client.example/cb",
    "a path alone": "/cb",
    "a dot at the end": "https://client.example./cb",
    "another client's": "http://127.0.0.1:8399/callback",
}
OTHER_THAN_LOOPBACK = {
    "localhost": "http://localhost:8400/cb",
    "another path": "http://127.0.0.1:8400/cb2",
    "https": "https://127.0.0.1:8400/cb",
    "another loopback address": "http://127.0.0.2:8400/cb",
    "a longer host": "http://127.0.0.1.evil.example:8400/cb",
    "a port that is none": "http://127.0.0.1:99999/cb",
    "port 0": "http://127.0.0.1:0/cb",
    "a port in words": "http://127.0.0.1:80a/cb",
    "user information": "http://127.0.0.1:8400@evil.example/cb",
    "the address as a number": "http://2130706433:8400/cb",
    "a short address": "http://127.1:8400/cb",
    "IPv6": "http://[::1]:8400/cb",
    "a query": "http://127.0.0.1:8400/cb?x=1",
    "a fragment": "http://127.0.0.1:8400/cb#x",
}
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
# What is changed in a request without fault -> the errors that may be told to the client.
TOLD = {
    "response_type absent": ({"response_type": None}, "invalid_request"),
    "response_type empty": ({"response_type": ""}, "invalid_request"),
    "response_type token": ({"response_type": "token"}, "unsupported_response_type"),
    "response_type id_token": ({"response_type": "id_token"}, "unsupported_response_type"),
    "response_type code token": ({"response_type": "code token"}, "unsupported_response_type"),
    "response_type code id_token": ({"response_type": "code id_token"}, "unsupported_response_type"),
    "response_type none": ({"response_type": "none"}, "unsupported_response_type"),
    "response_type CODE": ({"response_type": "CODE"}, "unsupported_response_type"),
    "challenge absent": ({"code_challenge": None}, "invalid_request"),
    "challenge empty": ({"code_challenge": ""}, "invalid_request"),
    "challenge and method absent": ({"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
    "challenge of 42": ({"code_challenge": CHALLENGE[:-1]}, "invalid_request"),
    "challenge of 44": ({"code_challenge": CHALLENGE + "x"}, "invalid_request"),
    "challenge of 129": ({"code_challenge": "x" * 129}, "invalid_request"),
    "challenge with +": ({"code_challenge": "+" + CHALLENGE[1:]}, "invalid_request"),
    "challenge with =": ({"code_challenge": CHALLENGE + "="}, "invalid_request"),
    "challenge not ASCII": ({"code_challenge": "я" + CHALLENGE[1:]}, "invalid_request"),
    "method plain": ({"code_challenge_method": "plain"}, "invalid_request"),
    "method absent": ({"code_challenge_method": None}, "invalid_request"),
    "method empty": ({"code_challenge_method": ""}, "invalid_request"),
    "method s256": ({"code_challenge_method": "s256"}, "invalid_request"),
    "method S512": ({"code_challenge_method": "S512"}, "invalid_request"),
    "prompt none and login": ({"prompt": "none login"}, "invalid_request"),
    "prompt unknown": ({"prompt": "dance"}, "invalid_request"),
    "request": ({"request": "eyJhbGciOiJub25lIn0.e30."}, "request_not_supported"),
    "request_uri": ({"request_uri": "https://127.0.0.1:1/request.jwt"}, "request_uri_not_supported"),
    "registration": ({"registration": "{}"}, "registration_not_supported"),
    "scope unknown": ({"scope": "models:read everything"}, "invalid_scope"),
    "scope too much": ({"scope": "models:read clients:write"}, "invalid_scope"),
    "scope admin": ({"scope": "admin"}, "invalid_scope"),
    "scope with markup": ({"scope": '"><script>'}, "invalid_scope"),
    "response_mode fragment": ({"response_mode": "fragment"}, "invalid_request"),
    "response_mode form_post": ({"response_mode": "form_post"}, "invalid_request"),
    "max_age negative": ({"max_age": "-1"}, "invalid_request"),
    "nonce of a kilobyte": ({"nonce": "n" * 1024}, "invalid_request"),
}
TWICE = ("response_type", "scope", "state", "code_challenge", "code_challenge_method", "nonce", "prompt")


@pytest.fixture(scope="module")
def web(house: House) -> Application:
    """A client with one https address."""
    return house.register(redirect_uri=WEB)


@pytest.fixture(scope="module")
def native(house: House) -> Application:
    """A client with one loopback address."""
    return house.register(redirect_uri=LOOPBACK)


@pytest.mark.parametrize("client_id", BAD_CLIENTS.values(), ids=BAD_CLIENTS)
def test_an_unknown_client_is_shown_a_page(browser: Browser, web: Application, client_id: str | None):
    """Rules 2, 5; row client_id: whoever asks is not known, so nothing goes anywhere."""
    assert_error_page(browser.get("/authorize", web.request(Pkce.fresh(), client_id=client_id)))


def test_a_client_id_in_another_case_is_unknown(browser: Browser, web: Application):
    """Rule 2; row client_id: ids are compared byte for byte."""
    assert_error_page(browser.get("/authorize", web.request(Pkce.fresh(), client_id=web.client_id.upper())))


def test_a_repeated_client_id_is_shown_a_page(browser: Browser, web: Application, native: Application):
    """Rules 2, 4; row client_id repeated: which of the two it is cannot be told."""
    asked = [*web.request(Pkce.fresh()).items(), ("client_id", native.client_id)]

    assert_error_page(browser.get("/authorize", asked))


@pytest.mark.parametrize("redirect_uri", OTHER_THAN_WEB.values(), ids=OTHER_THAN_WEB)
def test_any_other_redirect_uri_is_shown_a_page(browser: Browser, web: Application, redirect_uri: str | None):
    """Rules 1, 2; row redirect_uri: byte for byte or not at all."""
    assert_error_page(browser.get("/authorize", web.request(Pkce.fresh(), redirect_uri=redirect_uri)))


@pytest.mark.parametrize("redirect_uri", OTHER_THAN_LOOPBACK.values(), ids=OTHER_THAN_LOOPBACK)
def test_of_a_loopback_address_only_the_port_may_vary(browser: Browser, native: Application, redirect_uri: str):
    """Rule 1; row loopback: RFC 8252 7.3 lets the port vary and nothing else."""
    assert_error_page(browser.get("/authorize", native.request(Pkce.fresh(), redirect_uri=redirect_uri)))


def test_another_port_of_a_loopback_address_is_right(browser: Browser, native: Application):
    """Rule 1: a native application listens where there is room."""
    given = native.code(browser, redirect_uri="http://127.0.0.1:51004/cb")

    assert native.redeem(given).status_code == 200


def test_a_repeated_redirect_uri_gives_no_code(browser: Browser, web: Application):
    """Rules 1, 4; row redirect_uri twice, even when both are right."""
    asked = [*web.request(Pkce.fresh()).items(), ("redirect_uri", WEB)]

    assert_error_page(browser.get("/authorize", asked))


@pytest.mark.parametrize("logged_in", [True, False], ids=["member", "stranger"])
@pytest.mark.parametrize(("changes", "error"), TOLD.values(), ids=TOLD)
def test_any_other_error_is_told_to_the_client(
    browser: Browser, stranger: Browser, web: Application, changes, error: str, logged_in: bool
):
    """Rules 3, 5, 6, 7, 9, 15, 16, 17; rows response_type to unknown scope: a redirect, never a code or a form."""
    asked = web.request(Pkce.fresh(), **changes)

    answer = (browser if logged_in else stranger).get("/authorize", asked)

    assert_error_redirect(answer, WEB, browser.url, asked["state"], error)


@pytest.mark.parametrize("name", TWICE)
def test_a_repeated_parameter_gives_no_code(browser: Browser, web: Application, name: str):
    """Rule 4; row state, scope, response_type, challenge, method twice."""
    asked = web.request(Pkce.fresh(), nonce="n", prompt="consent")

    answer = browser.get("/authorize", [*asked.items(), (name, asked[name])])

    state = None if name == "state" else asked["state"]
    assert_error_redirect(answer, WEB, browser.url, state, "invalid_request")


def test_silence_without_a_login_is_login_required(stranger: Browser, web: Application):
    """Rule 15; row prompt=none without session."""
    asked = web.request(Pkce.fresh(), prompt="none")

    answer = stranger.get("/authorize", asked)

    assert_error_redirect(answer, WEB, stranger.url, asked["state"], "login_required")


def test_silence_without_a_consent_is_consent_required(browser: Browser, web: Application):
    """Rules 14, 15: a public client is never let in without asking."""
    asked = web.request(Pkce.fresh(), prompt="none")

    answer = browser.get("/authorize", asked)

    assert_error_redirect(answer, WEB, browser.url, asked["state"], "consent_required", "interaction_required")


def test_a_person_who_says_no_is_access_denied(browser: Browser, web: Application):
    """Rules 3, 9, 14; row user denies."""
    asked = web.request(Pkce.fresh())

    location = browser.walk(browser.get("/authorize", asked), None, decision="deny")

    assert location.startswith(f"{WEB}?error=access_denied")
    assert f"state={asked['state']}" in location
    assert "code=" not in location


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_other_methods_are_not_allowed(browser: Browser, web: Application, method: str):
    """RFC 6749 3.1: GET, and POST if one likes."""
    answer = browser.http.request(method, "/authorize", params=web.request(Pkce.fresh()))

    assert answer.status_code == 405
    assert is_code_free(answer)


def test_a_request_of_a_megabyte_is_refused(browser: Browser, web: Application):
    """Rule 32: no request is that long."""
    asked = web.request(Pkce.fresh(), state="s" * 1_000_000)

    answer = browser.post("/authorize", list(asked.items()))

    assert answer.status_code in (400, 413)
    assert "location" not in answer.headers
