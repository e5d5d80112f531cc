"""/: what a visitor, a program and somebody at a local suite's machine get."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from services.gateway.clients.oauth_views import Origin
from services.gateway.console.demo import DemoFile
from services.gateway.tests.conftest import Edge, StartGateway
from services.gateway.tests.identity_backends import EMAIL, PASSWORD
from services.gateway.tests.pages.browser import browser, form_of, forms_of, log_in, submit

HTML = {"accept": "text/html,application/xhtml+xml"}


def demo_file(folder: Path) -> Path:
    """Write a file as `make up` does."""
    file = folder / "demo.env"
    told = {"RAZVILKA_API_KEY": "rz_live_demo", "RAZVILKA_DEMO_EMAIL": EMAIL, "RAZVILKA_DEMO_PASSWORD": PASSWORD}
    file.write_text("".join(f"export {name}={value}\n" for name, value in told.items()))
    return file


def title_of(page: httpx.Response) -> str:
    return page.text.split("<title>")[1].split("</title>")[0]


async def test_a_program_gets_json_and_a_browser_a_page(edge: Edge) -> None:
    """By what they accept; nobody has to be known."""
    async with browser(edge) as client:
        program, person = await client.get("/"), await client.get("/", headers=HTML)

    assert program.headers["content-type"] == "application/json"
    assert program.json()["models"] == "/v1/models"
    assert person.headers["content-type"].startswith("text/html")
    assert "yandexgpt" in person.text


@pytest.mark.parametrize("path", ["/consol", "/favicon", "/oauth/nothing", "/v2/keys", "/v10"])
async def test_where_nothing_is_a_browser_gets_the_page_of_the_console(edge: Edge, path: str) -> None:
    """Whoever mistypes an address reads a page that leads on; a program, and a form, the error of the API."""
    async with browser(edge) as client:
        console = await client.get("/console/nothing", headers=HTML)
        page, head = await client.get(path, headers=HTML), await client.head(path, headers=HTML)
        others = [await client.get(path), await client.post(path, headers=HTML)]

    assert (page.status_code, head.status_code) == (404, 404)
    assert (page.headers["content-type"], head.content) == (console.headers["content-type"], b"")
    assert title_of(page) == title_of(console) != ""
    assert [other.json()["error"]["code"] for other in others] == ["not_found", "not_found"]


async def test_where_nothing_of_the_api_is_a_browser_reads_the_hint(edge: Edge) -> None:
    """What there is instead is said by the error alone; a path with other methods says which."""
    async with browser(edge) as client:
        nothing = await client.get("/v1/uploads", headers=HTML)
        other = await client.get("/v1/chat/completions", headers=HTML)

    assert "POST /v1/files" in nothing.json()["error"]["message"]
    assert (other.status_code, other.headers["allow"]) == (405, "POST")


async def test_without_a_demo_account_nothing_leads_in_without_a_password(edge: Edge) -> None:
    """No form, no key, and the way itself is a page that is not there."""
    async with browser(edge) as client:
        page = await client.get("/", headers=HTML)
        login = form_of(await client.get("/login"), "/login")
        login.action = "/demo"
        forced = await submit(client, login)

    assert [form.action for form in forms_of(page) if form.action == "/demo"] == []
    assert "$KEY" in page.text
    assert forced.status_code == 404
    assert "set-cookie" not in forced.headers


async def test_one_click_enters_as_the_demo_user_of_a_local_suite(start_gateway: StartGateway, tmp_path: Path) -> None:
    """The door shows a key that works, and its button opens the console."""
    edge = await start_gateway(demo_file=demo_file(tmp_path))
    async with browser(edge) as client:
        page = await client.get("/", headers=HTML)
        entered = await submit(client, form_of(page, "/demo"))
        console = await client.get("/console")

    assert "rz_live_demo" in page.text
    assert (entered.status_code, entered.headers["location"]) == (303, "/console")
    assert console.status_code == 200


@pytest.mark.parametrize(("to", "place"), [("playground", "/console/playground"), ("//evil.example", "/console")])
async def test_one_click_leads_to_the_playground(
    start_gateway: StartGateway, tmp_path: Path, to: str, place: str
) -> None:
    """Its own button of the same form; nothing else that a form names is a way."""
    edge = await start_gateway(demo_file=demo_file(tmp_path))
    async with browser(edge) as client:
        form = form_of(await client.get("/", headers=HTML), "/demo")
        entered = await submit(client, form, to=to)

    assert ("to", "playground") in form.buttons
    assert entered.headers["location"] == place


async def test_whoever_is_logged_in_is_shown_the_way_to_the_console(edge: Edge) -> None:
    """The door knows its people."""
    async with browser(edge) as client:
        await log_in(client)
        page = await client.get("/", headers=HTML)

    assert 'href="/console"' in page.text
    assert 'href="/registration"' not in page.text


@pytest.mark.parametrize("host", ["evil.example:8080", "127.0.0.1.evil.example", "", "[::1", "localhost.evil"])
async def test_a_name_of_somebody_else_s_shows_no_demo_account(
    start_gateway: StartGateway, tmp_path: Path, host: str
) -> None:
    """Whatever leads to this machine by a name of a site's own brings that site's scripts along."""
    edge = await start_gateway(demo_file=demo_file(tmp_path))
    async with browser(edge) as client:
        page = await client.get("/", headers={**HTML, "host": host})

    assert "rz_live_demo" not in page.text
    assert 'action="/demo"' not in page.text


def test_only_visitors_at_the_machine_are_told_of_the_demo_account(tmp_path: Path) -> None:
    """A suite that listens to the network lets nobody in from there without a password; half a file is none."""
    file = DemoFile(demo_file(tmp_path))

    assert file.account(Origin("127.0.0.1", "")) is not None
    assert file.account(Origin("::1", "")) is not None
    assert [file.account(Origin(ip, "")) for ip in ("10.0.0.7", "203.0.113.9", "", "x")] == [None] * 4
    (tmp_path / "demo.env").write_text("export RAZVILKA_DEMO_EMAIL=a@b\n")
    assert file.account(Origin("127.0.0.1", "")) is None
    assert DemoFile(tmp_path / "absent").account(Origin("127.0.0.1", "")) is None
