"""Applications with a cap and a list of models, and everything that ends their access (rules 14, 31)."""

from typing import Any

import pytest

from tests.integration.oauth.answers import assert_refused
from tests.oauth_kit.application import Application, Pkce, use
from tests.oauth_kit.house import House
from tests.oauth_kit.people import Person
from tools.browser.browser import Browser, answer_in
from tools.browser.forms import form_with

SCOPE = "models:read completions:write profile:read"
QUESTION = {"model": "yandexgpt-lite:latest", "messages": [{"role": "user", "content": "Где северная стоянка?"}]}


def let_in(browser: Browser, client: Application, **values: str) -> dict[str, Any]:
    """Go through consent with further fields filled in; return the tokens."""
    pkce = Pkce.fresh()
    asked = client.request(pkce, scope=SCOPE)
    told = answer_in(browser.walk(browser.get("/authorize", asked), None, **values))
    answer = client.token(
        grant_type="authorization_code",
        code=told["code"],
        code_verifier=pkce.verifier,
        redirect_uri=client.redirect_uri,
    )
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def ask(house: House, token: str, **changes):
    headers = {"authorization": f"Bearer {token}"}
    return house.http.post("/v1/chat/completions", json={**QUESTION, **changes}, headers=headers)


def test_an_application_spends_no_more_than_its_cap(house: House, public: Application):
    """The cap counts in admission: what would exceed it is refused before a provider hears of it."""
    with house.browser(house.new_person()) as browser:
        poor = let_in(browser, public, budget="0,01", budget_period="month")["access_token"]
        rich = let_in(browser, public, budget="500", budget_period="month")["access_token"]

    refused = ask(house, poor, max_tokens=4000)
    answered = ask(house, rich)

    assert refused.status_code == 429, refused.text
    assert refused.json()["error"]["code"] == "budget_exceeded"
    assert answered.status_code == 200, answered.text


def test_a_cap_is_used_up_by_what_is_spent(house: House, public: Application):
    """Small answers go through until the cap is reached; a refresh does not fill it up again."""
    with house.browser(house.new_person()) as browser:
        tokens = let_in(browser, public, budget="0,05", budget_period="month")
    statuses = [ask(house, tokens["access_token"], max_tokens=50).status_code for _ in range(12)]
    fresh = public.refresh(tokens["refresh_token"]).json()

    assert statuses[0] == 200
    assert statuses[-1] == 429
    assert ask(house, fresh["access_token"], max_tokens=50).status_code == 429


def test_an_application_uses_only_the_models_it_was_given(house: House, public: Application):
    """And sees no others."""
    with house.browser(house.new_person()) as browser:
        token = let_in(browser, public, **{"model yandexgpt-lite:latest": "1"})["access_token"]

    assert ask(house, token).status_code == 200
    refused = ask(house, token, model="gigachat-pro")
    assert refused.status_code == 403
    assert refused.json()["error"]["code"] == "model_not_allowed"


def test_the_cap_is_shown_and_the_amount_checked(house: House, public: Application):
    """At /v1/grants and on the page; an amount that is none is asked for again."""
    with house.browser(house.new_person()) as browser:
        token = let_in(browser, public, budget="500", budget_period="month")["access_token"]
        grant = use(house.http, token, "/v1/grants").json()["data"][0]
        page = browser.get("/console/applications").text
        form = form_with(browser.get("/authorize", public.request(Pkce.fresh(), scope=SCOPE)).text, "decision")
        assert form is not None
        wrong = browser.send(form, decision="approve", budget="a lot")

    assert grant["budget"] == {"limit_micro_rub": 500_000_000, "period": "month"}
    assert "500" in page
    assert wrong.status_code == 400
    assert form_with(wrong.text, "decision") is not None


def _log_out(browser: Browser, _person: Person) -> None:
    form = form_with(browser.get("/logout").text, "csrf")
    assert form is not None
    assert browser.send(form).status_code == 303


def _end_session(browser: Browser, _person: Person) -> None:
    form = form_with(browser.get("/console/sessions").text, "session_id")
    assert form is not None
    assert browser.send(form).status_code == 303


def _end_application(browser: Browser, _person: Person) -> None:
    form = form_with(browser.get("/console/applications").text, "grant_id")
    assert form is not None
    assert browser.send(form).status_code == 303


def _leave(browser: Browser, person: Person) -> None:
    page = browser.get("/console/data").text
    form = form_with(page, "password")
    assert form is not None
    assert browser.send(form, password=person.password).status_code == 200


ENDS = {"logout": _log_out, "session": _end_session, "application": _end_application, "account": _leave}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_access_ends_with_what_it_came_from(house: House, public: Application, end, eventually):
    """Rule 31: logout, session, consent, account: refresh and access tokens are over."""
    person = house.new_person()
    with house.browser(person) as browser:
        tokens = let_in(browser, public)
        end(browser, person)

    assert_refused(public.refresh(tokens["refresh_token"]), "invalid_grant")
    eventually(lambda: use(house.http, tokens["access_token"]).status_code == 401)


def test_access_ends_with_the_application(house: House, person: Person, eventually):
    """Rule 31: client deletion."""
    rights = sorted({"clients:write", *SCOPE.split()} - {"openid", "profile", "email"})
    owner = {"authorization": f"Bearer {house.stack.issue_key(scopes=rights)}"}
    order = {"name": "Short-lived", "redirect_uris": ["http://127.0.0.1:8400/cb"], "scopes": SCOPE.split()}
    made = house.http.post("/v1/clients", json=order, headers=owner).json()
    client = Application(house.http, made["client_id"], "http://127.0.0.1:8400/cb")
    with house.browser(person) as browser:
        tokens = let_in(browser, client)

    assert house.http.delete(f"/v1/clients/{client.client_id}", headers=owner).status_code == 200

    assert_refused(client.refresh(tokens["refresh_token"]), "invalid_client", "invalid_grant", statuses=(400, 401))
    eventually(lambda: use(house.http, tokens["access_token"]).status_code == 401)
