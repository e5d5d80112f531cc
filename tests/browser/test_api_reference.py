"""/docs in a browser: it searches everything that is said, shows how an operation is called, and calls it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.visiting import LISTEN, running_chromium
from tools.stack.running_stack import RunningStack


@pytest.fixture
def page(stack: RunningStack) -> Iterator[Page]:
    """The reference, loaded; what goes wrong in it is noted in `page.troubles`."""
    with running_chromium() as browser:
        opened = browser.new_page()
        opened.add_init_script(LISTEN)
        opened.set_default_timeout(60_000)
        opened.goto(f"{stack.url}/docs")
        opened.locator(".opblock").first.wait_for()
        yield opened


def picture_of(page: Page) -> None:
    """Take a picture where somebody wants to look at it."""
    folder = os.environ.get("RAZVILKA_SCREENSHOTS")
    if folder:
        page.screenshot(path=Path(folder) / "docs.png", full_page=True)


def test_it_is_searched_shows_samples_and_calls(page: Page, stack: RunningStack) -> None:
    """Words of a body's example find the operation, though its summary has none of them."""
    troubles: list[str] = []
    page.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
    page.locator(".operation-filter-input").fill("overlap_s POST")
    expect(page.locator(".opblock")).to_have_count(3)
    found = page.locator(".opblock", has_text="/v1/keys/{key_id}/rotate")
    found.locator(".opblock-summary-control").click()
    sample = found.locator("details[data-sample='curl']")
    sample.locator("summary").click()
    expect(sample.locator("pre")).to_contain_text('curl -sS -X POST "$RAZVILKA_URL/v1/keys/$KEY_ID/rotate"')
    expect(found.locator("details[data-sample='Python'] pre")).to_contain_text("import httpx")
    expect(found).to_contain_text("insufficient_scope")

    page.locator(".operation-filter-input").fill("/health/providers")
    health = page.locator(".opblock", has_text="/health/providers")
    health.locator(".opblock-summary-control").click()
    health.get_by_role("button", name="Try it out").click()
    health.get_by_role("button", name="Execute").click()
    expect(health.locator(".live-responses-table")).to_contain_text("yandexgpt")

    picture_of(page)
    assert troubles == []
