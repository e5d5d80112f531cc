"""The pages of login and consent: framing, referrers, cookies, cross-site forms (rules 10 to 13, 18)."""

import httpx
import pytest

from tests.oauth_kit.application import Application, Pkce
from tests.oauth_kit.house import House
from tests.oauth_kit.people import Person
from tools.browser.browser import Browser
from tools.browser.forms import Form, form_with

EVIL = "https://evil.example"


def policy_of(answer: httpx.Response) -> dict[str, list[str]]:
    parts = (part.split() for part in answer.headers["content-security-policy"].split(";") if part.strip())
    return {name: values for name, *values in parts}


def login_form(browser: Browser, client: Application) -> Form:
    form = form_with(browser.get("/authorize", client.request(Pkce.fresh())).text, "password")
    assert form is not None
    return form


def consent_form(browser: Browser, client: Application) -> Form:
    form = form_with(browser.get("/authorize", client.request(Pkce.fresh())).text, "decision")
    assert form is not None
    return form


@pytest.fixture(params=["login", "consent", "error", "wrong password"])
def page(request, browser: Browser, stranger: Browser, public: Application, person: Person) -> httpx.Response:
    """Each kind of page on the way."""
    asked = public.request(Pkce.fresh())
    if request.param == "login":
        return stranger.get("/authorize", asked)
    if request.param == "consent":
        return browser.get("/authorize", asked)
    if request.param == "error":
        return browser.get("/authorize", {**asked, "client_id": "unknown"})
    return stranger.send(login_form(stranger, public), email=person.email, password="wrong-password")


def test_pages_cannot_be_framed(page: httpx.Response):
    """Rule 11: by the policy, and by the header of old browsers."""
    assert policy_of(page)["frame-ancestors"] == ["'none'"]
    assert page.headers["x-frame-options"] == "DENY"


def test_pages_take_nothing_from_elsewhere(page: httpx.Response):
    """Rules 11, 12: no script, nothing of third parties, nothing unsafe."""
    policy = policy_of(page)
    sources = {source for values in policy.values() for source in values}

    assert policy["default-src"] in (["'none'"], ["'self'"])
    assert not any(source.startswith("'unsafe") for source in sources)
    assert "<script" not in page.text
    assert "style=" not in page.text
    assert not any(f'{name}="http' in page.text for name in ("src", "href", "action"))


def test_pages_leave_no_trace(page: httpx.Response):
    """Rule 12: no referrer, no cache, no guessing of types."""
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["x-content-type-options"] == "nosniff"


def test_other_sites_cannot_read_the_authorization_endpoint(browser: Browser, public: Application):
    """Rule 10: no CORS at /authorize."""
    for method in ("GET", "OPTIONS"):
        answer = browser.http.request(
            method,
            "/authorize",
            params=public.request(Pkce.fresh()),
            headers={"origin": EVIL, "access-control-request-method": "GET"},
        )

        assert not [name for name in answer.headers if name.startswith("access-control-allow")]


def test_forms_are_answered_with_303(stranger: Browser, public: Application, person: Person):
    """Rule 10: RFC 9700 4.12: the browser must not send the password on."""
    page = stranger.send(login_form(stranger, public), email=person.email, password=person.password)
    consent = form_with(page.text, "decision")
    assert consent is not None

    answer = stranger.send(consent, decision="approve")

    assert answer.status_code == 303


def test_a_login_gives_the_browser_a_new_session(house: House, person: Person):
    """Rule 13: whoever planted a session knows nothing of the new one."""
    with house.browser(person) as browser:
        before = browser.http.cookies["razvilka_session"]

        browser.log_in(person)

        assert browser.http.cookies["razvilka_session"] != before
        with house.browser() as thief:
            thief.http.cookies.set("razvilka_session", before)
            assert thief.get("/console").status_code in (302, 303)


def test_a_planted_session_is_not_taken_over(stranger: Browser, person: Person):
    """Rule 13: session fixation."""
    planted = "planted-" + "x" * 40
    stranger.http.cookies.set("razvilka_session", planted, domain="127.0.0.1")

    stranger.log_in(person)

    assert planted not in [cookie.value for cookie in stranger.http.cookies.jar if cookie.name == "razvilka_session"]


def test_cookies_are_out_of_reach(stranger: Browser, person: Person):
    """Rule 13: HttpOnly, SameSite=Lax, the whole site and nothing beside it."""
    cookies = stranger.get("/login").headers.get_list("set-cookie") + stranger.log_in(person).headers.get_list(
        "set-cookie"
    )

    assert cookies
    for cookie in cookies:
        attributes = [part.strip().lower() for part in cookie.split(";")[1:]]
        assert {"httponly", "samesite=lax", "path=/"} <= set(attributes)
        assert not [each for each in attributes if each.startswith("domain")]


