"""Filters, live parts, the log and charts in a browser: what changes without a new page, and by keyboard."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.visiting import DESK, Visitor, axe_source, context_of, running_chromium
from tests.integration.waiting import wait_until
from tools.browser.chromium import go
from tools.stack.running_stack import RunningStack

BODY = {"model": "yandexgpt:latest", "messages": [{"role": "user", "content": "Где север? [[tokens:5]]"}]}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    """Chromium as it is installed on this machine."""
    with running_chromium() as launched:
        yield launched


def visitor_of(context: BrowserContext, stack: RunningStack) -> Visitor:
    """Return the demo user in front of the console."""
    visitor = Visitor(context, stack.url, axe_source(), "partial")
    context.set_extra_http_headers({})
    visitor.open("/")
    visitor.page.locator("form[action='/demo'] button").first.click()
    return visitor


def ask(stack: RunningStack, count: int) -> None:
    """Have the demo account ask so many questions."""
    headers = {"authorization": f"Bearer {stack.api_key}"}
    with httpx.Client(base_url=stack.url, headers=headers, trust_env=False, timeout=60) as client:
        for _ in range(count):
            client.post("/v1/chat/completions", json=BODY).raise_for_status()


def until_shown(page: Page, address: str, part: str, count: int) -> None:
    """Open a page again until what was asked is in its books."""

    def shown() -> int:
        go(page, address)
        return page.locator(part).count()

    wait_until(shown, lambda number: number >= count, within_s=60)


def test_filters_change_chart_table_and_address_without_a_new_page(chromium: Chromium, stack: RunningStack) -> None:
    """The page's own script lives on, the way back leads back, and a column is read and opened by keyboard."""
    ask(stack, 2)
    with context_of(chromium, "en", DESK) as context:
        visitor = visitor_of(context, stack)
        page = visitor.page
        until_shown(page, f"{stack.url}/console/usage?bucket=day&lang=en", "figure.plot svg", 1)
        page.evaluate("window.stayed = true")
        page.locator("#metric").select_option("requests")
        expect(page).to_have_url(re.compile("metric=requests"))
        expect(page.locator("#figures > h2").first).to_contain_text("Requests")
        assert page.evaluate("window.stayed")
        slider = page.locator(".reading input")
        expect(slider).to_have_attribute("aria-valuetext", re.compile("yandexgpt"))
        assert page.locator(".read").inner_text() == slider.get_attribute("aria-valuetext")
        visitor.check("usage", "en")
        page.locator(".reading button").focus()
        page.keyboard.press("Enter")
        expect(page).to_have_url(re.compile(r"from=\d{4}-\d\d-\d\d"))
        expect(page.locator("figure.plot")).to_be_visible()
        assert page.evaluate("window.stayed")
        page.locator("#from").fill("2026-01-01")
        page.locator("#to").fill("2020-01-01")
        expect(page.locator("#figures [role=alert]")).to_be_visible()
        page.evaluate("history.back()")
        expect(page.locator("#figures [role=alert]")).to_have_count(0)
        assert visitor.troubles == []


def test_whichever_is_chosen_last_of_a_period_and_own_dates_counts(chromium: Chromium, stack: RunningStack) -> None:
    """No question has both, and the form says what is shown; after the way back, too."""
    with context_of(chromium, "en", DESK) as context:
        visitor = visitor_of(context, stack)
        page = visitor.page
        visitor.open("/console/usage?lang=en&period=7d")
        page.locator("#from").fill("2026-11-01")
        page.locator("#from").blur()
        expect(page).to_have_url(re.compile("period=&from=2026-11-01"))
        assert page.locator("#period").input_value() == ""
        page.locator("#period").select_option("90d")
        expect(page).to_have_url(re.compile("period=90d&from=&to="))
        assert page.locator("#from").input_value() == ""
        expect(page.locator("#figures [role=alert]")).to_have_count(0)
        page.evaluate("history.back()")
        expect(page.locator("#from")).to_have_value("2026-11-01")
        expect(page.locator("#period")).to_have_value("")
        assert visitor.troubles == []


