"""What every page owes its visitor: headers, cookies, forms that only our own pages can send, two languages."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
from razvilka.auth.v1 import account_pb2
from starlette.routing import Route

from services.gateway.edge.endpoint import Endpoint
from services.gateway.pages.page_endpoint import Page
from services.gateway.tests.backends import Backends
from services.gateway.tests.conftest import Edge, StartGateway
from services.gateway.tests.identity_backends import EMAIL, PASSWORD, SESSION
from services.gateway.tests.pages.browser import AUTHORIZE, POLICY, browser, form_of, log_in, submit

OPEN = ["/login", "/logout", "/registration", "/verify-email?token=x", "/forgot-password", "/reset-password?token=x"]
MEMBERS = [
    "/console",
    "/console/security",
    "/console/sessions",
    "/console/applications",
    "/console/keys",
    "/console/data",
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
    assert policy.startswith(POLICY + "'self'"), page.url
    assert "unsafe" not in policy
    assert "access-control-allow-origin" not in page.headers
    assert f'<html lang="{language}">' in page.text
    assert page.text.startswith("<!DOCTYPE html>")
    assert not re.search(r"<script|<style|\son[a-z]+=|style=|javascript:|https?://(?!app\.|id\.)", page.text), page.url
    assert len(re.findall("<h1", page.text)) == 1
    ids = re.findall(r'\sid="([^"]+)"', page.text)
    assert len(ids) == len(set(ids)), page.url
    labels = set(re.findall(r'<label for="([^"]+)"', page.text))
    visible = re.findall(r'<(?:input|select)[^>]*\sid="([^"]+)"', page.text)
    assert set(visible) <= labels, page.url


def pages_of(edge: Edge) -> dict[str, Page]:
    """Return all pages of a running gateway by their paths."""
    endpoints = [(route.path, route.endpoint) for route in edge.gateway.app.routes if isinstance(route, Route)]
    return {
        path: endpoint.responder
        for path, endpoint in endpoints
        if isinstance(endpoint, Endpoint) and isinstance(endpoint.responder, Page)
    }


@pytest.mark.parametrize("language", ["ru", "en"])
async def test_every_page_is_strict_about_itself(edge: Edge, backends: Backends, language: str) -> None:
    """No script, no style but our sheet, no framing, no referrer, no storing; in both languages (rules 10 to 12)."""
    backends.accounts.profile.language = language
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
        assert not re.search(r"<img src=x|<script|<b>|<i>", page.text)


# Field or header -> does the form pass? Each case changes one thing of a good post.
CASES: dict[str, tuple[dict[str, Any], int]] = {
    "our own form": ({}, 303),
    "no token": ({"csrf": None}, 403),
    "an empty token": ({"csrf": ""}, 403),
    "a made-up token": ({"csrf": "a" * 43}, 403),
    "no cookies": ({"cookies": False}, 403),
    "another browser": ({"browser": "other"}, 403),
    "another session": ({"session": "other"}, 403),
    "another site": ({"sec-fetch-site": "cross-site"}, 403),
    "a sibling domain": ({"sec-fetch-site": "same-site"}, 403),
    "another origin": ({"sec-fetch-site": None, "origin": "https://evil.example"}, 403),
    "an origin that begins like ours": ({"sec-fetch-site": None, "origin": "http://127.0.0.1:80800"}, 403),
    "an old browser that hides its origin": ({"sec-fetch-site": None, "origin": "null"}, 303),
    "an old browser that says nothing": ({"sec-fetch-site": None}, 303),
    "a JSON body": ({"json": True}, 400),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
async def test_only_our_own_pages_can_post_forms(
    edge: Edge, backends: Backends, case: tuple[dict[str, Any], int]
) -> None:
    """A consent that was posted by anybody else gives no code (rule 13)."""
    change, status = case
    async with browser(edge) as client:
        form = form_of(await log_in(client, AUTHORIZE), "/authorize/consent")
        fields = {**form.fields, "decision": "approve"}
        if "csrf" in change:
            fields = {**fields, "csrf": change["csrf"]}
        for name in ("browser", "session"):
            if name in change:
                client.cookies.set(f"razvilka_{name}", change[name], domain="127.0.0.1", path="/")
        if change.get("cookies") is False:
            client.cookies.clear()
        said = {name: value for name, value in change.items() if name in ("sec-fetch-site", "origin")}
        sent = {name: value for name, value in {"sec-fetch-site": "same-origin", **said}.items() if value}
        data = {name: value for name, value in fields.items() if value is not None}
        body: dict[str, Any] = {"json": data} if change.get("json") else {"data": data}
        answer = await client.post(form.action, headers=sent, **body)

    assert answer.status_code == status
    assert bool(backends.oauth.decisions) == (status == 303)
    if status == 403:
        assert "location" not in answer.headers


async def test_every_form_is_checked(edge: Edge) -> None:
    """A post without a token is refused on every page that takes one (rule 13; deny by default)."""
    posts = [path for path, page in pages_of(edge).items() if "POST" in page.handlers and not page.foreign_posts]
    async with browser(edge) as client:
        await log_in(client)
        answers = {
            path: (
                await client.post(
                    path.replace("{provider_id}", "yandex"), data={"a": "b"}, headers={"sec-fetch-site": "same-origin"}
                )
            ).status_code
            for path in posts
        }

    assert answers == dict.fromkeys(posts, 403)
    assert len(posts) >= 18


async def test_only_these_pages_are_open_to_everybody(edge: Edge) -> None:
    """A page that is not on this list asks who it is for (deny by default)."""
    pages = pages_of(edge)

    assert {path for path, page in pages.items() if not page.login_required} == {
        *(
            "/login",
            "/login/code",
            "/login/external/{provider_id}",
            "/login/external/{provider_id}/callback",
            "/logout",
        ),
        *("/logout", "/registration", "/verify-email", "/forgot-password", "/reset-password", "/dev/outbox"),
        *(f"{prefix}/authorize{step}" for prefix in ("", "/oauth") for step in ("", "/continue", "/consent")),
    }
    assert {path for path, page in pages.items() if page.foreign_posts} == {"/authorize", "/oauth/authorize"}


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


async def test_logging_out_needs_a_form_and_ends_the_session(edge: Edge, backends: Backends) -> None:
    """A link alone logs nobody out; the server ends the session, the cookie goes (rule 13)."""
    async with browser(edge) as client:
        await log_in(client)
        asked = await client.get("/logout")
        still = await client.get("/console")
        out = await submit(client, form_of(asked, "/logout"))
        after = await client.get("/console")

    assert still.status_code == 200
    assert backends.accounts.live == set()
    assert "Max-Age=0" in out.headers["set-cookie"]
    assert after.headers["location"].startswith("/login")


async def test_a_mailed_link_changes_nothing_by_itself(edge: Edge, backends: Backends) -> None:
    """Mail programs open links: confirming takes the button."""
    async with browser(edge) as client:
        page = await client.get("/verify-email?token=good")
        before = list(backends.accounts.requests)
        done = await submit(client, form_of(page, "/verify-email"))
        stale = await submit(client, form_of(page, "/verify-email"), token="bad")

    assert before == []
    assert (done.status_code, stale.status_code) == (200, 400)


async def test_registration_tells_nobody_who_is_registered(edge: Edge, backends: Backends) -> None:
    """One answer for all addresses; only a password that will not do is told (rule 44)."""
    async with browser(edge) as client:
        form = form_of(await client.get("/registration"), "/registration")
        answers = [await submit(client, form, email=mail, password=PASSWORD) for mail in (EMAIL, "new@example.com")]
        weak = await submit(client, form, email="new@example.com", password="short")
        forgot = form_of(await client.get("/forgot-password"), "/forgot-password")
        resets = [await submit(client, forgot, email=mail) for mail in (EMAIL, "new@example.com")]

    assert answers[0].text == answers[1].text
    assert resets[0].text == resets[1].text
    assert weak.status_code == 400
    assert backends.accounts.requests[0].language == "en"


async def test_a_new_address_takes_the_password(edge: Edge, backends: Backends) -> None:
    """Whoever finds an open browser cannot move the account to an address of his own."""
    async with browser(edge) as client:
        await log_in(client)
        profile = form_of(await client.get("/console"), "/console")
        without = await submit(client, profile, email="mine@example.com")
        with_it = await submit(client, profile, email="mine@example.com", current_password=PASSWORD)

    assert without.status_code == 400
    assert with_it.status_code == 200
    assert backends.accounts.requests[-1].email == "mine@example.com"
    assert backends.accounts.requests[-1].origin.ip


async def test_the_account_can_be_kept_without_scripts(edge: Edge, backends: Backends) -> None:
    """Profile, password, second factor, sessions, applications, keys, export and deletion are plain forms."""
    async with browser(edge) as client:
        await log_in(client)
        profile = form_of(await client.get("/console"), "/console")
        saved = await submit(client, profile, name="Маша", language="en", time_zone="Asia/Omsk")
        security = await client.get("/console/security")
        password = form_of(security, "/console/password")
        wrong = await submit(client, password, current_password="no", new_password="another long one")
        changed = await submit(client, password, current_password=PASSWORD, new_password="another long one")
        totp = await submit(client, form_of(security, "/console/totp"))
        codes = await submit(client, form_of(totp, "/console/totp/confirm"), code="123456")
        keys = await client.get("/console/keys")
        key = await submit(client, form_of(keys, "/console/keys"), name="CI", scope="models:read", budget="10")
        revoked = await submit(client, form_of(keys, "/console/keys/revoke"))
        ended = await submit(client, form_of(await client.get("/console/sessions"), "/console/sessions"))
        grants = await client.get("/console/applications")
        removed = await submit(client, form_of(grants, "/console/applications"))
        data = await client.get("/console/data")
        export = await submit(client, form_of(data, "/console/export"))
        refused = await submit(client, form_of(data, "/console/delete"), password="no")
        deleted = await submit(client, form_of(data, "/console/delete"), password=PASSWORD)

    assert "Saved." in saved.text
    assert 'lang="en"' in saved.text
    assert (wrong.status_code, changed.status_code) == (400, 200)
    assert "data:image/svg+xml;base64," in totp.text
    assert "aaaa-bbbb" in codes.text
    assert "rz_live_fresh" in key.text
    assert "rz_live_fresh" not in keys.text
    assert (backends.auth.ordered.name, backends.auth.ordered.budget_micro_rub) == ("CI", 10_000_000)
    assert [answer.status_code for answer in (revoked, ended, removed)] == [303, 303, 303]
    assert "500\xa0₽" in grants.text
    assert export.headers["content-disposition"] == 'attachment; filename="razvilka-account.json"'
    assert (refused.status_code, deleted.status_code) == (400, 200)
    assert "Max-Age=0" in deleted.headers["set-cookie"]


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
