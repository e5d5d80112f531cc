"""What every page owes its visitor: headers, cookies, forms that only our own pages can send, two languages."""

from __future__ import annotations

import re

import httpx
import pytest
from razvilka.auth.v1 import account_pb2

from services.gateway.tests.backends import Backends
from services.gateway.tests.conftest import Edge, StartGateway
from services.gateway.tests.identity_backends import PASSWORD, SESSION
from services.gateway.tests.pages.browser import AUTHORIZE, POLICY, browser, form_of, log_in, submit

OPEN = ["/login", "/logout", "/registration", "/verify-email?token=x", "/forgot-password", "/reset-password?token=x"]
MEMBERS = [
    "/console",
    "/console/usage",
    "/console/usage?period=nonsense",
    "/console/requests",
    "/console/requests?status=nonsense&cursor=%00",
    "/console/models",
    "/console/profile",
    "/console/security",
    "/console/sessions",
    "/console/applications",
    "/console/applications/new",
    "/console/applications/app-1",
    "/console/applications/app-1/delete",
    "/console/keys",
    "/console/keys/new",
    "/console/keys/names",
    "/console/keys/key-1",
    "/console/keys/key-1/rotate",
    "/console/keys/key-1/names",
    "/console/keys/key-1/revoke",
    "/console/data",
    "/console/reports",
    "/console/reports/schedules/new",
    "/console/budgets",
    "/console/budgets/new",
    "/console/alerts",
    "/console/alerts/new",
    "/console/alerts/channels/new",
    "/console/webhooks",
    "/console/webhooks/new",
    "/device",
]
HEADERS = {
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
    "content-type": "text/html; charset=utf-8",
}


def check_page(page: httpx.Response, language: str) -> None:
    """Check what holds for every page."""
    assert {name: page.headers.get(name) for name in HEADERS} == HEADERS, page.url
    policy = page.headers["content-security-policy"]
    assert policy.removeprefix("script-src 'self'; connect-src 'self'; ").startswith(POLICY + "'self'"), page.url
    assert "unsafe" not in policy
    assert "access-control-allow-origin" not in page.headers
    assert f'<html lang="{language}">' in page.text
    assert page.text.startswith("<!DOCTYPE html>")
    # The name of SVG is an address that nobody calls.
    foreign = r"https?://(?!app\.|id\.|www\.w3\.org/2000/svg)"
    inline = r'<script(?! src="/console/static/[\w.-]+"( defer)?></script>)'
    assert not re.search(rf"{inline}|<style|\son[a-z]+=|style=|javascript:|{foreign}", page.text), page.url
    assert len(re.findall("<h1", page.text)) == 1
    ids = re.findall(r'\sid="([^"]+)"', page.text)
    assert len(ids) == len(set(ids)), page.url
    labels = set(re.findall(r'<label for="([^"]+)"', page.text))
    visible = re.findall(r'<(?:input|select|textarea)[^>]*\sid="([^"]+)"', page.text)
    assert set(visible) <= labels, page.url


@pytest.mark.parametrize("language", ["ru", "en"])
async def test_every_page_is_strict_about_itself(edge: Edge, backends: Backends, language: str) -> None:
    """No script and no style but our files, no framing, no referrer, no storing; in both languages (rules 10 to 12)."""
    backends.accounts.profile.language = language
    backends.accounts.scopes += ["clients:write"]
    async with browser(edge, **{"accept-language": language}) as client:
        pages = [await client.get(path) for path in [*OPEN, AUTHORIZE, "/authorize", "/dev/outbox", "/console/nothing"]]
        pages.append(await log_in(client, AUTHORIZE))
        pages += [await client.get(path) for path in MEMBERS]
        pages.append(await submit(client, form_of(pages[-1], "/device"), user_code="BCDF-GHJK"))
        security = await client.get("/console/security")
        pages.append(await submit(client, form_of(security, "/console/totp")))

    for page in pages:
        if page.headers["content-type"] != "application/json":
            check_page(page, language)
    assert {page.status_code for page in pages} == {200, 400, 404}


