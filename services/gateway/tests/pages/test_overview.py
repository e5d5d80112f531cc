"""The first page of the console: what it asks, and what it shows when a part cannot be told."""

from __future__ import annotations

from razvilka.usage.v1 import insights_pb2, statistics_pb2

from servicekit.errors import ErrorReason, Unavailable
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
