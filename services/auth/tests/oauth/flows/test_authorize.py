"""The authorization endpoint (oauth rules 1 to 9 and 14 to 19): first what must not work."""

from __future__ import annotations

from urllib.parse import quote

from services.auth.tests.oauth.conftest import ISSUER
from services.auth.tests.oauth.flow import CHALLENGE, REDIRECT_URI, Flow, query_of

BAD_REDIRECT_URIS = [
    "http://127.0.0.1:8399/callback/",
    "http://127.0.0.1:8399/callback/more",
    "http://127.0.0.1:8399/Callback",
    "http://127.0.0.1:8399/../callback",
    "http://127.0.0.1:8399/%63allback",
    "http://127.0.0.1:8399/callback?x=1",
    "http://127.0.0.1:8399/callback#x",
    "http://user@127.0.0.1:8399/callback",
    "http://127.0.0.1:8399/callback\r\nX: y",
    "http://127.0.0.1:8399/callback\x00",
    "http://127.0.0.1:8399\\@evil.example/callback",
    "http://127.0.0.1:0/callback",
    "http://127.0.0.1:99999/callback",
    "http://127.0.0.1:8399x/callback",
    "http://127.0.0.1.evil.example:8399/callback",
    "http://127.0.0.2:8399/callback",
    "https://127.0.0.1:8399/callback",
    "HTTP://127.0.0.1:8399/callback",
    "http://localhost:8399/callback",
    "http://[::1]:8399/callback",
    "//127.0.0.1:8399/callback",
    "javascript:alert(1)",
    "https://app.example.ru/callback",
    "x" * 5000,
]


BAD_REQUESTS: list[tuple[str, dict[str, str | None], str]] = [
    ("no response_type", {"response_type": None}, "invalid_request"),
    ("rule 5: empty is omitted", {"response_type": ""}, "invalid_request"),
    ("rule 7: implicit", {"response_type": "token"}, "unsupported_response_type"),
    ("rule 7: id_token", {"response_type": "id_token"}, "unsupported_response_type"),
    ("rule 7: hybrid", {"response_type": "code token"}, "unsupported_response_type"),
    ("response_mode", {"response_mode": "fragment"}, "invalid_request"),
    ("rule 6: no PKCE", {"code_challenge": None}, "invalid_request"),
    ("rules 5 and 6: empty challenge", {"code_challenge": ""}, "invalid_request"),
    ("rule 6: short", {"code_challenge": "c" * 42}, "invalid_request"),
    ("rule 6: long", {"code_challenge": "c" * 129}, "invalid_request"),
    ("rule 6: padded", {"code_challenge": "c" * 42 + "="}, "invalid_request"),
    ("rule 6: not ASCII", {"code_challenge": "я" * 43}, "invalid_request"),
    ("rule 6: absent means plain", {"code_challenge_method": None}, "invalid_request"),
    ("rule 6: plain", {"code_challenge_method": "plain"}, "invalid_request"),
    ("rule 6: case", {"code_challenge_method": "s256"}, "invalid_request"),
    ("rule 6: unknown", {"code_challenge_method": "S512"}, "invalid_request"),
    ("rule 15: none stands alone", {"prompt": "none login"}, "invalid_request"),
    ("rule 15: unknown prompt", {"prompt": "dance"}, "invalid_request"),
    ("rule 15: nobody may be asked", {"prompt": "none"}, "consent_required"),
    ("max_age", {"max_age": "-1"}, "invalid_request"),
    ("rule 16: request", {"request": "eyJ"}, "request_not_supported"),
    ("rule 16: request_uri", {"request_uri": "https://x.ru"}, "request_uri_not_supported"),
    ("rule 17: unknown", {"scope": "openid dance"}, "invalid_scope"),
    ("rule 17: not this client's", {"scope": "keys:write"}, "invalid_scope"),
    ("rule 17: admin", {"scope": "admin"}, "invalid_scope"),
    ("NUL in nonce", {"nonce": "n\x00"}, "invalid_request"),
    ("long nonce", {"nonce": "n" * 2000}, "invalid_request"),
]


async def test_unregistered_redirect_uri_is_never_redirected_to(flow: Flow) -> None:
    """Rules 1 and 2: compared byte for byte; a page, no redirect, no login."""
    app = await flow.app()

    steps = {uri: await flow.authorize(app, redirect_uri=uri) for uri in BAD_REDIRECT_URIS}

    errors = {uri: step.error_page.error for uri, step in steps.items()}
    assert errors == dict.fromkeys(BAD_REDIRECT_URIS, "invalid_redirect_uri")


