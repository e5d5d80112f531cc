"""The pages in a real browser: no violation of their policy, nothing for axe-core to find, no script needed.

RAZVILKA_SCREENSHOTS names a folder that gets a picture of every page.
"""

from collections.abc import Iterator
from typing import Final

import httpx
import pyotp
import pytest
from playwright.sync_api import Browser as Chromium

from tests.browser.visiting import DESK, PHONE, Visitor, axe_source, context_of, running_chromium
from tests.oauth_kit.application import Application, Pkce
from tests.oauth_kit.house import House
from tests.oauth_kit.people import Person

MEMBERS: Final = (
    "/console", "/console/usage", "/console/requests", "/console/models", "/console/profile", "/console/security",
    "/console/sessions", "/console/applications", "/console/keys", "/console/data", "/device", "/logout",
)  # fmt: skip
STRANGERS: Final = (
    "/", "/login", "/registration", "/forgot-password", "/reset-password?token=x", "/verify-email?token=x",
    "/authorize?client_id=unknown",
)  # fmt: skip


@pytest.fixture(scope="module")
def chromium(resident: Person, newcomers: dict[str, Person]) -> Iterator[Chromium]:
    """Chromium as it is installed on this machine. Started last: beside Playwright's event loop no other can run."""
    with running_chromium() as launched:
        yield launched


@pytest.fixture(scope="module")
def axe() -> str:
    """The source of axe-core."""
    return axe_source()


@pytest.fixture(scope="module")
def resident(house: House, public: Application) -> Person:
    """Somebody with an application, a key and two sessions, so that no list is empty."""
    person = house.person()
    with house.browser(person) as browser:
        token = public.tokens(browser, scope="keys:write keys:read models:read")["access_token"]
        headers = {"authorization": f"Bearer {token}"}
        made: httpx.Response = house.http.post(
            "/v1/keys", json={"name": "Ключ", "scopes": ["models:read"]}, headers=headers
        )
        assert made.status_code == 201
    return person


@pytest.fixture(scope="module")
def newcomers(house: House) -> dict[str, Person]:
    """Somebody for each language, whose second factor may be switched on; nobody where nobody can be made."""
    if house.stack.own is None:
        return {}
    return {language: house.new_person() for language in ("ru", "en")}


def authorize_url(house: House, client: Application) -> str:
    asked = client.request(Pkce.fresh(), scope="openid email models:read completions:write")
    return f"{house.url}/authorize?{httpx.QueryParams(asked)}"


@pytest.mark.parametrize(("language", "size"), [("ru", PHONE), ("en", DESK)], ids=["ru-phone", "en-desk"])
def test_pages_follow_their_policy_and_are_accessible(
    chromium: Chromium, house: House, axe: str, resident: Person, public: Application, language, size
):
    """Rule 11 and WCAG 2.2 AA: login, its failure, consent, every page of the console."""
    with context_of(chromium, language, size) as context:
        visitor = Visitor(context, house.url, axe, language)
        for path in STRANGERS:
            visitor.open(path)
            visitor.check(path.strip("/").partition("?")[0].replace("/", "-"), language)
        visitor.open(authorize_url(house, public))
        visitor.log_in(Person("", resident.email, "wrong-password"))
        visitor.check("login-wrong", language)
        visitor.log_in(resident)
        visitor.page.locator("details").first.click()
        visitor.check("consent", language)
        visitor.page.locator("button[value=approve]").click()
        visitor.page.wait_for_url("http://127.0.0.1:8399/**")
        assert "code=" in visitor.redirected[-1]
        for path in MEMBERS:
            # The profile has a language of its own; what is chosen on a page comes first.
            visitor.open(f"{path}?lang={language}")
            visitor.check(path.strip("/").replace("/", "-"), language)


