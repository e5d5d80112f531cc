"""What is ordered twice is made once: a form by a double click, a POST of the API that has a key."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import httpx
import pytest

from tests.oauth_kit.house import House
from tools.browser.browser import Browser
from tools.browser.forms import Form, form_with

SCOPES: Final = (
    "models:read", "usage:read", "keys:read", "keys:write", "clients:write", "notifications:write",
)  # fmt: skip
Fields = dict[str, Any]
# Page, what is filled in, and the list of the API in which it is found.
FORMS: Final[dict[str, tuple[str, Fields, str]]] = {
    "a key": ("keys/new", {"name": "CI", "scopes": "models:read"}, "/v1/keys"),
    "an application": (
        "applications/new", {"name": "Notes", "redirect_uris": "https://notes.example.ru/cb"}, "/v1/clients",
    ),
    "a budget": ("budgets/new", {"limit": "99,9"}, "/v1/budgets"),
    "a report": ("reports", {}, "/v1/reports"),
    "a schedule": ("reports/schedules/new", {}, "/v1/reports/schedules"),
    "a webhook": ("webhooks/new", {"url": "https://hooks.example.ru/a"}, "/v1/webhooks"),
    "a channel": ("alerts/channels/new", {"name": "Me"}, "/v1/alerts/channels"),
    "a rule": ("alerts/new", {}, "/v1/alerts"),
}  # fmt: skip
ORDERS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "a key": ("/v1/keys", {"name": "CI", "scopes": ["models:read"]}),
    "an application": (
        "/v1/clients", {"name": "Notes", "redirect_uris": ["https://n.example.ru/cb"], "scopes": ["models:read"]},
    ),
    "a budget": (
        "/v1/budgets",
        {"owner": "user", "measure": "requests", "period": "day", "limit": 7, "mode": "hard"},
    ),
    "a report": ("/v1/reports", {"format": "csv", "period": "today"}),
    "a schedule": ("/v1/reports/schedules", {"format": "csv", "every": "week", "at": "09:00"}),
    "a webhook": ("/v1/webhooks", {"url": "https://hooks.example.ru/b"}),
    "a channel": ("/v1/alerts/channels", {"kind": "email", "name": "Me"}),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody in a browser, and at the API with a key of their own."""

    browser: Browser
    api: httpx.Client

    def form(self, path: str) -> Form:
        """Return the form that orders something on a page of the console."""
        found = form_with(self.browser.get(f"/console/{path}").text, "once")
        assert found is not None
        return found

    def ids(self, path: str) -> set[str]:
        """Return what is in a list of the API."""
        data = self.api.get(path).raise_for_status().json()["data"]
        return {each.get("id") or each["client_id"] for each in data}


def shown(browser: Browser, location: str) -> str:
    """Return the secret on a page that shows one, "" when it shows none."""
    found = re.search(r'id="secret">([^<]+)<', browser.get(location).text)
    return found[1] if found else ""


@pytest.fixture(scope="module")
def member(house: House) -> Iterator[Member]:
    """Return somebody who may order everything."""
    with house.browser(house.person()) as browser, house.client() as api:
        form = form_with(browser.get("/console/keys/new").text, "once")
        assert form is not None
        kept = [(name, value) for name, value in form.filled(name="Tests") if name != "scopes"]
        made = browser.post(form.action, [*kept, *(("scopes", scope) for scope in SCOPES)])
        api.headers["authorization"] = f"Bearer {shown(browser, made.headers['location'])}"
        yield Member(browser, api)


@pytest.mark.parametrize(("path", "fields", "list_path"), FORMS.values(), ids=FORMS)
def test_a_form_that_is_sent_twice_orders_one_thing(member: Member, path: str, fields: Fields, list_path: str) -> None:
    """Both at once, as a double click does, and once more later: the same place to go on, one more in the list."""
    if path == "alerts/new":
        member.api.post("/v1/webhooks", json={"url": "https://hooks.example.ru/rule"}).raise_for_status()
    form, before = member.form(path), member.ids(list_path)
    with ThreadPoolExecutor(2) as clicks:
        both = list(clicks.map(lambda _: member.browser.send(form, **fields), range(2)))
    later = member.browser.send(form, **fields)

    assert [answer.status_code for answer in (*both, later)] == [303] * 3, later.text
    assert len({answer.headers["location"] for answer in (*both, later)}) == 1
    assert len(member.ids(list_path) - before) == 1


def test_a_form_that_says_otherwise_orders_another_thing(member: Member) -> None:
    """Whoever goes back and mends it means it."""
    form, before = member.form("webhooks/new"), member.ids("/v1/webhooks")
    for url in ("https://hooks.example.ru/first", "https://hooks.example.ru/second"):
        assert member.browser.send(form, url=url).status_code == 303

    assert len(member.ids("/v1/webhooks") - before) == 2


def test_the_secret_of_a_form_that_was_sent_twice_is_shown_once(member: Member) -> None:
    """The page that the browser still waits for shows it; once it was seen, the same form tells that it was."""
    form = member.form("keys/new")
    first = member.browser.send(form, name="CI", scopes="models:read")
    again = member.browser.send(form, name="CI", scopes="models:read")
    secret = shown(member.browser, again.headers["location"])
    later = member.browser.send(form, name="CI", scopes="models:read")

    assert first.headers["location"] == again.headers["location"] == later.headers["location"]
    assert secret.startswith("rz_")
    assert shown(member.browser, later.headers["location"]) == ""
    assert "shown" in {name.split("_")[-1] for name in member.browser.http.cookies}


@pytest.mark.parametrize(("path", "body"), ORDERS.values(), ids=ORDERS)
def test_an_order_that_comes_again_with_its_key_has_the_same_answer(
    member: Member, path: str, body: dict[str, Any]
) -> None:
    """The same bytes, said to be of the first; another key orders another thing."""
    before, headers = member.ids(path), {"idempotency-key": f"once for {path}"}
    with ThreadPoolExecutor(2) as clients:
        answers = list(clients.map(lambda _: member.api.post(path, json=body, headers=headers), range(2)))

    assert [answer.status_code for answer in answers] == [answers[0].status_code] * 2
    assert answers[0].is_success, answers[0].text
    assert answers[0].content == answers[1].content
    assert sorted(answer.headers.get("idempotent-replayed", "") for answer in answers) == ["", "true"]
    assert len(member.ids(path) - before) == 1


def test_a_key_is_for_one_order_of_whoever_may_give_it(member: Member, house: House) -> None:
    """Another body or path is refused; what was refused is mended under the same key; strangers learn nothing."""
    headers = {"idempotency-key": "one order"}
    wrong = member.api.post("/v1/webhooks", json={"url": "nonsense"}, headers=headers)
    made = member.api.post("/v1/webhooks", json={"url": "https://hooks.example.ru/k"}, headers=headers)
    other_body = member.api.post("/v1/webhooks", json={"url": "https://hooks.example.ru/l"}, headers=headers)
    rotated = member.api.post(f"/v1/webhooks/{made.json()['id']}/rotate", json={"overlap_s": 0}, headers=headers)
    stranger = house.http.post("/v1/webhooks", json={"url": "https://hooks.example.ru/k"}, headers=headers)
    empty = member.api.post("/v1/webhooks", json={}, headers={"idempotency-key": ""})

    assert (wrong.status_code, made.status_code, stranger.status_code) == (400, 201, 401)
    assert [answer.json()["error"]["code"] for answer in (other_body, rotated)] == ["idempotency_key_reused"] * 2
    assert (empty.status_code, empty.json()["error"]["param"]) == (400, "Idempotency-Key")
