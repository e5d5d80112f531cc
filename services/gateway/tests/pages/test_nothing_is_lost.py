"""What a page says when it cannot be shown, and what becomes of a form that comes at the wrong time."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from servicekit.errors import ErrorReason, Unavailable
from services.gateway.tests.backends import Backends
from services.gateway.tests.conftest import Edge
from services.gateway.tests.identity_backends import EMAIL, PASSWORD, SESSION
from services.gateway.tests.pages.browser import Form, browser, form_of, log_in, submit
from services.gateway.tests.pages.test_forms import pages_of

NEW = "/console/budgets/new"
TYPED = {
    "owner": "user:",
    "measure": "cost",
    "period": "month",
    "mode": "hard",
    "limit": "1 500",
    "models": "<b>\u202e😀",
}
AWAY = Unavailable(ErrorReason.SERVICE_UNAVAILABLE, "Away.")


@pytest.fixture
async def client(edge: Edge, backends: Backends) -> AsyncIterator[httpx.AsyncClient]:
    """Return the browser of somebody who is logged in."""
    backends.accounts.profile.language = "en"
    backends.accounts.scopes.append("keys:write")
    async with browser(edge, accept="text/html") as client:
        await log_in(client)
        yield client


async def filled(client: httpx.AsyncClient) -> Form:
    """Return the form of a new budget, filled in."""
    form = form_of(await client.get(NEW), NEW)
    return Form(NEW, {**form.fields, **TYPED})


async def test_while_accounts_are_away_every_page_says_so_and_what_to_do(
    client: httpx.AsyncClient, edge: Edge, backends: Backends
) -> None:
    """In the browser's language, with a way to ask again; what strangers see goes on."""
    members = {path: page for path, page in pages_of(edge).items() if page.login_required and "GET" in page.handlers}
    backends.accounts.failure = AWAY
    shown = {path: await client.get(path, params={"kept": "a b"}) for path in members}
    open_ones = [(await client.get(path)).status_code for path in ("/", "/status", "/docs", "/login")]

    assert len(shown) > 40
    for path, page in shown.items():
        assert page.status_code == 503, path
        assert "The login service does not answer at the moment" in page.text, path
        assert "?kept=a+b" in page.text, path
    assert open_ones == [200] * 4


async def test_a_form_that_comes_while_accounts_are_away_is_sent_again_by_a_button(
    client: httpx.AsyncClient, backends: Backends
) -> None:
    """What was typed is in it, whatever letters it has, and it makes one thing."""
    form = await filled(client)
    backends.accounts.failure = AWAY
    away = await submit(client, form)
    backends.accounts.failure = None

    again = form_of(away, NEW)
    done = [(await submit(client, again)).status_code for _ in range(2)]

    assert away.status_code == 503
    assert {name: again.fields[name] for name in (*TYPED, "once")} == {**TYPED, "once": form.fields["once"]}
    assert "&lt;b&gt;" in away.text
    assert "<b>" not in away.text
    assert (done, len(backends.budgets.requests)) == ([303, 303], 1)


async def test_a_form_that_outlived_its_session_is_sent_again_after_the_login(
    client: httpx.AsyncClient, backends: Backends
) -> None:
    """In the session that ended it asks for the login; in the next one, of another tab, for one more press."""
    form = await filled(client)
    backends.accounts.live.clear()
    ended = await submit(client, form)
    backends.accounts.live.add(SESSION)
    client.cookies.set("razvilka_browser", "another", domain="127.0.0.1", path="/")
    refused = await submit(client, form_of(ended, NEW))

    done = await submit(client, form_of(refused, NEW))

    assert (ended.status_code, refused.status_code, done.status_code) == (401, 403, 303)
    assert 'href="/login?next=%2Fconsole%2Fbudgets%2Fnew" target="_blank"' in ended.text
    assert [order.order.amount for order in backends.budgets.requests] == [1_500_000_000]


async def test_what_is_secret_is_written_into_no_page_again(client: httpx.AsyncClient, backends: Backends) -> None:
    """And what other sites send is offered to nobody."""
    form = form_of(await client.get("/console/security"), "/console/password")
    secret = await submit(client, form, csrf="x", current_password=PASSWORD, new_password="new new new")
    foreign = await client.post(NEW, data={**TYPED, "csrf": "x"}, headers={"sec-fetch-site": "cross-site"})
    silent = await client.post(NEW, data={**TYPED, "csrf": "x"})

    assert PASSWORD not in secret.text
    assert [page.status_code for page in (secret, foreign, silent)] == [403] * 3
    assert not any("Send it again" in page.text for page in (secret, foreign, silent))


