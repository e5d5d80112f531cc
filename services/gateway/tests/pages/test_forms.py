"""What pages do: forms that only we can post, registration, mailed links, languages, a kept account."""

from __future__ import annotations

import re
from typing import Any

import pytest
from starlette.routing import Route

from services.gateway.edge.endpoint import Endpoint
from services.gateway.pages.page_endpoint import Page
from services.gateway.tests.backends import Backends
from services.gateway.tests.conftest import Edge
from services.gateway.tests.identity_backends import EMAIL, PASSWORD
from services.gateway.tests.pages.browser import AUTHORIZE, browser, form_of, log_in, submit


def pages_of(edge: Edge) -> dict[str, Page]:
    """Return all pages of a running gateway by their paths."""
    endpoints = [(route.path, route.endpoint) for route in edge.gateway.app.routes if isinstance(route, Route)]
    return {
        path: endpoint.responder
        for path, endpoint in endpoints
        if isinstance(endpoint, Endpoint) and isinstance(endpoint.responder, Page)
    }


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


async def test_logging_out_needs_a_form_and_ends_the_session(edge: Edge, backends: Backends) -> None:
    """A link alone logs nobody out; the server ends the session, the cookie goes (rule 13)."""
    async with browser(edge) as client:
        await log_in(client)
        asked = await client.get("/logout")
        still = await client.get("/console/profile")
        out = await submit(client, form_of(asked, "/logout"))
        after = await client.get("/console/profile")

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
    assert "it needs 14 to 200 characters" in weak.text
    assert backends.accounts.requests[0].language == "en"


async def test_a_new_address_takes_the_password(edge: Edge, backends: Backends) -> None:
    """Whoever finds an open browser cannot move the account to an address of his own."""
    async with browser(edge) as client:
        await log_in(client)
        profile = form_of(await client.get("/console/profile"), "/console/profile")
        without = await submit(client, profile, email="mine@example.com")
        with_it = await submit(client, profile, email="mine@example.com", current_password=PASSWORD)

    assert without.status_code == 400
    assert with_it.status_code == 200
    assert backends.accounts.requests[-1].email == "mine@example.com"
    assert backends.accounts.requests[-1].origin.ip


@pytest.mark.parametrize(
    ("page", "action", "typed", "field"),
    [
        ("profile", "profile", {"email": "mine@example.com", "current_password": "no"}, "current_password"),
        ("security", "password", {"current_password": "no", "new_password": "another long one"}, "current_password"),
        ("data", "delete", {"password": "no"}, "password"),
    ],
)
async def test_what_is_wrong_with_the_account_is_said_of_its_field(
    edge: Edge, page: str, action: str, typed: dict[str, str], field: str
) -> None:
    """Who hears a page hears at which field, and no other is marked (WCAG 3.3.1)."""
    async with browser(edge) as client:
        await log_in(client)
        form = form_of(await client.get(f"/console/{page}"), f"/console/{action}")
        refused = await submit(client, form, **typed)

    wrong = r'<input id="(\w+)"[^>]* aria-invalid="true" aria-describedby="([^"]*)"'
    marked = re.findall(wrong, refused.text)
    assert refused.status_code == 400
    assert 'role="alert" id="error"' in refused.text
    assert [(name, "error" in described.split()) for name, described in marked] == [(field, True)]


async def test_guesses_at_the_password_that_ends_an_account_are_refused_as_too_many(
    edge: Edge, backends: Backends
) -> None:
    """429, as on the pages of the profile and of security; the page said 400."""
    async with browser(edge) as client:
        await log_in(client)
        data = await client.get("/console/data")
        backends.accounts.too_many = True
        refused = await submit(client, form_of(data, "/console/delete"), password="no")

    assert refused.status_code == 429


async def test_the_account_can_be_kept_without_scripts(edge: Edge, backends: Backends) -> None:
    """Profile, password, second factor, sessions, applications, export and deletion are plain forms."""
    async with browser(edge) as client:
        await log_in(client)
        profile = form_of(await client.get("/console/profile"), "/console/profile")
        saved = await submit(client, profile, name="Маша", language="en", time_zone="Asia/Omsk")
        security = await client.get("/console/security")
        password = form_of(security, "/console/password")
        wrong = await submit(client, password, current_password="no", new_password="another long one")
        changed = await submit(client, password, current_password=PASSWORD, new_password="another long one")
        totp = await submit(client, form_of(security, "/console/totp"))
        codes = await submit(client, form_of(totp, "/console/totp/confirm"), code="123456")
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
    assert [answer.status_code for answer in (ended, removed)] == [303, 303]
    assert "₽500" in grants.text
    assert export.headers["content-disposition"] == 'attachment; filename="razvilka-account.json"'
    assert (refused.status_code, deleted.status_code) == (400, 200)
    assert "Max-Age=0" in deleted.headers["set-cookie"]
    assert list(backends.notifications.told.get_nowait().gone_user_ids) == ["user-1"]


async def test_only_these_pages_are_open_to_everybody(edge: Edge) -> None:
    """A page that is not on this list asks who it is for (deny by default)."""
    pages = pages_of(edge)

    assert {path for path, page in pages.items() if not page.login_required} == {
        *(
            "/",
            "/demo",
            "/status",
            "/docs",
            "/docs/errors",
            "/docs/run/{operation_id}",
            "/docs/{room}",
            "/login",
            "/login/code",
            "/login/external/{provider_id}",
            "/login/external/{provider_id}/callback",
            "/logout",
            "/status",
        ),
        # What is nowhere: it says nothing else.
        "/console/{path:path}",
        *("/logout", "/registration", "/verify-email", "/forgot-password", "/reset-password", "/dev/outbox"),
        *(f"{prefix}/authorize{step}" for prefix in ("", "/oauth") for step in ("", "/continue", "/consent")),
    }
    assert {path for path, page in pages.items() if page.foreign_posts} == {"/authorize", "/oauth/authorize"}
