"""Chromium at the pages: visitors that note what goes wrong, and what axe-core finds.

RAZVILKA_SCREENSHOTS names a folder that gets a picture of every page that is checked.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urldefrag

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import BrowserContext, Page, Route, expect

from tests.oauth_kit.node import find_node
from tests.oauth_kit.people import Person
from tools.browser.browser import any_address
from tools.browser.chromium import NoChromiumError, back, go, installed_chromium, launched_chromium

TAGS: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
LISTEN: Final = "document.addEventListener('securitypolicyviolation', e => console.error('CSP ' + e.violatedDirective))"
PHONE: Final = {"width": 360, "height": 740}
DESK: Final = {"width": 1200, "height": 900}


# Playwright's own patience with what is expected of a page is five seconds: a busy machine stands still for as long.
PATIENCE_MS: Final = 60_000


@contextmanager
def running_chromium() -> Iterator[Chromium]:
    """Yield Chromium as it is installed on this machine; skip without one. Beside it no other event loop can run."""
    try:
        program = installed_chromium()
    except NoChromiumError as exc:
        pytest.skip(str(exc))
    expect.set_options(timeout=PATIENCE_MS)
    with launched_chromium(program) as launched:
        yield launched


def axe_source() -> str:
    """Return the source of axe-core."""
    return (find_node().folder / "node_modules" / "axe-core" / "axe.min.js").read_text()


def axe_violations(page: Page, only: dict[str, Any]) -> list[tuple[str, list[str]]]:
    """Return what axe-core, loaded before, finds by the rules of `only`: each with the elements that it is about."""
    script = "only => axe.run(document, {runOnly: only, resultTypes: ['violations']})"
    found: dict[str, Any] = page.evaluate(script, only)
    return [(each["id"], [node["html"] for node in each["nodes"]]) for each in found["violations"]]


EXPECTED: Final = ("Failed to load resource", "htmx:afterRequest", "htmx:sendError", "htmx:sendAbort")


class Visitor:
    """A page that notes what goes wrong in it."""

    def __init__(self, context: BrowserContext, url: str, axe: str, label: str) -> None:
        self.url = url
        self.page: Page = context.new_page()
        self.troubles: list[str] = []
        self.redirected: list[str] = []
        self._axe = axe
        self._label = label
        self.page.on("console", lambda message: self._note(message.type, message.text))
        self.page.on("pageerror", lambda error: self._note("error", str(error)))
        self.page.route("http://127.0.0.1:8399/**", self._arrive)

    def _note(self, kind: str, text: str) -> None:
        # A page with status 400 is reported as a failed load; that is what was asked for. Whoever leaves a page while a
        # part of it is being asked for anew cuts that short, of which htmx tells; a refusal is `htmx:responseError`.
        if kind in ("error", "warning") and not text.startswith(EXPECTED):
            self.troubles.append(text)

    def _arrive(self, route: Route) -> None:
        self.redirected.append(route.request.url)
        route.fulfill(status=200, content_type="text/html", body="<!DOCTYPE html><title>arrived</title>arrived")

    def check(self, name: str, language: str) -> None:
        """Run axe-core on what is shown, light and dark, look for a horizontal scroll bar, take pictures."""
        # What was pressed before may be on its way: half a page has no faults.
        self.page.wait_for_load_state()
        assert self.page.locator("html").get_attribute("lang") == language, name
        self.page.evaluate(self._axe)
        self.page.emulate_media(color_scheme="light")
        self._picture(f"{name}-light")
        self._run_axe(name, {"type": "tag", "values": TAGS})
        self.page.emulate_media(color_scheme="dark")
        self._picture(f"{name}-dark")
        # Of all rules only this one looks at colours; the others have said what they have to say.
        self._run_axe(name, {"type": "rule", "values": ["color-contrast"]})
        broken = self.page.evaluate("[...document.images].filter(each => !each.naturalWidth).map(each => each.alt)")
        assert broken == [], (name, broken)
        wide = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, (name, wide)
        assert self.troubles == [], (name, self.troubles)

    def _run_axe(self, name: str, only: dict[str, Any]) -> None:
        violations = axe_violations(self.page, only)
        assert violations == [], (name, violations)

    def _picture(self, name: str) -> None:
        folder = os.environ.get("RAZVILKA_SCREENSHOTS")
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=str(Path(folder) / f"{self._label}-{name}.png"), full_page=True)

    def open(self, path: str) -> None:
        """Go to a page of ours."""
        go(self.page, path if path.startswith("http") else self.url + path)

    def reopen(self) -> None:
        """Load the page that is shown anew, from its top."""
        self.page.wait_for_load_state()
        go(self.page, urldefrag(self.page.url).url)

    def back(self) -> None:
        """Go back to the page before."""
        back(self.page)

    def enter(self, person: Person, language: str = "en") -> None:
        """Log in on the page for it, and wait for the console."""
        self.open(f"/login?lang={language}")
        self.log_in(person)
        self.page.wait_for_url("**/console")

    def log_in(self, person: Person) -> None:
        """Fill in the login form that is shown, by keyboard."""
        self.page.locator("#email").fill(person.email)
        self.page.locator("#password").fill(person.password)
        self.page.locator("#password").press("Enter")


def context_of(chromium: Chromium, language: str, size: Any, *, script: bool = True) -> BrowserContext:
    made = chromium.new_context(
        locale={"ru": "ru-RU", "en": "en-US"}[language],
        viewport=size,
        java_script_enabled=script,
        extra_http_headers={"x-forwarded-for": any_address()},
        reduced_motion="reduce",
    )
    made.set_default_timeout(PATIENCE_MS)
    if script:
        made.add_init_script(LISTEN)
    return made
