"""Forms at the wrong moment in Chromium, by keyboard: a login that is old or over, another tab, the way back."""

import os
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page, expect

from tests.browser.visiting import DESK, PHONE, Visitor, axe_source, context_of
from tests.browser.walk.looking import FOLDER, Look
from tests.browser.walk.residents import Resident
from tests.oauth_kit.house import House

pytestmark = pytest.mark.skipif("RAZVILKA_PAGES_WALK" not in os.environ, reason="make pages-walk")
COMBINATIONS: Final = pytest.mark.parametrize(("language", "size"), [("ru", PHONE), ("en", DESK)], ids=["ru", "en"])
NEW: Final = "/console/budgets/new"


def sessions(house: House, change: Any) -> None:
    """Have something be done with each session: `change` gets Redis and the key."""
    with house.stack.redis() as client:
        for key in client.scan_iter("auth:session:*"):
            change(client, key)


def grow_old(client: Any, key: bytes) -> None:
    """Let the login of a session lie an hour back."""
    client.hset(key, "authenticated_at", (datetime.now(UTC) - timedelta(hours=1)).isoformat())


def end(client: Any, key: bytes) -> None:
    """End a session."""
    client.delete(key)


def press(page: Page, selector: str) -> None:
    """Press a button as somebody without a mouse does."""
    page.locator(selector).first.focus()
    page.keyboard.press("Enter")


def go(page: Page, selector: str) -> None:
    """Press what leads to another page, and be there."""
    with page.expect_navigation():
        press(page, selector)


def enter(page: Page, text: str) -> None:
    """Type a password, and be on the page that follows."""
    page.locator("#password").fill(text)
    with page.expect_navigation():
        page.keyboard.press("Enter")


def looked_at(visitor: Visitor, language: str, size: Any, name: str) -> list[str]:
    """Return what is wrong with the page that is shown, and take its pictures."""
    label = "phone" if size is PHONE else "desk"
    return [f"{name}: {fault}" for fault in Look(visitor, axe_source(), language, label, f"moment-{name}").faults()]


@COMBINATIONS
def test_an_old_login_proves_itself_and_the_way_back_orders_nothing(
    chromium: Chromium, house: House, resident: Resident, language: str, size: Any
) -> None:
    """A wrong password asks again; the order is given once, whoever goes back."""
    with context_of(chromium, language, size) as context:
        visitor = Visitor(context, house.url, axe_source(), language)
        visitor.enter(resident.person, language)
        page = visitor.page
        visitor.open("/console/admin/organizations")
        page.locator("#name").fill(f"Wrong moments {language}")
        go(page, "main form button[type=submit]")
        sessions(house, grow_old)
        go(page, "a[href$='/delete']")
        go(page, "main form button.danger")
        faults = looked_at(visitor, language, size, "end-of-organization")
        enter(page, "wrong")
        expect(page.locator("#fault-password")).to_be_visible()
        enter(page, resident.person.password)
        expect(page.locator("main [role=status]")).to_be_visible()
        visitor.back()
        visitor.open("/console/admin/people")
        sessions(house, grow_old)
        go(page, "main button[name=order][value=tier]")
        expect(page.locator("#password")).to_be_visible()
        faults += looked_at(visitor, language, size, "tier")
        visitor.open("/console/admin/catalog?model=GigaChat-2-Max")
        page.locator("#valid_from").fill("2099-02-01")
        page.locator("#input").fill("1,5")
        page.locator("#output").fill("3")
        go(page, "button[value=price]")
        expect(page.locator("#password")).to_be_visible()
        expect(page.locator("#input")).to_have_value("1,5")
        faults += looked_at(visitor, language, size, "price")
    assert not faults, "\n".join(faults)


@COMBINATIONS
def test_a_form_whose_login_ended_is_sent_after_the_login_in_another_tab(
    chromium: Chromium, house: House, resident: Resident, language: str, size: Any
) -> None:
    """Nothing is typed twice, and one budget is made however often it is pressed."""
    with context_of(chromium, language, size) as context:
        visitor = Visitor(context, house.url, axe_source(), language)
        visitor.enter(resident.person, language)
        page = visitor.page
        visitor.open(NEW)
        page.locator("#limit").fill("7 777,77")
        page.locator("#models").fill(f"<b>\u202e {language} 😀")
        sessions(house, end)
        go(page, "main form button[type=submit]")
        faults = looked_at(visitor, language, size, "session-ended")
        with context.expect_page() as opened:
            press(page, "a[target=_blank]")
        tab = opened.value
        tab.locator("#email").fill(resident.person.email)
        tab.locator("#password").fill(resident.person.password)
        tab.keyboard.press("Enter")
        tab.locator("#limit").wait_for()
        go(page, "main form button[type=submit]")
        expect(page.locator("main details")).to_be_visible()
        faults += looked_at(visitor, language, size, "form-refused")
        go(page, "main form button[type=submit]")
        # There is no such model: what was typed is where it was, with what is wrong with it.
        expect(page.locator("#limit")).to_have_value("7 777,77")
        page.locator("#models").fill("")
        page.locator("main form button[type=submit]").dblclick()
        page.wait_for_url("**/console/budgets?done=set")
        expect(page.locator("main ul.cards")).to_contain_text("777,77" if language == "ru" else "7,777.77")
    (FOLDER / f"faults-moments-{language}.txt").write_text("\n".join(faults))
    assert not faults, "\n".join(faults)
