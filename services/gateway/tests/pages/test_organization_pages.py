"""/console/admin/organizations and an account's page: budgets that administrators set, and who is capped by them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import httpx
import pytest
from razvilka.auth.v1 import auth_pb2
from razvilka.auth.v1 import budgets_pb2 as pb

from servicekit.errors import Conflict, ErrorReason, NotFound
from services.gateway.identity.access import Scope
from services.gateway.tests.backends import Backends
from services.gateway.tests.conftest import Edge
from services.gateway.tests.pages.browser import Form, browser, form_of, forms_of, log_in, submit

LIST = "/console/admin/organizations"
ONE = f"{LIST}/org-1"
NEW = f"{ONE}/budgets/new"
PERSON = "/console/admin/people/user-9"
NEW_OF_PERSON = f"{PERSON}/budgets/new"
PAGES = (LIST, ONE, f"{ONE}/delete", NEW, PERSON, NEW_OF_PERSON)


@pytest.fixture
async def client(edge: Edge, backends: Backends) -> AsyncIterator[httpx.AsyncClient]:
    """Return the browser of an administrator who is logged in, with an organization."""
    backends.accounts.scopes = [scope.value for scope in Scope]
    backends.accounts.profile.language = "en"
    backends.budgets.organizations["org-1"] = pb.Organization(id="org-1", name="Кафе «Шум» <b>", time_zone="Asia/Omsk")
    async with browser(edge) as client:
        await log_in(client)
        yield client


def order_form(page: httpx.Response, order: str) -> Form:
    """Return the form with the button that gives an order."""
    return next(form for form in forms_of(page) if ("order", order) in form.buttons)


async def test_only_administrators_see_organizations_and_budgets_of_others(edge: Edge, backends: Backends) -> None:
    """The API refuses each page, and each form with it."""
    backends.budgets.organizations["org-1"] = pb.Organization(id="org-1", name="Shop")
    async with browser(edge) as client:
        page = await log_in(client)
        shown = [(await client.get(path)).status_code for path in PAGES]
        profile = await client.get("/console/profile")
        token = next(form.fields for form in forms_of(profile) if "csrf" in form.fields)
        sent = [(await submit(client, Form(path, token), limit="5", name="x")).status_code for path in (LIST, NEW)]

    assert page.status_code == 303
    assert (shown, sent) == ([403] * len(PAGES), [403] * 2)
    assert backends.budgets.requests == []


async def test_an_organization_is_made_and_ended(client: httpx.AsyncClient, backends: Backends) -> None:
    """With a time zone of its own; ending it asks before."""
    del backends.budgets.organizations["org-1"]
    form = form_of(await client.get(LIST), LIST)
    made = await submit(client, form, name="Shop", time_zone="Asia/Omsk")
    shown = await client.get(made.headers["location"])
    question = await client.get(f"{ONE}/delete")
    kept = dict(backends.budgets.organizations)
    ended = await submit(client, form_of(question, f"{ONE}/delete"))

    assert made.headers["location"] == f"{ONE}?done=made"
    assert "The organization is there" in shown.text
    assert [(each.name, each.time_zone) for each in kept.values()] == [("Shop", "Asia/Omsk")]
    assert (ended.headers["location"], backends.budgets.organizations) == (f"{LIST}?done=ended", {})


async def test_more_organizations_than_a_page_has_are_on_the_next(
    client: httpx.AsyncClient, backends: Backends
) -> None:
    """Fifty to a page; each has a page of its own, wherever it stands."""
    for number in range(2, 62):
        backends.budgets.organizations[f"org-{number}"] = pb.Organization(id=f"org-{number}", name=f"Shop {number}")

    first = await client.get(LIST)
    (more,) = re.findall(r'href="([^"]+)" rel="next"', first.text)
    second = await client.get(more)

    listed = [re.findall(r'href="/console/admin/organizations/(org-\d+)"', page.text) for page in (first, second)]
    assert [len(each) for each in listed] == [50, 11]
    assert 'rel="next"' not in second.text
    assert "Shop 61" in (await client.get(f"{LIST}/org-61")).text


async def test_a_budget_of_an_organization_is_set_changed_and_removed(
    client: httpx.AsyncClient, backends: Backends
) -> None:
    """To the micro-rouble; a trial tells what it would have refused. Sent twice, a form makes one."""
    form = form_of(await client.get(NEW), NEW)
    typed = {"limit": "1 500,000001", "period": "week", "mode": "shadow"}
    made = await submit(client, form, **typed)
    await submit(client, form, **typed)
    listed = await client.get(made.headers["location"])
    (id,) = [cap.id for cap in backends.budgets.caps.values() if cap.subject == "organization:org-1"]
    change = form_of(await client.get(f"{ONE}/budgets/{id}"), f"{ONE}/budgets/{id}")
    changed = await submit(client, change, limit="2", mode="hard")
    delete = f"{ONE}/budgets/{id}/delete"
    removed = await submit(client, form_of(await client.get(delete), delete))

    first, second = backends.budgets.requests
    assert (first.order.owner, first.order.owner_id, first.order.measure) == ("organization", "org-1", "cost")
    assert (first.order.amount, first.order.period, first.order.mode) == (
        1_500_000_001, "week", auth_pb2.CAP_MODE_SHADOW,
    )  # fmt: skip
    assert "Requests it would have refused: 0" in listed.text
    assert (change.fields["limit"], second.order.amount) == ("1500,000001", 2_000_000)
    assert [answer.headers["location"] for answer in (changed, removed)] == [
        f"{ONE}?done=changed",
        f"{ONE}?done=removed",
    ]
    assert id not in backends.budgets.caps


@pytest.mark.parametrize(
    ("path", "typed", "at"),
    [
        (NEW, {"limit": "0", "period": "month"}, "limit"),
        (NEW, {"limit": "-5", "period": "month"}, "limit"),
        (NEW, {"limit": "1000000001", "period": "month"}, "limit"),
        (NEW, {"limit": "5", "period": "fortnight"}, "period"),
        (NEW, {"limit": "5", "period": "month", "mode": "off"}, "mode"),
        (NEW_OF_PERSON, {"limit": "1,5", "owner": "user", "measure": "tokens", "period": "day"}, "limit"),
        (NEW_OF_PERSON, {"limit": "5", "owner": "organization", "measure": "x", "period": "day"}, "measure"),
        (LIST, {"name": "  ", "time_zone": "Europe/Moscow"}, "name"),
        (LIST, {"name": "x" * 201, "time_zone": "Europe/Moscow"}, "name"),
        (LIST, {"name": "Shop", "time_zone": "x" * 65}, "time_zone"),
        (ONE, {"order": "add", "member": "nobody@example.ru"}, "member"),
        (ONE, {"order": "add", "member": ""}, "member"),
        (ONE, {"order": "add", "member": "anna@"}, "member"),
    ],
)
async def test_what_is_wrong_is_said_at_its_field(
    client: httpx.AsyncClient, backends: Backends, path: str, typed: dict[str, str], at: str
) -> None:
    """What was typed stays, and nothing is set."""
    page = await client.get(path)
    form = order_form(page, "add") if "order" in typed else form_of(page, path)

    refused = await submit(client, form, **{"mode": "hard", **typed})

    assert refused.status_code == 400, refused.text
    assert f'id="fault-{at}"' in refused.text
    assert backends.budgets.requests == []
    assert list(backends.budgets.organizations["org-1"].member_user_ids) == []


async def test_a_member_joins_by_address_and_leaves(client: httpx.AsyncClient, backends: Backends) -> None:
    """In whatever letters it is typed; the page names members by their addresses and leads to their budgets."""
    organization = backends.budgets.organizations["org-1"]
    joined = await submit(client, order_form(await client.get(ONE), "add"), order="add", member=" Anna@Example.ru ")
    members = list(organization.member_user_ids)
    shown = await client.get(joined.headers["location"])
    left = await submit(client, order_form(shown, "remove"), order="remove")

    assert members == ["user-9"]
    assert f'<a href="{PERSON}">anna@example.ru</a>' in shown.text
    assert (left.headers["location"], list(organization.member_user_ids)) == (f"{ONE}?done=left", [])


async def test_a_member_of_another_organization_is_told_of_at_the_field(
    client: httpx.AsyncClient, backends: Backends
) -> None:
    """Nobody belongs to two; whoever left the list meanwhile is told of, too."""
    form = order_form(await client.get(ONE), "add")
    backends.budgets.refusal = Conflict(ErrorReason.CONFLICT, "Elsewhere.", param="user_id")
    elsewhere = await submit(client, form, order="add", member="user-9")
    backends.budgets.refusal = NotFound(ErrorReason.NOT_FOUND, "Gone.", param="user_id")
    gone = await submit(client, form, order="add", member="user-9")

    assert (elsewhere.status_code, gone.status_code) == (409, 404)
    assert "belongs to another organization" in elsewhere.text
    assert 'value="user-9"' in elsewhere.text


async def test_a_persons_page_tells_what_can_be_changed_there(client: httpx.AsyncClient, backends: Backends) -> None:
    """What came with a key has no form; a budget of a key is set by its id, and one of the account by nothing."""
    caps = backends.budgets.caps
    caps["key:key-2"] = pb.Cap(
        id="key:key-2", user_id="user-9", subject="key:key-2", measure="cost", period="day", amount=5, source="key"
    )
    form = form_of(await client.get(NEW_OF_PERSON), NEW_OF_PERSON)
    typed = {"limit": "5", "measure": "requests", "period": "minute", "mode": "hard", "models": ""}
    of_account = await submit(client, form, **typed, owner="user", owner_id="ignored")
    of_key = await submit(client, form, **typed, owner="key", owner_id="key-2")
    shown = await client.get(PERSON)

    owners = [(asked.order.owner, asked.order.owner_id) for asked in backends.budgets.requests]
    assert owners == [("user", "user-9"), ("key", "key-2")]
    assert of_account.headers["location"] == f"{PERSON}?done=set"
    # The backend of this test takes the key for somebody else's.
    assert of_key.headers["location"] == f"{PERSON}?done=elsewhere"
    assert "came with the key" in shown.text
    assert shown.text.count(f"{PERSON}/budgets/budget-") == 2
    assert "/budgets/key" not in shown.text


async def test_what_is_not_there_is_a_page_that_says_so(client: httpx.AsyncClient) -> None:
    """No organization, no account, no budget of theirs, nor one of somebody else."""
    rests = ("", "/budgets/new", "/budgets/x", "/budgets/key:key-1", "/budgets/x/delete")
    paths = [f"{LIST}/org-2{rest}" for rest in rests] + [f"/console/admin/people/user-8{rest}" for rest in rests]
    paths += [f"{ONE}/budgets/key:key-1", f"{PERSON}/budgets/key:key-1", f"{LIST}/org-2/delete", f"{ONE}/budgets/x"]

    answers = {path: (await client.get(path)).status_code for path in paths}

    assert answers == dict.fromkeys(paths, 404)


async def test_an_order_that_no_button_of_an_organization_gives_is_refused(
    client: httpx.AsyncClient, backends: Backends
) -> None:
    """And its name is shown as it is, whatever is in it."""
    page = await client.get(ONE)
    refused = await submit(client, order_form(page, "add"), order="x", member="user-9")

    assert "Кафе «Шум» &lt;b&gt;" in page.text
    assert refused.status_code == 400
    assert list(backends.budgets.organizations["org-1"].member_user_ids) == []


async def test_an_account_whose_id_has_slashes_has_its_pages(client: httpx.AsyncClient, backends: Backends) -> None:
    """As identity providers call people, and as 1.0 took them; the pages that lead there write the id as it is."""
    backends.administration.users[0].user_id = "https://id.example.ru/anna"
    backends.budgets.organizations["org-1"].member_user_ids.append("https://id.example.ru/anna")

    listing = [await client.get(path) for path in ("/console/admin/people", ONE)]
    links = [re.findall(r'href="(/console/admin/people/[^"]+)"', page.text) for page in listing]
    shown = [await client.get(path) for path in (*links[0], *links[1], f"{links[0][0]}/budgets/new")]

    assert [len(found) for found in links] == [1, 1]
    assert [page.status_code for page in shown] == [200, 200, 200]
    assert 'name="limit"' in shown[2].text
