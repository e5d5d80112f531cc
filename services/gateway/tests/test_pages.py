"""What every page owes its visitor: headers, cookies, forms that only our own pages can send, two languages."""

from __future__ import annotations

import re
import string
from typing import Any

import httpx
import pytest
from razvilka.auth.v1 import account_pb2

from services.gateway.access import PAGES
from services.gateway.console.cookies import CookieJar
from services.gateway.console.forms import form_token, is_own_origin, is_own_token
from services.gateway.console.language import TEXTS, choose
from services.gateway.console.pages import micro_rub_of, roubles_of
from services.gateway.console.policy import form_targets
from services.gateway.console.static_files import FILES
from services.gateway.tests.backends import Backends
from services.gateway.tests.conftest import Edge, StartGateway
from services.gateway.tests.identity_backends import EMAIL, PASSWORD, SESSION
from services.gateway.tests.identity_kit import AUTHORIZE, POLICY, browser, form_of, log_in, submit

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
    posts = [path.replace("{provider_id}", "yandex") for path in PAGES if "{name}" not in path]
    async with browser(edge) as client:
        await log_in(client)
        answers = {
            path: (await client.post(path, data={"a": "b"}, headers={"sec-fetch-site": "same-origin"})).status_code
            for path in [*posts, "/authorize/consent", "/authorize/continue", "/device", "/device/decide"]
        }

    # 405: pages that only show something.
    assert set(answers.values()) <= {403, 405}, answers
    assert sum(status == 403 for status in answers.values()) >= 18


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
    assert all("set-cookie" not in file.headers for file in files)
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


def _fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_both_languages_say_everything() -> None:
    """The same names, the same things filled in, and nothing left empty."""
    russian, english = TEXTS["ru"], TEXTS["en"]

    assert set(russian) == set(english)
    assert [name for name in russian if _fields(russian[name]) != _fields(english[name])] == []
    assert all(text.strip() for texts in TEXTS.values() for text in texts.values())


def test_every_scope_is_explained_in_words() -> None:
    """A person decides about a sentence, not about a name (rule 14)."""
    scopes = "models:read completions:write embeddings:write usage:read keys:read keys:write profile:read profile:write"
    scopes += " reports:read budgets:write clients:write admin profile email"

    assert [scope for scope in scopes.split() if f"scope.{scope.replace(':', '_')}" not in TEXTS["en"]] == []


@pytest.mark.parametrize(
    ("wishes", "expected"),
    [
        (("", "", "en-GB,en;q=0.9"), "en"),
        (("", "", "de,ru;q=0.3,en;q=0.7"), "en"),
        (("", "fr-CA fr en", "ru"), "en"),
        (("ru", "en"), "ru"),
        (("", "en;q=0", "zz"), "ru"),
        (("", ";;q=x,,", ""), "ru"),
    ],
)
def test_the_first_wish_that_can_be_met_is(wishes: tuple[str, ...], expected: str) -> None:
    """Switch, wish, browser; else Russian."""
    assert choose(*wishes) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 0), ("500", 500_000_000), (" 1 000 ", 10**9), ("99,9", 99_900_000), ("0.01", 10_000), ("0", 0),
        ("1.234", None), ("-1", None), ("1e3", None), ("NaN", None), (".", None), ("1.", None), ("9" * 10, None),
        ("²", None),
    ],
)  # fmt: skip
def test_amounts_are_read_exactly_or_not_at_all(text: str, expected: int | None) -> None:
    """Money: no rounding, no guessing."""
    assert micro_rub_of(text) == expected


def test_amounts_are_shown_to_the_kopeck() -> None:
    """Whole roubles without a tail."""
    assert [roubles_of(1_234_000_000), roubles_of(99_900_000)] == ["1\xa0234\xa0₽", "99,90\xa0₽"]


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("https://a.example/cb?x=1", ["https://a.example"]),
        ("https://a.example:8443/cb", ["https://a.example:8443"]),
        ("http://127.0.0.1:8399/callback", ["http://127.0.0.1:*"]),
        ("http://[::1]/cb", ["http:"]),
        ("com.example.app:/cb", ["com.example.app:"]),
        ("https://a.example; script-src *", []),
        ("https://x:y/", []),
        ("a b:/x", []),
        ("", []),
    ],
)
def test_no_address_can_widen_the_policy(uri: str, expected: list[str]) -> None:
    """A registered address becomes one source expression, or none."""
    assert form_targets([uri]) == expected


def test_form_tokens_belong_to_one_browser_and_session() -> None:
    """Any other pair is refused, and so is no browser at all."""
    token = form_token("b", "s")

    assert is_own_token(token, "b", "s")
    assert not any(is_own_token(given, *pair) for given, pair in [
        (token, ("b", "t")), (token, ("c", "s")), (form_token("", ""), ("", "")), ("я", ("b", "s")),
    ])  # fmt: skip


def test_an_origin_is_ours_by_its_host() -> None:
    """Sec-Fetch-Site decides where a browser sends it."""
    own = {"host": "localhost:8080", "public_url": "http://127.0.0.1:8080"}

    assert is_own_origin(site="same-origin", origin="null", **own)
    assert is_own_origin(site="", origin="http://localhost:8080", **own)
    assert is_own_origin(site="", origin="http://127.0.0.1:8080", **own)
    assert not is_own_origin(site="cross-site", origin="http://localhost:8080", **own)
    assert not is_own_origin(site="", origin="http://localhost:80801", **own)


def test_a_cookie_that_comes_twice_is_none() -> None:
    """Which of the two a stranger planted, nobody knows."""
    jar = CookieJar(secure=False)
    headers = [(b"cookie", b"razvilka_session=a; x=1"), (b"cookie", b"razvilka_session=b")]

    assert jar.read(headers, "session") == ""
    assert jar.read(headers[:1], "session") == "a"
    assert jar.read([(b"cookie", b'razvilka_session="a b"')], "session") == ""
    with pytest.raises(ValueError, match="quoting"):
        jar.write("session", "a;b")


def test_files_are_known_by_their_content() -> None:
    """Sheet and picture, each with its hash."""
    assert sorted(name.split(".")[-1] for name in FILES) == ["css", "svg"]
