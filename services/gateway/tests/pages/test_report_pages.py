"""/console/reports: ordered, followed, fetched; schedules."""

from __future__ import annotations

import re
from html import unescape

import pytest

from services.gateway.tests.backends import Backends
from services.gateway.tests.conftest import Edge
from services.gateway.tests.pages.browser import browser, form_of, log_in, submit
from services.gateway.tests.reports_backend import CONTENT

PATH = "/console/reports"
NEW_SCHEDULE = "/console/reports/schedules/new"
WISHES = {"report": "requests", "format": "csv", "language": "ru", "excel": None}


@pytest.fixture(autouse=True)
def english(backends: Backends) -> None:
    """Let the person read English."""
    backends.accounts.profile.language = "en"


async def test_a_report_is_ordered_and_its_link_opens_the_file(edge: Edge, backends: Backends) -> None:
    """At this very address; own dates come before the list of periods; after a question it is gone."""
    async with browser(edge) as client:
        await log_in(client)
        form = form_of(await client.get(PATH), PATH)
        dates = {"from": "2026-11-01", "to": "2026-11-23"}
        made = await submit(client, form, **{**WISHES, "excel": "on"}, period="30d", **dates)
        listed = await client.get(made.headers["location"])
        link = unescape(re.findall(r'href="(/v1/reports/[^"]+)" download', listed.text)[0])
        file = await client.get(link)
        delete = f"{PATH}/report-1/delete"
        gone = await submit(client, form_of(await client.get(delete), delete))
        absent = await client.get(delete)

    assert file.content == CONTENT
    assert "hx-trigger" not in listed.text
    assert (gone.status_code, absent.status_code, backends.reports.kept) == (303, 404, {})


async def test_a_report_that_is_being_made_is_followed(edge: Edge, backends: Backends) -> None:
    """The list is asked for anew until it is done, and the form beside it stays; without scripts by a button."""
    backends.reports.status = "running"
    async with browser(edge) as client:
        await log_in(client)
        form = form_of(await client.get(PATH), PATH)
        await submit(client, form, **WISHES, period="month", **{"from": "", "to": ""})
        page = await client.get(PATH)
        refused = await submit(client, form, **WISHES, period="month", **{"from": "2026-13-01", "to": ""})

    assert 'hx-get="/console/reports" hx-trigger="every 3s, look"' in page.text
    assert '<a class="button small plain" href="/console/reports">' in page.text
    assert '<progress class="bar" max="1" value="0.25"' in page.text
    assert (refused.status_code, 'id="fault-from"' in refused.text) == (400, True)
    assert "http-equiv" not in page.text + refused.text


async def test_a_schedule_is_made_shown_and_deleted(edge: Edge, backends: Backends) -> None:
    """What is wrong is said at its field; a Russian Excel has its own CSV."""
    async with browser(edge) as client:
        await log_in(client)
        form = form_of(await client.get(NEW_SCHEDULE), NEW_SCHEDULE)
        said = {"report": "summary", "format": "csv", "language": "ru", "every": "week", "at": "08:30", "excel": "on"}
        made = await submit(client, form, **said, when_empty=None)
        wrong = await submit(client, form, **{**said, "every": "year"})
        listed = await client.get(PATH)
        switch = f"{PATH}/schedules/schedule-1/switch"
        await submit(client, form_of(listed, switch))
        paused = backends.reports.schedules["user-1", "schedule-1"]
        rests = await client.get(PATH)
        await submit(client, form_of(rests, switch))
        goes_on = backends.reports.schedules["user-1", "schedule-1"]
        delete = f"{PATH}/schedules/schedule-1/delete"
        gone = await submit(client, form_of(await client.get(delete), delete))

    assert (made.status_code, gone.status_code) == (303, 303)
    assert "every Monday, 08:30" in listed.text
    assert (paused.paused, paused.wishes.csv_separator, "paused" in rests.text) == (True, ";", True)
    assert (goes_on.paused, goes_on.wishes, goes_on.every) == (False, paused.wishes, "week")
    assert (wrong.status_code, 'id="fault-every"' in wrong.text) == (400, True)
    assert backends.reports.schedules == {}
