"""Every page of the application is one that the walk in Chromium goes to, and none shows an error of ours."""

from __future__ import annotations

import re

from services.gateway.tests.conftest import Edge, StartGateway
from services.gateway.tests.pages.browser import browser, log_in
from services.gateway.tests.pages.test_forms import pages_of
from tests.browser.walk.places import NO_PAGES, PLACES


def shown_pages(edge: Edge) -> set[str]:
    """Return the paths of all pages that a browser can open; those of the protocol once."""
    shown = {path for path, page in pages_of(edge).items() if "GET" in page.handlers}
    return {path for path in shown if path.removeprefix("/oauth") not in shown - {path}}


async def test_the_walk_forgets_no_page(start_gateway: StartGateway) -> None:
    """A page that is new is walked in every language, scheme and size: `tests/browser/walk/places.py` names it."""
    edge = await start_gateway(emulator_control_url="http://127.0.0.1:9")

    walked = {place.route for place in PLACES}

    assert shown_pages(edge) == walked | set(NO_PAGES)
    assert not walked & set(NO_PAGES)


async def test_no_page_without_ids_fails(edge: Edge) -> None:
    """Each is there or sends elsewhere, also when nothing led to it: what was shown once, say."""
    async with browser(edge) as client:
        await log_in(client)
        plain = sorted(path for path in shown_pages(edge) if "{" not in path)
        failed = {path: answer.status_code for path in plain if (answer := await client.get(path)).status_code >= 500}

    assert failed == {}


async def test_an_address_without_a_page_is_told_on_a_page(edge: Edge) -> None:
    """An old bookmark is not answered with JSON."""
    async with browser(edge) as client:
        await log_in(client)
        answer = await client.get("/console/keyz/1")

    assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (404, "text/html")
    assert 'href="/console"' in answer.text


async def test_no_browser_cuts_a_password(edge: Edge) -> None:
    """One that is pasted and too long is refused: cut without a word, it would never log in again."""
    async with browser(edge) as client:
        strangers = [await client.get(path) for path in ("/registration", "/reset-password?token=x")]
        await log_in(client)
        shown = [*strangers, await client.get("/console/security")]

    fields = [field for answer in shown for field in re.findall("<input[^>]*type=.password[^>]*>", answer.text)]
    assert len(fields) >= 3
    assert [field for field in fields if "maxlength" in field] == []
