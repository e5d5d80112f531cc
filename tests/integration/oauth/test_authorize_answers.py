"""Authorization requests without fault: what the client gets, and what the person is asked."""

from typing import Any

import pytest

from tests.oauth_kit.application import Application, Pkce
from tests.oauth_kit.house import House
from tests.oauth_kit.people import Person
from tools.browser.browser import Browser, answer_in
from tools.browser.forms import form_with

STATES = {
    "plus": "a+b",
    "percent": "100%25 %zz",
    "ampersand": "a&code=stolen&b=1",
    "equals": "a=b==",
    "fragment": "a#b",
    "utf-8": "стоянка ⛺",
    "CRLF": "a\r\nSet-Cookie: x=y",
    "markup": '"><script>alert(1)</script>',
    "quotes": "a\"b'c\\d",
    "a kilobyte": "s" * 1024,
    "blanks": "  a  ",
}


@pytest.mark.parametrize("state", STATES.values(), ids=STATES)
def test_the_state_comes_back_byte_for_byte(browser: Browser, public: Application, state: str):
    """Rule 8: in success ..."""
    asked = public.request(Pkce.fresh(), state=state)

    told = answer_in(browser.walk(browser.get("/authorize", asked), None))

    assert told["state"] == state
    assert set(told) == {"code", "state", "iss"}


@pytest.mark.parametrize("state", STATES.values(), ids=STATES)
def test_the_state_comes_back_byte_for_byte_with_an_error(browser: Browser, public: Application, state: str):
    """Rule 8: ... and in error."""
    answer = browser.get("/authorize", public.request(Pkce.fresh(), state=state, response_type="token"))

    told = answer_in(answer.headers["location"])
    assert told["state"] == state
    assert set(told) == {"error", "error_description", "state", "iss"}


def test_without_a_state_none_comes_back(browser: Browser, public: Application):
    """Rule 5: absent and empty are one."""
    for state in (None, ""):
        told = answer_in(browser.walk(browser.get("/authorize", public.request(Pkce.fresh(), state=state)), None))

        assert set(told) == {"code", "iss"}


def test_the_issuer_is_that_of_the_metadata(browser: Browser, public: Application):
    """Rule 9: RFC 9207, in success and in error."""
    issuer = browser.get("/.well-known/oauth-authorization-server").json()["issuer"]

    success = answer_in(browser.walk(browser.get("/authorize", public.request(Pkce.fresh())), None))
    error = answer_in(browser.get("/authorize", public.request(Pkce.fresh(), scope="x")).headers["location"])

    assert success["iss"] == error["iss"] == issuer


def test_the_query_of_a_registered_address_is_kept(browser: Browser, house: House):
    """RFC 6749 3.1.2: what the address has stays, what is added is added."""
    tenant = house.register(redirect_uri="https://client.example/cb?tenant=7")

    location = browser.walk(browser.get("/authorize", tenant.request(Pkce.fresh())), None)

    assert location.startswith("https://client.example/cb?tenant=7&code=")


def test_a_request_may_come_by_post(browser: Browser, public: Application):
    """RFC 6749 3.1: the same answer to the same parameters in a form."""
    answer = browser.post("/authorize", list(public.request(Pkce.fresh()).items()))

    assert "code" in answer_in(browser.walk(answer, None))


def test_a_second_alias_answers_the_same(browser: Browser, public: Application):
    """The endpoint is there under /oauth, too."""
    answer = browser.get("/oauth/authorize", public.request(Pkce.fresh()))

    assert "code" in answer_in(browser.walk(answer, None))


def test_consent_names_the_client_its_host_and_every_scope(browser: Browser, house: House):
    """Rule 14: a person can judge what is asked."""
    client = house.register(redirect_uri="https://client.example/cb")

    page = browser.get("/authorize", client.request(Pkce.fresh(), scope="models:read completions:write email")).text

    assert "Registered by a test" in page
    assert "client.example" in page
    for scope in ("models:read", "completions:write", "email"):
        assert f'name="scope {scope}"' in page


