"""The six pictures that docs/console.md shows, taken anew into build/pages/docs."""

import os
from collections.abc import Callable
from typing import Final

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page

from tests.browser.visiting import Visitor, context_of
from tests.browser.walk.looking import FOLDER
from tests.oauth_kit.house import House

pytestmark = pytest.mark.skipif("RAZVILKA_PAGES_WALK" not in os.environ, reason="make pages-walk")
FRAME: Final = {"width": 1180, "height": 820}
QUESTION: Final = "Объясни в двух предложениях, что такое языковая модель. [[tokens:24]]"


def ask(page: Page) -> None:
    """Ask two models in the playground, and wait for what it cost."""
    page.locator("#message").fill(QUESTION)
    page.locator("#model-1").select_option(index=2)
    page.locator("form#playground button[type=submit]").first.click()
    page.locator("#answers .figures").nth(1).wait_for()
    page.locator("#answers").scroll_into_view_if_needed()


def break_something(page: Page) -> None:
    """Let GigaChat fail, and ask it."""
    page.locator("button[value=failing]").click()
    page.locator("form[action='/console/break/ask'] button").first.click()
    page.locator("#asked .state.operational").wait_for()


def look(_page: Page) -> None:
    """Do nothing."""


PICTURES: Final[dict[str, tuple[str, Callable[[Page], None]]]] = {
    "overview": ("/console", look),
    "usage": ("/console/usage", look),
    "catalog": ("/console/admin/catalog", look),
    "playground": ("/console/playground", ask),
    "break": ("/console/break", break_something),
    "status": ("/status?span=7d", look),
}


def test_six_pictures_are_taken(chromium: Chromium, house: House):
    """Of the demo account, in Russian, by light; what was broken is well afterwards."""
    with context_of(chromium, "ru", FRAME) as context:
        context.set_extra_http_headers({})
        visitor = Visitor(context, house.url, "", "docs")
        visitor.open("/")
        visitor.page.locator("form[action='/demo'] button").first.click()
        for name, (path, prepare) in PICTURES.items():
            visitor.open(path)
            prepare(visitor.page)
            target = FOLDER / "docs" / f"{name}.png"
            target.parent.mkdir(parents=True, exist_ok=True)
            visitor.page.screenshot(path=target)
        visitor.open("/console/break")
        visitor.page.locator("button[value=heal]").click()
        assert visitor.troubles == []