@pytest.mark.parametrize("break_it", ["no cookie", "no token", "another's token", "another origin", "cross-site"])
def test_a_login_form_from_elsewhere_is_refused(
    house: House, stranger: Browser, public: Application, person: Person, break_it: str
):
    """Rule 13; row no cookie, other session's CSRF token, Origin of another site."""
    form, values, headers = broken(login_form(stranger, public), break_it, house, public)
    if break_it == "no cookie":
        stranger.http.cookies.clear()

    answer = stranger.send(form, headers, email=person.email, password=person.password, **values)

    assert answer.status_code in (400, 403)
    assert "location" not in answer.headers
    assert "razvilka_session" not in stranger.http.cookies


@pytest.mark.parametrize("break_it", ["no cookie", "no token", "another's token", "another origin", "cross-site"])
def test_a_consent_form_from_elsewhere_gives_no_code(house: House, person: Person, public: Application, break_it: str):
    """Rule 13; row no cookie, other session's CSRF token, Origin of another site: 400 or 403, no code."""
    with house.browser(person) as browser:
        form, values, headers = broken(consent_form(browser, public), break_it, house, public)
        if break_it == "no cookie":
            browser.http.cookies.clear()

        answer = browser.send(form, headers, decision="approve", **values)

    assert answer.status_code in (400, 403)
    assert "location" not in answer.headers


def broken(
    form: Form, how: str, house: House, client: Application
) -> tuple[Form, dict[str, str | None], dict[str, str]]:
    if how == "no token":
        return form, {"csrf": None}, {}
    if how == "another's token":
        with house.browser() as other:
            return form, {"csrf": login_form(other, client).value("csrf")}, {}
    if how == "another origin":
        return form, {}, {"origin": EVIL}
    return form, {}, {"sec-fetch-site": "cross-site"} if how == "cross-site" else {}


def test_another_persons_pending_request_is_out_of_reach(house: House, person: Person, public: Application):
    """Rules 13, 19: a code is for who was asked. An attacker's own form with a victim's request gives nothing."""
    attacker = house.new_person()
    with house.browser(person) as victim, house.browser(attacker) as other:
        waiting = consent_form(victim, public).value("pending_id")
        own = consent_form(other, public)

        answer = other.send(own, pending_id=waiting, decision="approve")

    assert answer.status_code in (400, 404)
    assert "location" not in answer.headers


@pytest.mark.parametrize("name", ["client_id", "redirect_uri", "login_hint", "ui_locales", "state", "scope", "lang"])
def test_what_a_request_says_is_escaped(stranger: Browser, public: Application, name: str):
    """Rule 18: nothing of the request is markup in a page."""
    mark = '"><img src=x onerror=alert(1)>'

    answer = stranger.get("/authorize", {**public.request(Pkce.fresh()), name: mark})

    assert "<img src=x" not in answer.text


def test_an_applications_name_is_escaped(house: House, browser: Browser):
    """Rule 18: a registration is a request, too."""
    headers = {"authorization": f"Bearer {house.stack.demo.registration_token}"}
    metadata = {
        "client_name": "<script>alert(1)</script>",
        "redirect_uris": ["https://client.example/cb"],
        "token_endpoint_auth_method": "none",
    }
    made = house.http.post("/register", json=metadata, headers=headers).json()
    client = Application(house.http, made["client_id"], "https://client.example/cb")

    page = browser.get("/authorize", client.request(Pkce.fresh(), scope="models:read"))

    assert page.status_code == 200
    assert "<script" not in page.text
    assert "&lt;script&gt;" in page.text


def test_no_page_sends_the_browser_anywhere(stranger: Browser, person: Person):
    """RFC 9700 4.11: `next` leads to our own pages only."""
    for evil in (EVIL, "//evil.example", "/\\evil.example", "/console/../..//evil.example", "javascript:alert(1)"):
        form = form_with(stranger.get("/login", {"next": evil}).text, "password")
        assert form is not None

        answer = stranger.send(form, email=person.email, password=person.password, next=evil)

        assert answer.headers["location"] == "/console"


def test_members_pages_are_for_members(stranger: Browser):
    """Nobody sees an account without logging in."""
    for path in ("/console", "/console/security", "/console/sessions", "/console/applications", "/console/keys"):
        answer = stranger.get(path)

        assert answer.status_code in (302, 303)
        assert answer.headers["location"].startswith("/login")
