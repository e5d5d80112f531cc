"""/docs in a browser: searched while one types, read without scripts, and what reads is run."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Locator, Page, expect

from tests.browser.visiting import DESK, PHONE, Visitor, axe_source, context_of, running_chromium
from tools.stack.running_stack import RunningStack


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    """Chromium as it is installed on this machine."""
    with running_chromium() as launched:
        yield launched


def found_in(page: Page) -> Locator:
    """Return the paths of the operations that are shown."""
    return page.locator("#found .operations > li > a > code")


@pytest.mark.parametrize(("language", "size"), [("ru", PHONE), ("en", DESK)], ids=["ru-phone", "en-desk"])
def test_it_is_searched_while_one_types_and_every_kind_of_page_is_sound(
    chromium: Chromium, stack: RunningStack, language: str, size: dict[str, int]
) -> None:
    """Words of a description find the operation; the address follows; no violation of policy or accessibility."""
    with context_of(chromium, language, size) as context:
        visitor = Visitor(context, stack.url, axe_source(), f"docs-{language}")
        visitor.open(f"/docs?lang={language}")
        visitor.check("index", language)
        visitor.page.locator("#q").press_sequentially("overlap_s POST")
        expect(visitor.page.locator("#found .operations > li")).to_have_count(3)
        expect(visitor.page).to_have_url(re.compile(r"/docs\?q=overlap_s(\+|%20)POST$"))
        assert visitor.page.locator("#q").input_value() == "overlap_s POST"
        visitor.check("search", language)
        visitor.page.locator("#found a", has_text="/v1/keys/{key_id}/rotate").click()
        rotation = visitor.page.locator("#rotate_key")
        expect(rotation.locator("pre").first).to_contain_text('curl -sS -X POST "$RAZVILKA_URL/v1/keys/$KEY_ID/rotate"')
        visitor.check("room", language)
        visitor.open("/docs/errors")
        visitor.check("errors", language)


def test_without_scripts_it_is_searched_and_run(chromium: Chromium, stack: RunningStack) -> None:
    """The same answers, a page each."""
    with context_of(chromium, "en", DESK, script=False) as context:
        visitor = Visitor(context, stack.url, "", "docs-plain")
        visitor.open("/docs")
        visitor.page.locator("#q").fill("overlap_s POST")
        visitor.page.locator("#q").press("Enter")
        expect(found_in(visitor.page)).to_have_count(3)
        visitor.open("/docs?q=/health/providers")
        visitor.page.locator("#found a", has_text="/health/providers").first.click()
        visitor.page.locator("#get_providers_health a", has_text="Run it here").click()
        expect(visitor.page.locator("#answer")).to_contain_text("yandexgpt")
