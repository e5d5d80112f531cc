"""The pages of an account in Chromium, each with its main job: what somebody came for is done, and was done.

Keys, applications, budgets, webhooks and rules are in `test_console_pages.py`, playground and faults in
`test_live_pages.py`, second factors and devices in `tests/integration/oauth/test_chromium.py`.
"""

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import openpyxl
import pypdf
import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page, expect

from tests.browser.visiting import DESK, Visitor, context_of, running_chromium
from tests.integration.books import Books
from tests.integration.caller import ask
from tests.oauth_kit.house import House
from tests.oauth_kit.people import Person, seed_key

FRESH_PASSWORD: Final = "another fresh horse battery"


@pytest.fixture(scope="module")
def member(house: House) -> Person:
    """Somebody who has asked two models."""
    person = house.person()
    key = seed_key(house.stack.auth, person, "models:read", "completions:write", "usage:read")
    for model in ("yandexgpt", "gigachat"):
        assert ask(house.url, key, "Где север? [[tokens:7]]", model=model, max_tokens=50).status == 200
    Books(house.stack).wait_for_rows(person.user_id, 2)
    return person


@pytest.fixture(scope="module")
def leaver(house: House) -> Person:
    """Somebody who will not stay."""
    return house.new_person()


@pytest.fixture(scope="module")
def chromium(member: Person, leaver: Person) -> Iterator[Chromium]:
    """Chromium; started when everybody is there."""
    with running_chromium() as launched:
        yield launched


@pytest.fixture
def visitor(chromium: Chromium, house: House, member: Person) -> Iterator[Visitor]:
    """The member, logged in at a desk, in English."""
    with context_of(chromium, "en", DESK) as context:
        made = Visitor(context, house.url, "", "member")
        made.enter(member)
        yield made
        assert made.troubles == []


def file_of(page: Page, link: str) -> bytes:
    """Click what gives a file, and return it."""
    with page.expect_download() as waiting:
        page.locator(link).first.click()
    return Path(waiting.value.path()).read_bytes()


def report_of(visitor: Visitor, form: str) -> bytes:
    """Order a report of a form, wait for it, fetch it."""
    visitor.open("/console/reports")
    visitor.page.locator("#format").select_option(form)
    visitor.page.locator("main form[action='/console/reports'] button").click()
    link = f"a[download][aria-label*='.{form}']"
    visitor.page.locator(link).first.wait_for()
    return file_of(visitor.page, link)


def test_somebody_finds_a_request_from_the_overview_on(visitor: Visitor) -> None:
    """Overview, usage of one model, the log of it, and why a request cost what it cost."""
    page = visitor.page
    expect(page.locator(".tiles .figure data").first).not_to_have_attribute("value", "0.000000")
    visitor.open("/console/usage?group_by=model")
    page.locator("#group_by").select_option("provider")
    page.locator("form.filters button").click()
    expect(page.locator("main table").last).to_contain_text("gigachat")
    expect(page).to_have_url(re.compile("group_by=provider"))
    visitor.open("/console/requests")
    page.locator("#status").select_option("completed")
    page.locator("form.filters button").click()
    expect(page.locator("main tbody tr")).to_have_count(2)
    page.locator("main tbody th a").first.click()
    expect(page.locator("main ol.cards li")).to_have_count(1)
    expect(page.locator("main table")).to_contain_text("7")


def test_somebody_compares_models_and_tries_one(visitor: Visitor) -> None:
    """The catalogue leads to the playground with the model chosen."""
    visitor.open("/console/models")
    row = visitor.page.locator("tbody tr", has_text="gigachat-pro").first
    row.locator("summary").click()
    row.locator("a[href*='playground']").first.click()
    expect(visitor.page).to_have_url(re.compile("model=gigachat"))
    expect(visitor.page.locator("#model-0")).to_have_value(re.compile("^gigachat"))


def test_somebody_orders_a_workbook_and_a_document_and_opens_both(visitor: Visitor) -> None:
    """What was downloaded is what its name says, and has the models in it."""
    book = openpyxl.load_workbook(io.BytesIO(report_of(visitor, "xlsx")))
    document = pypdf.PdfReader(io.BytesIO(report_of(visitor, "pdf")))

    cells = " ".join(str(cell) for sheet in book for row in sheet.iter_rows(values_only=True) for cell in row)
    assert "yandexgpt" in cells
    assert "gigachat" in "".join(page.extract_text() for page in document.pages)


def test_somebody_changes_profile_and_password_and_ends_a_session_elsewhere(
    chromium: Chromium, house: House, visitor: Visitor, member: Person
) -> None:
    """The other browser is out; the new password lets in, the old one does not."""
    page = visitor.page
    visitor.open("/console/profile")
    page.locator("#time_zone").select_option("Asia/Omsk")
    page.locator("main form button").last.click()
    expect(page.locator("main .note.good")).to_be_visible()
    with context_of(chromium, "en", DESK) as other:
        elsewhere = Visitor(other, house.url, "", "elsewhere")
        elsewhere.enter(member)
        visitor.open("/console/sessions")
        others = page.locator("main li:not(:has(.tag))")
        count = others.count()
        others.locator("button").first.click()
        expect(others).to_have_count(count - 1)
        elsewhere.open("/console/keys")
        assert "/login" in elsewhere.page.url
        visitor.open("/console/security")
        page.locator("#current_password").fill(member.password)
        page.locator("#new_password").fill(FRESH_PASSWORD)
        page.locator("form[action='/console/password'] button").click()
        expect(page.locator("main .note.good")).to_be_visible()
        elsewhere.log_in(member)
        expect(elsewhere.page.locator("main .note.bad")).to_be_visible()
        elsewhere.log_in(Person("", member.email, FRESH_PASSWORD))
        elsewhere.page.wait_for_url(re.compile("/console"))
    change_password(visitor, FRESH_PASSWORD, member.password)


def change_password(visitor: Visitor, old: str, new: str) -> None:
    """Set another password."""
    visitor.open("/console/security")
    visitor.page.locator("#current_password").fill(old)
    visitor.page.locator("#new_password").fill(new)
    visitor.page.locator("form[action='/console/password'] button").click()
    expect(visitor.page.locator("main .note.good")).to_be_visible()


def test_somebody_takes_their_data_and_leaves(chromium: Chromium, house: House, leaver: Person) -> None:
    """The file is everything that is known of them; a wrong password ends nothing, the right one everything."""
    with context_of(chromium, "en", DESK) as context:
        visitor = Visitor(context, house.url, "", "leaver")
        visitor.enter(leaver)
        visitor.open("/console/data")
        known = json.loads(file_of(visitor.page, "form[action='/console/export'] button"))
        assert leaver.email in json.dumps(known)
        for password, gone in (("wrong", False), (leaver.password, True)):
            visitor.page.locator("form[action='/console/delete'] #password").fill(password)
            visitor.page.locator("form[action='/console/delete'] button").click()
            expect(visitor.page.locator("#error")).to_have_count(0 if gone else 1)
        visitor.open("/login")
        visitor.log_in(leaver)
        expect(visitor.page.locator("main .note.bad")).to_be_visible()