def test_the_log_grows_by_its_next_page(chromium: Chromium, stack: RunningStack) -> None:
    """Older requests come below those that are there; the link goes when there are no more."""
    ask(stack, 52)
    with context_of(chromium, "en", DESK) as context:
        visitor = visitor_of(context, stack)
        page = visitor.page
        until_shown(page, f"{stack.url}/console/requests?lang=en", "#older", 1)
        first = page.locator("#rows > tr").count()
        page.locator("#older").click()
        expect(page.locator("#rows > tr")).not_to_have_count(first)
        addresses = page.locator("#rows > tr a").evaluate_all("all => all.map(each => each.href)")
        assert len(set(addresses)) == len(addresses) > first
        page.locator("#status").select_option("failed")
        expect(page).to_have_url(re.compile("status=failed"))
        visitor.check("requests", "en")


@pytest.mark.parametrize("path", ["/console", "/status"])
def test_live_parts_are_asked_again_when_somebody_looks(chromium: Chromium, stack: RunningStack, path: str) -> None:
    """And keep what is there when the login has ended meanwhile."""
    with context_of(chromium, "en", DESK) as context:
        visitor = visitor_of(context, stack)
        page = visitor.page
        visitor.open(path)
        page.evaluate("document.getElementById('live').dataset.old = 'yes'")
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        expect(page.locator("#live[data-old]")).to_have_count(0)
        page.evaluate("document.getElementById('live').dataset.old = 'yes'")
        context.clear_cookies()
        with page.expect_response(lambda answer: answer.status == 200):
            page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        expect(page.locator("#live")).to_have_count(1)
        assert visitor.troubles == []


@pytest.mark.parametrize(
    ("path", "part", "step"),
    [
        ("/status", "#live", "#live .spans a >> nth=1"),
        ("/console", "#live", "#live figcaption a"),
        ("/console/break", "#effect", "#effect > p > a"),
    ],
)
def test_the_keyboard_stays_where_it_is_while_a_live_part_comes_anew(
    chromium: Chromium, stack: RunningStack, path: str, part: str, step: str
) -> None:
    """Who reads step by step would begin at the top of the page again, every two seconds."""
    ask(stack, 1)
    with context_of(chromium, "en", DESK) as context:
        visitor = visitor_of(context, stack)
        page = visitor.page
        until_shown(page, f"{stack.url}{path}", step, 1)
        page.locator(step).focus()
        page.evaluate("part => { document.querySelector(part).dataset.old = 'yes'; }", part)
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        expect(page.locator(f"{part}[data-old]")).to_have_count(0)
        expect(page.locator(step)).to_be_focused()
        assert visitor.troubles == []


def test_a_closer_look_keeps_the_keyboard_and_says_what_is_shown(chromium: Chromium, stack: RunningStack) -> None:
    """Whoever sees nothing change is told; the way on begins where the button was."""
    ask(stack, 1)
    with context_of(chromium, "en", DESK) as context:
        visitor = visitor_of(context, stack)
        page = visitor.page
        until_shown(page, f"{stack.url}/console/usage?bucket=day&lang=en", "figure.plot svg", 1)
        page.locator(".reading button").focus()
        page.keyboard.press("Enter")
        expect(page).to_have_url(re.compile(r"from=\d{4}-\d\d-\d\d"))
        expect(page.locator("#figures :focus")).to_have_count(1)
        expect(page.locator("p[role=status].unseen")).to_have_text(re.compile(r"Cost.*₽.*request"))
        visitor.open("/console/requests?lang=en")
        page.locator("#status").select_option("completed")
        expect(page.locator("p[role=status].unseen")).to_have_text(re.compile(r"Shown: \d+ request"))
        assert visitor.troubles == []