async def test_only_the_port_of_a_loopback_address_may_vary(flow: Flow) -> None:
    """Rule 1, RFC 8252 7.3."""
    app = await flow.app()

    for port in ("", ":1", ":8400", ":65535"):
        step = await flow.authorize(app, redirect_uri=f"http://127.0.0.1{port}/callback")

        assert step.WhichOneof("next") == "consent", port


async def test_the_port_of_another_host_may_not_vary(flow: Flow) -> None:
    """Rule 1: the exception is for loopback addresses alone."""
    app = await flow.app(confidential=True)

    step = await flow.authorize(app, redirect_uri="https://app.example.ru:8443/callback")

    assert step.WhichOneof("next") == "error_page"


async def test_unknown_client_gets_a_page(flow: Flow) -> None:
    """Rule 2: never a redirect, never a login form."""
    app = await flow.app()

    for client_id in (None, "", "nobody", "n" * 5000, "a\x00b", "приложение"):
        step = await flow.authorize(app, client_id=client_id)

        assert step.error_page.error == "invalid_client", client_id


async def test_ambiguous_client_or_redirect_uri_gets_a_page(flow: Flow) -> None:
    """Rules 2 and 4: with two of them nobody knows where to answer."""
    app = await flow.app()
    pairs = [("client_id", app.client_id), ("redirect_uri", app.redirect_uri), ("response_type", "code")]

    for twice in pairs[:2]:
        step = await flow.authorize_raw([*pairs, twice])

        assert step.WhichOneof("next") == "error_page", twice


async def test_a_repeated_parameter_is_refused(flow: Flow) -> None:
    """Rule 4: each parameter once, also one that we don't know."""
    app = await flow.app()
    pairs = {
        "client_id": app.client_id,
        "redirect_uri": app.redirect_uri,
        "response_type": "code",
        "scope": "openid",
        "state": "s",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        "x": "1",
    }

    for name in ("state", "scope", "response_type", "code_challenge", "code_challenge_method", "x"):
        step = await flow.authorize_raw([*pairs.items(), (name, pairs[name])])

        answer = query_of(step.redirect_url)
        assert answer["error"] == "invalid_request", name
        assert "code" not in answer
        assert answer.get("state") == (None if name == "state" else "s")


async def test_a_bad_request_is_answered_at_the_client(flow: Flow) -> None:
    """Rules 3 and 9: to the registered URI with error, state and iss, and never a code."""
    app = await flow.app()

    for why, changes, error in BAD_REQUESTS:
        step = await flow.authorize(app, **changes)

        assert step.redirect_url.startswith(REDIRECT_URI + "?"), why
        answer = query_of(step.redirect_url)
        assert answer["error"] == error, why
        assert answer["state"] == "st4te"
        assert answer["iss"] == ISSUER
        assert "code" not in answer
        # Rule 18: RFC 6749 4.1.2.1 allows these characters and no others.
        assert all(" " <= letter <= "~" and letter not in '"\\' for letter in answer["error_description"])


async def test_a_client_without_that_grant_type_gets_no_code(flow: Flow) -> None:
    """Rule 3: unauthorized_client."""
    app = await flow.app(grant_types=["urn:ietf:params:oauth:grant-type:device_code"])

    step = await flow.authorize(app)

    assert query_of(step.redirect_url)["error"] == "unauthorized_client"


async def test_state_comes_back_byte_for_byte(flow: Flow) -> None:
    """Rule 8: percent-encoded, so that nothing of it is lost or becomes a header."""
    app = await flow.app()

    for state in ("a+b %&=#", "состояние", "x\r\ny", "\x00", "%2B%20", "a" * 4000):
        step = await flow.authorize(app, state=state)
        url = await flow.decide(step.consent.pending_id)

        assert f"state={quote(state, safe='')}" in url
        assert query_of(url)["state"] == state
        assert url.isprintable()
        assert url.isascii()


async def test_without_a_state_there_is_none_in_the_answer(flow: Flow) -> None:
    """Rule 8: not even an empty one."""
    app = await flow.app()
    step = await flow.authorize(app, state=None)

    url = await flow.decide(step.consent.pending_id)

    assert set(query_of(url)) == {"code", "iss"}


async def test_a_query_of_the_redirect_uri_stays(flow: Flow) -> None:
    """Rule 1, RFC 6749 3.1.2: parameters are added to it."""
    uri = "https://app.example.ru/callback?tenant=7"
    app = await flow.app(redirect_uris=[uri])
    step = await flow.authorize(app)

    url = await flow.decide(step.consent.pending_id)

    assert url.startswith(uri + "&code=")
