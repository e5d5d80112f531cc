"""What a page shows is what the API says and what the books have, to the micro-rouble."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import httpx
import pytest

from tests.integration.books import Books
from tests.integration.caller import ask
from tests.integration.waiting import wait_until
from tests.oauth_kit.house import House
from tests.oauth_kit.people import seed_key
from tools.browser.browser import Browser

# Answers of different length, so that no two cost the same, and models of both providers.
QUESTIONS: Final = (("yandexgpt", 3), ("yandexgpt", 17), ("gigachat", 5), ("gigachat", 1), ("yandexgpt-lite", 29))
SCOPES: Final = ("models:read", "completions:write", "usage:read", "keys:write")
SUM: Final = re.compile(r'<data value="([0-9.]+)"')
CELL: Final = re.compile(r'<td class="amount">₽([0-9.,]+)</td>')


@dataclass(frozen=True, slots=True)
class Spender:
    """Somebody who has spent something, in a browser and at the API; `rows` of the books."""

    browser: Browser
    api: httpx.Client
    rows: list[Any]

    @property
    def spent(self) -> int:
        """Return the sum of the books in micro-roubles."""
        return sum(row["micro_rub"] for row in self.rows)

    def page(self, path: str) -> str:
        """Return a page of the console in English."""
        return self.browser.get(path, {"lang": "en"}).text

    def told(self, path: str, **params: str) -> Any:
        """Return what the API says."""
        return self.api.get(path, params=params).raise_for_status().json()


@pytest.fixture(scope="module")
def spender(house: House) -> Iterator[Spender]:
    """Somebody whose requests are in the books, and counted in a budget."""
    person = house.person()
    key = seed_key(house.stack.auth, person, *SCOPES)
    with house.browser(person) as browser, house.client() as api:
        api.headers["authorization"] = f"Bearer {key}"
        api.post("/v1/budgets", json={"period": "month", "limit_rub": "5000"}).raise_for_status()
        for model, tokens in QUESTIONS:
            heard = ask(house.url, key, f"Где север? [[tokens:{tokens}]]", model=model, max_tokens=50)
            assert heard.status == 200, heard.body
        rows = Books(house.stack).wait_for_rows(person.user_id, len(QUESTIONS))
        yield Spender(browser, api, rows)


def micro(text: str) -> int:
    """Return roubles of a page or of the API in micro-roubles."""
    return int(Decimal(text.replace(",", "")) * 1_000_000)


def sums_in(page: str) -> list[int]:
    """Return the sums of a page, in their order."""
    return [micro(text) for text in SUM.findall(page)]


def test_the_overview_shows_what_was_spent(spender: Spender) -> None:
    """Today and this month."""
    told = [
        spender.told("/v1/usage/summary", period=period)["total"]["cost_micro_rub"] for period in ("today", "month")
    ]

    assert sums_in(spender.page("/console"))[:2] == told == [spender.spent] * 2


def test_usage_shows_the_sum_and_that_of_each_model(spender: Spender) -> None:
    """In the order of the API, which has the dearest first."""
    told = spender.told("/v1/usage/summary", group_by="model", period="30d")
    by_model: Counter[str] = Counter()
    for row in spender.rows:
        by_model[row["requested_model"]] += row["micro_rub"]

    total, *groups = sums_in(spender.page("/console/usage?group_by=model&period=30d"))

    assert total == told["total"]["cost_micro_rub"] == spender.spent
    assert groups == [group["cost_micro_rub"] for group in told["data"]]
    assert sorted(groups) == sorted(by_model.values())


def test_the_log_shows_what_each_request_cost(spender: Spender) -> None:
    """The newest first; and the page of one, part by part."""
    told = spender.told("/v1/usage/requests", period="30d")["data"]
    newest = spender.rows[-1]

    shown = [micro(text) for text in CELL.findall(spender.page("/console/requests"))]
    one = spender.page(f"/console/requests/{newest['request_id']}")

    assert shown == [line["cost_micro_rub"] for line in told] == [row["micro_rub"] for row in reversed(spender.rows)]
    explained = spender.told(f"/v1/requests/{newest['request_id']}")
    assert micro(explained["cost_rub"]) == newest["micro_rub"]
    assert f"{explained['cost_rub']} ₽" in one


def test_a_budget_shows_what_was_spent_of_it(spender: Spender) -> None:
    """When nothing is held any more; the bar of its page has the same figure."""

    def budget() -> Any:
        return next(each for each in spender.told("/v1/budgets")["data"] if each["source"] == "set")

    told = wait_until(budget, lambda each: not each["held_micro_rub"])
    bars = re.findall(r'<meter [^>]*max="([0-9]+)"[^>]*value="([0-9]+)"', spender.page("/console/budgets"))

    assert told["spent_micro_rub"] == spender.spent
    assert (str(told["limit_micro_rub"]), str(spender.spent)) in bars
