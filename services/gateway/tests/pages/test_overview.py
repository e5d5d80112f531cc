"""The first page of the console: what it asks, and what it shows when a part cannot be told."""

from __future__ import annotations

import re

import pytest
from razvilka.usage.v1 import insights_pb2, statistics_pb2

from servicekit.errors import ErrorReason, Unavailable
from servicekit.tracing import spans
from servicekit.tracing.held import HeldSpan, HeldTraces
from services.gateway.console.overview import today_of
from services.gateway.console.spending import drawn_spending
from services.gateway.pages.language import TEXTS
from services.gateway.pages.numbers import numbers_of
from services.gateway.tests.backends import Backends
from services.gateway.tests.conftest import Edge
from services.gateway.tests.pages.browser import browser, form_of, log_in, submit


def spent(micro_rub: int) -> statistics_pb2.DetailedStats:
    """Return figures of a thousand requests, and of a period before."""
    stats = statistics_pb2.DetailedStats()
    stats.total.requests, stats.total.cost_micro_rub = 1234, micro_rub
    stats.previous.SetInParent()
    return stats


async def test_the_overview_asks_the_api_in_the_name_of_who_is_logged_in(edge: Edge, backends: Backends) -> None:
    """The figures are those of the API, to the kopeck, and usage is shown the session as the credential."""
    backends.statistics.stats = spent(1_234_567_890_000)
    async with browser(edge) as client:
        await log_in(client)
        page = await client.get("/console")

    assert page.status_code == 200
    assert "1\u00a0234\u00a0567,89\u00a0₽" in page.text
    assert "1\u00a0234 запроса" in page.text
    assert {asked.user_id for asked in backends.statistics.asked} == {backends.accounts.profile.user_id}


class HoldsAll:
    """A recorder that sends whatever ends, as if all of it were slow."""

    sample_ratio = 0.0

    def __init__(self) -> None:
        self.sent: list[HeldSpan] = []
        self.traces = HeldTraces(self.sent.append, slow_s=0.0)
        self.hold = self.start = self.traces.start


async def test_every_step_of_a_page_is_in_its_trace_and_ends(edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that never ended kept the whole trace, and what it takes of memory, for as long as the gateway ran."""
    recorder = HoldsAll()
    async with browser(edge) as client:
        await log_in(client)
        monkeypatch.setattr(spans, "_recorder", recorder)
        await client.get("/console")

    assert len(recorder.traces) == 0
    [page] = [each for each in recorder.sent if each.attributes.get("http.route") == "/console"]
    asked = [each for each in recorder.sent if each.parent.span_id == page.span_id and each.name == page.name]
    assert {each.attributes["http.route"] for each in asked} >= {"/v1/budgets"}
    assert {each.attributes["razvilka.request_id"] for each in asked} == {page.attributes["razvilka.request_id"]}


@pytest.mark.parametrize(
    ("until", "cost"),
    [("2026-11-23T20:59:59Z", 9), ("2026-11-23T21:00:01Z", 7), ("2026-11-24T21:00:01Z", 0)],
    ids=["before midnight", "after it", "on a day without requests"],
)
def test_today_is_the_day_of_the_persons_zone(until: str, cost: int) -> None:
    """In Moscow it begins at nine in the evening of UTC."""
    days = [("2026-11-21T21:00:00Z", 5), ("2026-11-22T21:00:00Z", 9), ("2026-11-23T21:00:00Z", 7)]
    rows = [{"starts_at": begin, "cost_micro_rub": cost} for begin, cost in days]
    period = {"from": "2026-10-31T21:00:00Z", "to": until, "time_zone": "Europe/Moscow"}

    assert today_of({"period": period, "data": rows})["cost_micro_rub"] == cost


async def test_whoever_has_quotas_only_is_told_that_no_budget_caps_them(edge: Edge, backends: Backends) -> None:
    """The page tells how roubles stand: under its heading is never nothing."""
    for cap in backends.budgets.caps.values():
        cap.measure, cap.period = "requests", "day"
    async with browser(edge) as client:
        await log_in(client)
        listed = await client.get("/console/budgets")
        page = await client.get("/console")

    assert "<meter" in listed.text
    assert 'href="/console/budgets/new"' in page.text


async def test_on_a_day_without_requests_today_has_cost_nothing(edge: Edge, backends: Backends) -> None:
    backends.statistics.stats = spent(9_500_000)
    async with browser(edge) as client:
        await log_in(client)
        page = await client.get("/console")

    assert re.findall(r'<data value="([0-9.]+)"', page.text) == ["0.000000", "9.500000"]
    assert "За 30 дней запросов не было." in page.text
    assert "0 запросов, 0 ошибок" in page.text


def test_days_of_the_chart_are_the_persons_and_none_is_left_out() -> None:
    """A day without requests has no bar, but its place; in Moscow the 22nd begins at nine in the evening of UTC."""
    rows = [{"starts_at": "2026-11-21T21:00:00Z", "cost_micro_rub": 5_000_000}]
    rows += [{"starts_at": "2026-11-24T21:00:00Z", "cost_micro_rub": 7_500_000}]
    period = {"from": "2026-11-20T21:00:00Z", "to": "2026-11-25T09:00:00Z", "time_zone": "Europe/Moscow"}

    drawn = drawn_spending({"period": period, "data": rows}, TEXTS["en"], numbers_of("en"))

    titles = re.findall(r"<title>([^<]*)</title>", drawn)
    assert [title for title in titles if "₽" in title] == ["22 Nov · Cost · ₽5", "25 Nov · Cost · ₽7.50"]
    assert re.findall(r">([0-9]+ Nov)</text>", drawn) == [f"{day} Nov" for day in range(21, 26)]
    assert drawn_spending({"period": period, "data": []}, TEXTS["en"], numbers_of("en")) == ""


async def test_a_part_that_fails_hides_no_other(edge: Edge, backends: Backends) -> None:
    """While statistics are away, the page still shows providers."""
    backends.statistics.failure = Unavailable(ErrorReason.SERVICE_UNAVAILABLE, "Away.")
    async with browser(edge) as client:
        await log_in(client)
        page = await client.get("/console")

    assert page.status_code == 200
    assert "Сейчас это узнать не получилось" in page.text
    assert "Провайдеры" in page.text


async def test_advice_is_accepted_by_a_button(edge: Edge, backends: Backends) -> None:
    """The decision goes the way of the API, in the person's name; what the API refuses is refused here."""
    async with browser(edge) as client:
        await log_in(client)
        form = form_of(await client.get("/console"), "/console/advice")
        accepted = await submit(client, form, state="accepted", reason="")
        after = await client.get("/console")
        refused = await submit(client, form, state="nonsense")

    assert (accepted.status_code, accepted.headers["location"]) == (303, "/console")
    assert backends.insights.advice.state == insights_pb2.ADVICE_STATE_ACCEPTED
    assert 'action="/console/advice"' not in after.text
    assert refused.status_code == 400


async def test_a_person_may_ask_no_more_through_pages_than_the_account_may(edge: Edge, backends: Backends) -> None:
    """A scope that the account lacks is refused as by the API, on a page."""
    backends.accounts.scopes = ["models:read"]
    async with browser(edge) as client:
        await log_in(client)
        page = await client.get("/console")

    assert page.status_code == 403
    assert page.headers["content-type"].startswith("text/html")
    # In the frame of the console: the sections that they may see are one step away.
    assert 'href="/console/models"' in page.text
