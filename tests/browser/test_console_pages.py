"""The pages on which people manage keys, applications, budgets, alerts, webhooks and reports, each with its main job.

One visit in Russian on a phone does everything; one in English on a desk looks at it. Both are checked by axe-core.
"""

import re
from collections.abc import Iterator
from typing import Final

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page, expect

from tests.browser.visiting import DESK, PHONE, Visitor, axe_source, context_of, running_chromium
from tests.oauth_kit.house import House
from tests.oauth_kit.people import Person

LISTS: Final = ("keys", "applications", "budgets", "alerts", "webhooks", "reports")
FORMS: Final = ("keys/new", "applications/new", "budgets/new", "reports/schedules/new")


@pytest.fixture(scope="module")
def manager(house: House) -> Person:
    """Somebody whose account is empty at first."""
    return house.person()


@pytest.fixture(scope="module")
def chromium(manager: Person) -> Iterator[Chromium]:
    """Chromium; started when everybody is there."""
    with running_chromium() as launched:
        yield launched


def submit(page: Page) -> None:
    """Press the button of the form in the middle of the page."""
    page.locator("main form button[type=submit]").last.click()


def make_key(visitor: Visitor) -> str:
    """Make a key by the form, first with a day that has passed; copy it, and return it."""
    page = visitor.page
    visitor.open("/console/keys")
    page.locator("a[href='/console/keys/new']").first.click()
    page.locator("#name").fill("Ключ для высоконагруженного вычислительного комплекса " * 2)
    page.locator("#budget").fill("1 000 000 000")
    page.locator("#expires_at").fill("2020-01-31")
    submit(page)
    # A day is marked as every other field: in the colour of what is said of it.
    said = page.locator("#fault-expires_at").evaluate("said => getComputedStyle(said).color")
    expect(page.locator("#expires_at")).to_have_css("border-top-color", said)
    page.locator("#expires_at").fill("2030-01-31")
    submit(page)
    secret = page.locator("#secret").inner_text()
    page.locator("button[data-copies]").click()
    page.locator("#copied").filter(has_text=re.compile(".")).wait_for()
    return secret


def set_budget(visitor: Visitor) -> None:
    """Set a budget of the account that only watches; first with an amount that is none."""
    page = visitor.page
    visitor.open("/console/budgets/new")
    page.locator("#limit").fill("много")
    page.locator("#mode").select_option("shadow")
    submit(page)
    visitor.check("console-budgets-refused", "ru")
    assert page.locator("#limit").get_attribute("aria-invalid") == "true"
    page.locator("#limit").fill("99,9")
    submit(page)
    page.wait_for_url("**/console/budgets?done=set")


def make_webhook(visitor: Visitor) -> None:
    """Make a webhook, keep its secret, send a test; then a rule that uses it."""
    page = visitor.page
    visitor.open("/console/webhooks/new")
    page.locator("#url").fill("https://hooks.example.ru/razvilka")
    submit(page)
    assert page.locator("#secret").inner_text().startswith("whsec_")
    visitor.open("/console/webhooks")
    page.locator("main .does a").click()
    page.locator("form[action$='/test'] button").click()
    page.wait_for_url("**?done=tested")
    visitor.check("console-webhooks-one", "ru")
    visitor.open("/console/alerts/new")
    submit(page)
    page.wait_for_url("**/console/alerts?done=made")


def make_report(visitor: Visitor) -> bytes:
    """Order a report for people and return the file that the page gives."""
    page = visitor.page
    visitor.open("/console/reports")
    page.locator("#format").select_option("csv")
    page.locator("main form[action='/console/reports'] button").click()
    link = page.locator("a[download]").first
    link.wait_for()
    with page.expect_download() as waiting:
        link.click()
    return waiting.value.path().read_bytes()


def register_application(visitor: Visitor) -> None:
    """Register an application with a secret and give it a fresh one."""
    page = visitor.page
    visitor.open("/console/applications/new")
    page.locator("#name").fill("Заметки")
    page.locator("#redirect_uris").fill("https://notes.example.ru/callback")
    page.locator("#confidential").check()
    submit(page)
    first = page.locator("#secret").inner_text()
    visitor.open("/console/applications")
    page.locator("a[href$='/rotate']").click()
    submit(page)
    assert page.locator("#secret").inner_text() not in ("", first)


def test_people_manage_what_is_theirs_in_the_browser(chromium: Chromium, house: House, manager: Person):
    """A key that works is made, copied and revoked; a budget, a webhook, a rule, an application; a report is opened."""
    with context_of(chromium, "ru", PHONE) as context:
        visitor = Visitor(context, house.url, axe_source(), "ru")
        page = visitor.page
        visitor.enter(manager, "ru")
        key = make_key(visitor)
        set_budget(visitor)
        make_webhook(visitor)
        register_application(visitor)
        report = make_report(visitor)
        for name in LISTS:
            visitor.open(f"/console/{name}")
            visitor.check(f"console-{name}", "ru")

        headers = {"authorization": f"Bearer {key}"}
        assert house.http.get("/v1/models", headers=headers).status_code == 200
        assert report.startswith(b"section,")
        visitor.open("/console/keys")
        page.locator("a[href$='/revoke']").first.click()
        visitor.check("console-keys-revoke", "ru")
        submit(page)
        page.wait_for_url("**/console/keys?done=revoked")
        page.locator("main details summary").click()
        assert visitor.troubles == []


def test_the_forms_are_accessible_on_a_desk(chromium: Chromium, house: House, manager: Person):
    """In English, light and dark."""
    with context_of(chromium, "en", DESK) as context:
        visitor = Visitor(context, house.url, axe_source(), "en")
        visitor.enter(manager)
        for name in FORMS:
            visitor.open(f"/console/{name}?lang=en")
            visitor.check(f"console-{name.replace('/', '-')}", "en")