async def test_what_people_typed_is_shown_as_text(edge: Edge, backends: Backends) -> None:
    """Names, user agents, client names and mails are escaped (rule 18)."""
    backends.oauth.client.name = '<img src=x onerror="1">'
    backends.accounts.mails.append(account_pb2.Mail(to="a@b", subject="<i>", text="http://127.0.0.1/x <b>"))
    async with browser(edge) as client:
        consent = await log_in(client, AUTHORIZE)
        pages = [consent, *[await client.get(path) for path in ("/console", "/console/sessions", "/dev/outbox")]]
        wrong = await submit(client, form_of(await client.get("/login"), "/login"), email='"><script>', password="x")

    for page in [*pages, wrong]:
        assert not re.search(r"<img src=x|<script>|<b>|<i>", page.text)


async def test_cookies_are_for_us_alone(start_gateway: StartGateway) -> None:
    """HttpOnly, SameSite=Lax, no domain; with https also Secure under a __Host- name (rule 13)."""
    plain, secure = await start_gateway(), await start_gateway(public_url="https://api.example.com")
    async with browser(plain) as client:
        answer = await log_in(client)
    async with browser(secure) as client:
        page = await client.get("/login")

    cookies = [*answer.headers.get_list("set-cookie"), *page.headers.get_list("set-cookie")]
    assert cookies[0] == f"razvilka_session={SESSION}; Path=/; HttpOnly; SameSite=Lax"
    assert re.fullmatch(
        r"__Host-razvilka_browser=[\w-]{43}; Path=/; HttpOnly; SameSite=Lax; Max-Age=\d+; Secure", cookies[-1]
    )


async def test_the_language_can_be_switched_in_the_middle_of_a_login(edge: Edge) -> None:
    """By a link on plain pages, by a form where something waits; it is remembered."""
    async with browser(edge, **{"accept-language": "ru-RU,ru;q=0.9,en;q=0.5"}) as client:
        russian = await client.get(AUTHORIZE)
        english = await submit(client, form_of(russian, "/authorize/continue"), lang="en")
        later = await client.get("/login")

    assert 'lang="ru"' in russian.text
    assert 'lang="en"' in english.text
    assert form_of(english, "/login").fields["pending_id"]
    assert '<html lang="en">' in later.text


async def test_a_client_may_wish_a_language(edge: Edge, backends: Backends) -> None:
    """ui_locales goes before the browser's language (OpenID Connect Core 3.1.2.1)."""
    backends.oauth.ui_locales = "ru"

    async with browser(edge) as client:
        page = await client.get(AUTHORIZE)

    assert '<html lang="ru">' in page.text


async def test_the_sheet_may_be_kept_for_ever(edge: Edge) -> None:
    """Its name changes with its content."""
    async with browser(edge) as client:
        page = await client.get("/login")
        urls = re.findall(r'(?:href|src)="(/console/static/[^"]+)"', page.text)
        files = [await client.get(url) for url in urls]
        missing = await client.get("/console/static/../settings.py")
        unknown = await client.get("/console/static/console.css")

    assert {file.status_code for file in files} == {200}
    assert {file.headers["cache-control"] for file in files} == {"public, max-age=31536000, immutable"}
    assert {file.headers["content-type"] for file in files} == {"text/css; charset=utf-8", "image/svg+xml"}
    assert [url for url, file in zip(urls, files, strict=True) if "set-cookie" in file.headers] == []
    assert (missing.status_code, unknown.status_code) == (404, 404)


async def test_the_outbox_is_not_in_production(start_gateway: StartGateway) -> None:
    """Mails hold links that log people in."""
    edge = await start_gateway(environment="production")

    assert (await edge.client.get("/dev/outbox")).status_code == 404


async def test_logs_know_routes_and_never_secrets(edge: Edge, capfd: pytest.CaptureFixture[str]) -> None:
    """No query, cookie, password, code or token reaches the log."""
    async with browser(edge) as client:
        await client.get("/reset-password?token=mailed-secret")
        await log_in(client, AUTHORIZE.replace("state=", "state=state-secret"))
        await client.post("/token", data={"code": "code-secret", "code_verifier": "verifier-secret"})
        await client.get("/login/external/yandex/callback?code=external-secret")

    logged = capfd.readouterr().out
    assert "/reset-password" in logged
    secrets = ["mailed-secret", "state-secret", "code-secret", "verifier-secret", "external-secret", PASSWORD, SESSION]
    assert [secret for secret in secrets if secret in logged] == []