async def test_forms_that_are_refused_keep_what_was_typed(client: httpx.AsyncClient, backends: Backends) -> None:
    """The profile, a forgotten password, advice: none had fields that say what is wrong with them."""
    profile = form_of(await client.get("/console/profile"), "/console/profile")
    moved = await submit(client, profile, name="Анна 😀", email="new@example.ru", current_password="wrong")
    advice = form_of(await client.get("/console"), "/console/advice")
    dismissed = await submit(client, advice, state="dismissed", reason="x" * 501)
    backends.accounts.scopes.append("admin")
    people = await client.get("/console/admin/people", params={"search": "x" * 300})

    assert [page.status_code for page in (moved, dismissed, people)] == [400] * 3
    assert 'value="Анна 😀"' in moved.text
    assert 'value="new@example.ru"' in moved.text
    assert f'value="{"x" * 501}"' in dismissed.text
    assert f'value="{"x" * 300}"' in people.text
    assert all('role="alert"' in page.text for page in (moved, dismissed, people))
    assert PASSWORD not in moved.text


async def test_nobody_is_sent_back_to_an_application_that_they_did_not_come_from(client: httpx.AsyncClient) -> None:
    """What is wrong with an address of ours is said in words of ours."""
    pages = [await client.get(path) for path in ("/console/keys/none", "/console/usage?from=%00", "/docs?q=%00")]
    theirs = await client.get("/authorize?client_id=%00")

    assert not any("application you came from" in page.text for page in pages)
    assert "There is no such thing here" in pages[0].text
    assert "application you came from" in theirs.text


async def test_a_login_leads_to_the_page_that_was_wanted(client: httpx.AsyncClient, backends: Backends) -> None:
    """However deep it lies; from what only takes a form to the overview, and nowhere else."""
    backends.accounts.live.clear()
    asked = [await client.get(path) for path in (NEW, "/console/admin/people/user-9/budgets/new")]
    form = form_of(await client.get("/login"), "/login")
    bare = await submit(client, Form("/console/password", {"csrf": form.fields["csrf"]}))
    wanted = [answer.headers["location"] for answer in (*asked, bare)]
    reached = []
    for address in (*wanted, "/login?next=/console//evil.example", "/login?next=//evil.example"):
        login = form_of(await client.get(address), "/login")
        done = await submit(client, login, email=EMAIL, password=PASSWORD)
        reached.append(done.headers["location"])

    assert reached == [NEW, "/console/admin/people/user-9/budgets/new", *["/console"] * 3]


async def test_a_login_leads_to_what_was_asked_of_the_page_too(client: httpx.AsyncClient, backends: Backends) -> None:
    """A link of a colleague: its period and filters are there afterwards. What is too long, or not of ours, is not."""
    kept = (
        "/console/usage?period=7d&group_by=key&model=a%26b+%D1%8F",
        "/docs/run/list_models?limit=1",
        "/status?span=90d",
    )
    backends.accounts.live.clear()
    redirected = (await client.get(kept[0])).headers["location"]
    long = (await client.get(f"/console/usage?model={'x' * 2000}")).headers["location"]
    links = [(await client.get(address)).text for address in kept[1:]]
    reached = []
    for address in (redirected, long, "/login?next=/console?%0d%0ax", "/login?next=/status//evil.example"):
        login = form_of(await client.get(address), "/login")
        reached.append((await submit(client, login, email=EMAIL, password=PASSWORD)).headers["location"])

    assert reached == [kept[0], "/console/usage", "/console", "/console"]
    assert 'href="/login?next=/docs/run/list_models%3Flimit%3D1"' in links[0]
    assert 'href="/login?next=/status%3Fspan%3D90d"' in links[1]


async def test_who_allows_no_cookies_is_told_so(edge: Edge) -> None:
    """That the form is out of date would have them load it again and again."""
    async with browser(edge, accept="text/html") as client:
        form = form_of(await client.get("/login"), "/login")
        client.cookies.clear()
        refused = await submit(client, form, email=EMAIL, password=PASSWORD)

    assert (refused.status_code, "Allow cookies for this site" in refused.text) == (403, True)
    assert PASSWORD not in refused.text
