"""Chromium as it is installed on this machine, driven by Playwright.

Whoever drives a page goes elsewhere by `go`, never by the page's own methods: a click that leads somewhere
returns when the answer has begun, and Chromium refuses ("Not attached to an active page") or aborts what it is told
while it puts the new document in the place of the old.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from playwright.sync_api import Browser, Page, sync_playwright

PROGRAMS: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


class NoChromiumError(Exception):
    """There is none; the message says what was looked for."""


def installed_chromium() -> str:
    """Return the path of the program.

    Raises:
        NoChromiumError: there is none.
    """
    for name in PROGRAMS:
        if found := shutil.which(name):
            return found
    raise NoChromiumError(f"there is no Chromium on this machine: none of {', '.join(PROGRAMS)}")


@contextmanager
def launched_chromium(program: str) -> Iterator[Browser]:
    """Yield it. Beside it no other event loop can run."""
    with sync_playwright() as playwright:
        # As root, in a container, it has no sandbox of its own.
        launched = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--no-proxy-server"])
        try:
            yield launched
        finally:
            launched.close()


def go(page: Page, address: str) -> None:
    """Open an address, as soon as all is there that was pressed or opened before."""
    page.wait_for_load_state()
    page.goto(address)


def back(page: Page) -> None:
    """Press the browser's button for the way back, as soon as all is there that was pressed or opened before."""
    page.wait_for_load_state()
    page.go_back()
