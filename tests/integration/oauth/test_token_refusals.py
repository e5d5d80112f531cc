"""Bad requests of the token endpoint (rules 20 to 25)."""

import httpx
import pytest

from tests.integration.oauth.answers import assert_no_leak, assert_refused
from tests.integration.oauth.token_requests import CODE, FORM, body_of
from tests.oauth_kit.application import Application
from tests.oauth_kit.house import House
from tools.browser.browser import Browser


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "HEAD"])
def test_only_post_gives_tokens(browser: Browser, public: Application, method: str):
    """Rule 20; row GET, PUT, DELETE, PATCH."""
    given = public.code(browser)

    answer = public.http.request(method, "/token", data=body_of(given, public))

    assert answer.status_code == 405
    assert "access_token" not in answer.text
    assert public.redeem(given).status_code == 200, "the code must have been left alone"


@pytest.mark.parametrize("kind", ["json", "text", "multipart", "none"])
def test_only_forms_give_tokens(browser: Browser, public: Application, kind: str):
    """Rule 20; row JSON, text/plain."""
    body = body_of(public.code(browser), public)
    sent = {
        "json": lambda: public.http.post("/token", json=body),
        "text": lambda: public.http.post(
            "/token", content=str(httpx.QueryParams(body)), headers={"content-type": "text/plain"}
        ),
        "multipart": lambda: public.http.post("/token", files={name: (None, value) for name, value in body.items()}),
        "none": lambda: public.http.post("/token", content=str(httpx.QueryParams(body))),
    }

    assert_refused(sent[kind](), "invalid_request", statuses=(400, 415))


def test_parameters_in_the_query_give_no_token(browser: Browser, public: Application):
    """Rule 20; row parameters in the query: addresses are logged."""
    body = body_of(public.code(browser), public)

    assert_refused(public.http.post("/token", params=body), "invalid_request")
    assert_refused(public.http.post("/token", params=body, data=body), "invalid_request")


@pytest.mark.parametrize(
    ("grant_type", "error"),
    [
        (None, "invalid_request"),
        ("", "invalid_request"),
        ("implicit", "unsupported_grant_type"),
        ("password", "unsupported_grant_type"),
        ("Authorization_Code", "unsupported_grant_type"),
        ("urn:ietf:params:oauth:grant-type:jwt-bearer", "unsupported_grant_type"),
        ("authorization_code\0", "invalid_request"),
    ],
)
def test_grant_types_that_are_not_ours(public: Application, grant_type: str | None, error: str):
    """Rule 7; row grant_type absent, unknown, password."""
    asked = {"username": "demo@example.com", "password": "x", "code": CODE.code, "code_verifier": CODE.verifier}

    assert_refused(public.token(grant_type=grant_type, **asked), error)


@pytest.mark.parametrize("name", ["grant_type", "code", "code_verifier", "redirect_uri", "client_id", "unknown"])
def test_a_repeated_parameter_is_refused(browser: Browser, public: Application, name: str):
    """Rules 4, 20; row any parameter twice."""
    body = {**body_of(public.code(browser), public), "unknown": "x"}
    content = str(httpx.QueryParams([*body.items(), (name, body[name])]))

    answer = public.http.post("/token", content=content, headers=FORM)

    assert_refused(answer, "invalid_request", "invalid_client", statuses=(400, 401))


BAD_CODES = {
    "absent": (None, {"invalid_request"}),
    "empty": ("", {"invalid_request"}),
    "unknown": (CODE.code, {"invalid_grant"}),
    "of another kind": ("rz_rt_" + "x" * 43, {"invalid_grant"}),
    "short": ("x", {"invalid_grant"}),
    "NUL": ("rz_ac_\0", {"invalid_grant", "invalid_request"}),
    "not ASCII": ("код", {"invalid_grant", "invalid_request"}),
    "ten kilobytes": ("x" * 10_240, {"invalid_grant", "invalid_request"}),
}


@pytest.mark.parametrize(("code", "errors"), BAD_CODES.values(), ids=BAD_CODES)
def test_codes_that_are_none(public: Application, code: str | None, errors: set[str]):
    """Row code absent, unknown, NUL."""
    assert_refused(public.redeem(CODE, code=code), *errors)


def test_a_code_that_is_not_utf8_is_refused(public: Application):
    """Row code not UTF-8."""
    content = f"grant_type=authorization_code&client_id={public.client_id}&code=%ff%fe&code_verifier={'v' * 43}"

    assert_refused(public.http.post("/token", content=content, headers=FORM), "invalid_grant", "invalid_request")
    raw = public.http.post("/token", content=b"code=\xff\xfe&grant_type=authorization_code", headers=FORM)
    assert_refused(raw, "invalid_grant", "invalid_request", "invalid_client", statuses=(400, 401))