def test_a_public_client_is_asked_about_each_time(browser: Browser, public: Application):
    """Rule 14: RFC 8252 8.6: anybody can call themselves by its name."""
    public.tokens(browser)

    page = browser.get("/authorize", public.request(Pkce.fresh()))

    assert page.status_code == 200
    assert form_with(page.text, "decision") is not None


def test_a_confidential_client_is_asked_about_once(house: House, person: Person):
    """Rules 14, 15: what was agreed to is not asked again, more than that is."""
    client = house.register(confidential=True)
    with house.browser(person) as browser:
        client.tokens(browser)

        again = browser.get("/authorize", client.request(Pkce.fresh(), prompt="none"))
        more = browser.get("/authorize", client.request(Pkce.fresh(), scope="models:read usage:read"))
        explicit = browser.get("/authorize", client.request(Pkce.fresh(), prompt="consent"))

    assert "code" in answer_in(again.headers["location"])
    assert form_with(more.text, "decision") is not None
    assert form_with(explicit.text, "decision") is not None


def test_prompt_login_asks_for_the_password_again(browser: Browser, public: Application):
    """Rule 15: the session is there, the person might not be."""
    page = browser.get("/authorize", public.request(Pkce.fresh(), prompt="login"))

    assert form_with(page.text, "password") is not None


def test_a_person_may_give_less_than_was_asked(browser: Browser, public: Application):
    """Rule 17: the token says what was given."""
    pkce = Pkce.fresh()
    asked = public.request(pkce, scope="models:read completions:write usage:read")
    page = browser.get("/authorize", asked)
    form = form_with(page.text, "decision")
    assert form is not None

    unticked: dict[str, Any] = {"scope completions:write": None, "scope usage:read": None}
    location = browser.send(form, **unticked, decision="approve").headers["location"]
    token = public.token(
        grant_type="authorization_code",
        code=answer_in(location)["code"],
        code_verifier=pkce.verifier,
        redirect_uri=public.redirect_uri,
    ).json()

    assert token["scope"] == "models:read"


def test_a_person_cannot_give_more_than_was_asked(browser: Browser, public: Application):
    """Rule 17: a form is not the person."""
    form = form_with(browser.get("/authorize", public.request(Pkce.fresh(), scope="models:read")).text, "decision")
    assert form is not None

    instead: dict[str, Any] = {"scope models:read": None, "scope keys:write": "1"}
    answer = browser.send(form, **instead, decision="approve")

    told = answer_in(answer.headers["location"])
    assert told.get("error") == "access_denied"
    assert "code" not in told


def test_a_decision_counts_once(browser: Browser, public: Application):
    """A second post of one form makes no second code."""
    form = form_with(browser.get("/authorize", public.request(Pkce.fresh())).text, "decision")
    assert form is not None
    assert "code" in answer_in(browser.send(form, decision="approve").headers["location"])

    again = browser.send(form, decision="approve")

    assert again.status_code in (400, 404)
    assert "location" not in again.headers


def test_codes_differ_and_are_long(browser: Browser, public: Application):
    """Rule 19: at least 128 bits of chance: 22 characters of base64."""
    codes = {public.code(browser).code for _ in range(3)}

    assert len(codes) == 3
    assert min(len(code) for code in codes) >= 22


def test_codes_and_tokens_are_not_in_the_database(house: House, browser: Browser, public: Application):
    """Rules 19, 23, 29: what a thief of the tables finds opens nothing."""
    given = public.code(browser)
    tokens = public.redeem(given).json()
    secrets = (given.code, tokens["refresh_token"], tokens["access_token"], house.stack.demo.confidential_client_secret)
    tables = house.stack.query(
        "SELECT format('%I.%I', schemaname, tablename) AS t FROM pg_tables WHERE schemaname='auth'"
    )

    for row in tables:
        text = "\n".join(
            str(found["row"]) for found in house.stack.query(f"SELECT x::text AS row FROM {row['t']} AS x")
        )
        assert not any(secret in text for secret in secrets), row["t"]
        assert not any(secret.encode().hex() in text for secret in secrets), row["t"]
