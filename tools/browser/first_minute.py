"""`python -m tools.browser.first_minute`: what a newcomer sees in the first minute of the suite that runs here.

Chromium opens the printed address, without a key or an account. Each step is timed and printed; a step that shows
nothing ends the walk with status 1.
"""

import os
import re
import sys
import time
from collections.abc import Callable
from typing import Final

from playwright.sync_api import Page, expect
from playwright.sync_api import TimeoutError as NothingShown

from tools.accounts.demo import demo_from, read_env_file
from tools.browser.chromium import NoChromiumError, go, installed_chromium, launched_chromium
from tools.stack.home import home_of

Step = Callable[[Page], None]


def enter(page: Page) -> None:
    """One click lets in; the month's end is forecast."""
    page.locator("form[action='/demo'] button").first.click()
    page.wait_for_url("**/console")
    expect(page.locator(".tiles .figure").nth(2)).to_have_text(re.compile(r"\d"))


def charts(page: Page) -> None:
    """All usage, by model: demo data has ninety days of it."""
    go(page, page.url.partition("/console")[0] + "/console/usage?period=all&group_by=model")
    expect(page.locator("figure.plot svg.chart")).to_be_visible()


def ask(page: Page) -> None:
    """An answer streams in the playground, and has its price."""
    go(page, page.url.partition("/console")[0] + "/console/playground")
    page.locator("form#playground button[type=submit]").first.click()
    expect(page.locator("#answers .said").first).to_have_text(re.compile(r"\S"))
    expect(page.locator("#answers .figures")).to_contain_text("₽")


def break_and_heal(page: Page) -> None:
    """GigaChat fails, another model answers; it is healed, and answers itself."""
    go(page, page.url.partition("/console")[0] + "/console/break")
    for button, state, stand_ins in (("failing", "warn", 1), ("heal", "good", 0)):
        page.locator(f"button[value={button}]").click()
        expect(page.locator(f"#effect .note.{state}")).to_be_visible()
        page.locator("form[action='/console/break/ask'] button").first.click()
        page.wait_for_url("**/console/break?request=*")
        expect(page.locator("#asked .figures")).to_contain_text("₽")
        expect(page.locator("#asked .figures .tag")).to_have_count(stand_ins)


STEPS: Final[dict[str, Step]] = {
    "entered, the month's end forecast": enter,
    "ninety days in charts": charts,
    "an answer streamed, with its price": ask,
    "GigaChat broken and healed": break_and_heal,
}


def walk(page: Page, url: str) -> None:
    """Walk, and print how long each step took."""
    started = time.monotonic()
    go(page, url)
    for name, step in STEPS.items():
        step(page)
        print(f"  {time.monotonic() - started:5.1f} s  {name}", flush=True)


def main() -> int:
    """Walk through the suite that runs here; return the exit status."""
    demo = demo_from(read_env_file(home_of(dict(os.environ)).demo_env))
    try:
        with launched_chromium(installed_chromium()) as launched:
            walk(launched.new_page(locale="en-US"), demo.url)
    except NoChromiumError as exc:
        print(f"  {exc}", file=sys.stderr)
        return 2
    except (AssertionError, NothingShown) as exc:
        print(f"  nothing shown: {exc}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