def test_a_body_of_two_megabytes_is_refused(public: Application):
    """Rule 32; row code of 2 MB: 400 or 413, whatever the server has read of it by then."""
    try:
        answer = public.redeem(CODE, code="x" * 2_000_000)
    except httpx.WriteError:
        return
    assert_refused(answer, "invalid_request", statuses=(400, 413))


def test_a_used_code_is_refused(browser: Browser, public: Application):
    """Rule 26; row code used."""
    given = public.code(browser)
    assert public.redeem(given).status_code == 200

    assert_refused(public.redeem(given), "invalid_grant")


def test_an_expired_code_is_refused(house: House, browser: Browser, public: Application):
    """Rule 19; row code expired: its minute is put into the past."""
    given = public.code(browser)
    house.stack.query("UPDATE auth.oauth_codes SET expires_at = created_at - interval '1 second' WHERE used_at IS NULL")

    assert_refused(public.redeem(given), "invalid_grant")


def test_a_code_lives_a_minute_at_most(house: House, browser: Browser, public: Application):
    """Rule 19: by the database's own account."""
    public.code(browser)
    row = house.stack.query("SELECT max(expires_at - created_at) AS life FROM auth.oauth_codes")[0]

    assert row["life"].total_seconds() <= 60


def test_another_clients_code_is_refused_and_lives(browser: Browser, public: Application, other: Application):
    """Rules 19, 23; row code of another client: and the thief cannot even spoil it."""
    given = public.code(browser)

    assert_refused(other.redeem(given), "invalid_grant")
    assert public.redeem(given).status_code == 200


BAD_VERIFIERS = {
    "absent": (lambda given: None, {"invalid_request", "invalid_grant"}),
    "empty": (lambda given: "", {"invalid_request", "invalid_grant"}),
    "of 42": (lambda given: "v" * 42, {"invalid_request", "invalid_grant"}),
    "of 129": (lambda given: "v" * 129, {"invalid_request", "invalid_grant"}),
    "padded": (lambda given: given.verifier + "=", {"invalid_request", "invalid_grant"}),
    "with a blank": (lambda given: given.verifier[:-1] + " ", {"invalid_request", "invalid_grant"}),
    "another one": (lambda given: "w" * 64, {"invalid_grant"}),
    "in other case": (lambda given: given.verifier.swapcase(), {"invalid_grant"}),
}


@pytest.mark.parametrize(("verifier", "errors"), BAD_VERIFIERS.values(), ids=BAD_VERIFIERS)
def test_a_verifier_that_does_not_fit_is_refused(browser: Browser, public: Application, verifier, errors: set[str]):
    """Rule 24; row verifier absent, short, long, padded, wrong."""
    given = public.code(browser)

    assert_refused(public.redeem(given, code_verifier=verifier(given)), *errors)


def test_the_challenge_is_no_verifier(browser: Browser, public: Application, house: House):
    """Rules 6, 24; row verifier = challenge: what went through the browser opens nothing."""
    given = public.code(browser, code_challenge="E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM")

    answer = public.redeem(given, code_verifier="E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM")

    assert_refused(answer, "invalid_grant")


@pytest.mark.parametrize(
    "redirect_uri",
    ["http://127.0.0.1:8399/callback2", "http://127.0.0.1:8400/callback", "https://evil.example/"],
)
def test_another_redirect_uri_is_refused(browser: Browser, public: Application, redirect_uri: str):
    """Rule 25; row redirect_uri different."""
    assert_refused(public.redeem(public.code(browser), redirect_uri=redirect_uri), "invalid_grant")


def test_no_answer_may_be_kept(browser: Browser, public: Application):
    """Rules 22, 28: no-store, JSON, Bearer, expires_in of 15 minutes at most."""
    answer = public.redeem(public.code(browser))

    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"].startswith("application/json")
    token = answer.json()
    assert token["token_type"] == "Bearer"
    assert 0 < token["expires_in"] <= 900
    assert set(token["scope"].split()) == {"models:read", "completions:write"}


@pytest.mark.parametrize("path", ["/token", "/par", "/revoke", "/introspect", "/device_authorization", "/register"])
@pytest.mark.parametrize(
    "content", [b"", b"\0", b"%", b"=&=&=", b"a" * 70_000, b"&" * 50_000, b"\xff" * 100, b"{" * 10_000],
    ids=["empty", "NUL", "percent", "equals", "70 kB", "ampersands", "not UTF-8", "braces"],
)  # fmt: skip
@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "application/json"])
def test_rubbish_never_breaks_anything(house: House, path: str, content: bytes, content_type: str):
    """Row any: no 5xx, no stack trace, JSON of the protocol."""
    headers = {"content-type": content_type, "authorization": f"Bearer {house.stack.demo.registration_token}"}

    try:
        answer = house.http.post(path, content=content, headers=headers)
    except httpx.WriteError:
        return

    assert_no_leak(answer)
    assert 400 <= answer.status_code < 500
    assert answer.json()["error"]
