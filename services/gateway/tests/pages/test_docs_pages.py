"""/docs: the description on pages of ours, in two languages, without scripts; what reads can be run."""

from __future__ import annotations

import re

from services.gateway.tests.conftest import Edge, StartGateway
from services.gateway.tests.pages.browser import browser, log_in

# The index, a page for each room, one for errors.
PAGES = 19
STRANGE = ("<script>alert", "x" * 5_000, "%00", "{{ 7 * 7 }}")


async def test_every_link_within_the_reference_leads_somewhere(edge: Edge) -> None:
    """Also those to a type, a code or a scope on another page; no page runs or styles anything inline."""
    seen: dict[str, str] = {}
    waiting, links = {"/docs"}, set[str]()
    async with browser(edge) as client:
        while waiting:
            address = waiting.pop()
            answer = await client.get(address)
            assert (answer.status_code, answer.headers["content-encoding"]) == (200, "gzip"), address
            assert not re.search(r"<script>| style=|unsafe", answer.text + answer.headers["content-security-policy"])
            seen[address] = answer.text
            found = re.findall(r'href="(/docs[^"?]*|#[^"]+)"', answer.text)
            links |= {link if link[0] == "/" else address + link for link in found if "/run/" not in link}
            waiting |= {link.partition("#")[0] for link in links} - seen.keys()

    marks = [link.partition("#") for link in links]
    assert len(seen) == PAGES
    assert [mark for mark in marks if mark[2] and f'id="{mark[2]}"' not in seen[mark[0]]] == []


async def test_who_is_logged_in_runs_what_reads_in_their_own_name(edge: Edge) -> None:
    """A visitor may run what needs no key; nobody runs what writes; strange words are text."""
    async with browser(edge) as client:
        before = await client.get("/docs/run/list_models")
        open_one = await client.get("/docs/run/get_health")
        await log_in(client)
        answered = await client.get("/docs/run/list_models?lang=en")
        refused = await client.get("/docs/run/get_model?model_id=nobody/knows:it")
        asks = await client.get("/docs/run/get_model")
        absent = [await client.get(f"/docs/{path}") for path in ("run/revoke_key?key_id=1", "run/no", "no", "keys/no")]
        strange = [await client.get("/docs", params={"q": phrase}) for phrase in STRANGE]
        explained = await client.get("/docs/errors?lang=ru")

    assert ("yandexgpt" in before.text, "<h2>" in before.text) == (False, False)
    assert all("<h2>200</h2>" in page.text for page in (open_one, answered))
    assert "yandexgpt" in answered.text
    assert "<h2>404</h2>" in refused.text
    assert "model_not_found" in refused.text
    assert ('name="model_id"' in asks.text, "<h2>" in asks.text) == (True, False)
    assert {page.status_code for page in absent} == {404}
    assert all(page.status_code == 200 and "0 operations" in page.text for page in strange)
    assert not any(re.search(r"<script>alert|>49<", page.text) for page in strange)
    assert 'id="insufficient_scope-403"' in explained.text
    assert "Не хватает права" in explained.text


async def test_in_production_there_is_no_reference(start_gateway: StartGateway) -> None:
    """As there is no description, which it shows; elsewhere the console leads to it."""
    edge = await start_gateway(environment="production")
    async with browser(edge) as client:
        assert (await client.get("/docs")).status_code == 404
        await log_in(client)
        assert 'href="/docs"' not in (await client.get("/console/profile")).text