@pytest.mark.parametrize(("language", "size"), [("ru", PHONE), ("en", DESK)], ids=["ru-phone", "en-desk"])
def test_pages_of_the_second_factor_and_of_devices_are_accessible(
    chromium: Chromium, house: House, axe: str, newcomers: dict[str, Person], public: Application, language, size
):
    """The pages that are seen in the middle of something; and the second factor works as people use it."""
    person = newcomers.get(language) or pytest.skip("nobody can be made in a suite that was started elsewhere")
    with context_of(chromium, language, size) as context:
        visitor = Visitor(context, house.url, axe, language)
        page = visitor.page
        visitor.open(f"/login?lang={language}")
        visitor.log_in(person)
        visitor.open("/console/security")
        page.locator("#enroll_password").fill(person.password)
        page.locator("form[action='/console/totp'] button").click()
        visitor.check("totp", language)
        codes = pyotp.TOTP(page.locator("p.secret").inner_text().replace(" ", ""))
        page.locator("#code").fill(codes.now())
        page.locator("#code").press("Enter")
        visitor.check("recovery-codes", language)
        recovery = page.locator(".codes li").first.inner_text()
        visitor.open("/console/security")
        visitor.check("security-on", language)
        context.clear_cookies(name="razvilka_session")

        visitor.open("/login")
        visitor.log_in(person)
        visitor.check("login-code", language)
        page.locator("#code").fill("000000")
        page.locator("#code").press("Enter")
        visitor.check("login-code-wrong", language)
        page.locator("#code").fill(recovery)
        page.locator("#code").press("Enter")
        page.wait_for_url("**/console")

        asked = public.post("/device_authorization", scope="models:read completions:write").json()
        visitor.open(asked["verification_uri_complete"])
        page.locator("main form button").click()
        visitor.check("device-confirm", language)
        page.locator("button[value=approve]").click()
        visitor.check("device-done", language)


def test_everything_works_without_scripts(chromium: Chromium, house: House, resident: Person, public: Application):
    """Login, consent, profile: plain forms are enough."""
    with context_of(chromium, "en", DESK, script=False) as context:
        visitor = Visitor(context, house.url, "", "no-script")
        visitor.open(authorize_url(house, public))
        visitor.log_in(resident)
        visitor.page.locator("button[value=approve]").click()
        visitor.page.wait_for_url("http://127.0.0.1:8399/**")
        assert "code=" in visitor.redirected[-1]

        visitor.open("/console/profile")
        visitor.page.locator("#name").fill("Имя без скриптов")
        visitor.page.locator("main form button").first.click()

        assert visitor.page.locator("#name").input_value() == "Имя без скриптов"


def test_a_person_can_say_no(chromium: Chromium, house: House, resident: Person, public: Application):
    """The policy lets the redirect of a refusal through as well."""
    with context_of(chromium, "en", DESK) as context:
        visitor = Visitor(context, house.url, "", "no")
        visitor.open(authorize_url(house, public))
        visitor.log_in(resident)
        visitor.page.locator("button[value=deny]").click()
        visitor.page.wait_for_url("http://127.0.0.1:8399/**")

        assert "error=access_denied" in visitor.redirected[-1]
        assert visitor.troubles == []


def test_the_language_can_be_changed_on_the_way(
    chromium: Chromium, house: House, resident: Person, public: Application
):
    """At login and at consent, without losing the request."""
    with context_of(chromium, "en", DESK) as context:
        visitor = Visitor(context, house.url, "", "language")
        visitor.open(authorize_url(house, public))
        visitor.page.locator("button[name=lang]").first.click()
        assert visitor.page.locator("html").get_attribute("lang") == "ru"
        visitor.log_in(resident)
        visitor.page.locator("button[value=approve]").click()
        visitor.page.wait_for_url("http://127.0.0.1:8399/**")

        assert "code=" in visitor.redirected[-1]


def test_another_site_cannot_frame_the_login(chromium: Chromium, house: House, public: Application):
    """Rule 11, as the browser carries it out."""
    with context_of(chromium, "en", DESK) as context:
        visitor = Visitor(context, house.url, "", "frame")
        frame = f'<!DOCTYPE html><title>evil</title><iframe src="{authorize_url(house, public)}"></iframe>'
        visitor.page.route(
            "http://evil.example/", lambda route: route.fulfill(status=200, content_type="text/html", body=frame)
        )
        visitor.open("http://evil.example/")

        inner = visitor.page.frames[-1]
        assert inner.locator("#password").count() == 0
        assert inner.url.startswith("chrome-error:")
