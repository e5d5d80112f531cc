"""The pages of administrators: what they show, what their buttons order, and who may see them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import httpx
import pytest
from razvilka.auth.v1 import administration_pb2 as pb
from razvilka.auth.v1 import auth_pb2

from services.gateway.identity.access import Scope
from services.gateway.tests.backends import Backends
from services.gateway.tests.conftest import Edge
from services.gateway.tests.pages.browser import browser, forms_of, log_in, submit

PAGES = [f"/console/admin/{name}" for name in ("people", "organizations", "providers", "catalog", "audit")]

PRICES = "catalog?model=gigachat-pro"


@pytest.fixture
async def client(edge: Edge, backends: Backends) -> AsyncIterator[httpx.AsyncClient]:
    """Return the browser of an administrator who is logged in."""
    backends.accounts.scopes = [scope.value for scope in Scope]
    async with browser(edge) as client:
        await log_in(client)
        yield client


async def test_only_administrators_see_their_pages(edge: Edge, backends: Backends) -> None:
    """Others are refused as by the API, and their menu does not name them."""
    async with browser(edge) as client:
        await log_in(client)
        refused = [(await client.get(path)).status_code for path in PAGES]
        menu = (await client.get("/console")).text
        told = (await client.get(PAGES[0], params={"lang": "en"})).text

    assert refused == [403] * len(PAGES)
    assert "This page is not for your account" in told
    assert "/console/admin/" not in menu


@pytest.mark.parametrize("language", ["ru", "en"])
async def test_each_page_names_all_in_both_languages(client: httpx.AsyncClient, language: str) -> None:
    """And the menu of an administrator leads to each."""
    shown = [await client.get(path, params={"lang": language}) for path in PAGES]

    assert [page.status_code for page in shown] == [200] * len(PAGES)
    assert all(f'href="{path}"' in shown[0].text for path in PAGES)


async def test_an_account_is_shut_opened_and_given_a_tier_by_buttons(
    client: httpx.AsyncClient, backends: Backends
) -> None:
    """The search stays; a person's own account has no such button."""
    me = pb.ListedUser(user_id=backends.accounts.profile.user_id, email="me@example.ru", tier=auth_pb2.TIER_FREE)
    backends.administration.users.append(me)
    page = await client.get("/console/admin/people", params={"search": "anna"})
    forms = [form for form in forms_of(page) if form.action == "/console/admin/people" and "user_id" in form.fields]
    tier, shut, own_tier = forms

    moved = await submit(client, tier, order="tier", tier="enterprise")
    await submit(client, shut, order="disable")
    await submit(client, shut, order="enable")

    assert (moved.status_code, moved.headers["location"]) == (303, "/console/admin/people?search=anna")
    assert [asked.tier for asked in backends.administration.requests if isinstance(asked, pb.SetTierRequest)] == [3]
    switched = [asked for asked in backends.accounts.requests if hasattr(asked, "disabled")]
    assert [(asked.user_id, asked.disabled) for asked in switched] == [("user-9", True), ("user-9", False)]
    assert own_tier.fields["user_id"] == me.user_id


async def test_the_next_page_of_people_keeps_the_search(client: httpx.AsyncClient, backends: Backends) -> None:
    """By a link that works without scripts."""
    backends.administration.has_more = True

    page = await client.get("/console/admin/people", params={"search": "a+b@example.ru"})

    assert 'href="/console/admin/people?search=a%2Bb%40example.ru&amp;cursor=user-9"' in page.text


async def test_an_order_about_somebody_on_a_later_page_leads_back_there(
    client: httpx.AsyncClient, backends: Backends
) -> None:
    """The search and the place in its list stay."""
    there = "/console/admin/people?search=anna&cursor=user-5"
    page = await client.get(there)
    form = next(form for form in forms_of(page) if ("order", "tier") in form.buttons)

    done = await submit(client, form, order="tier", tier="pro")

    assert (done.status_code, done.headers["location"]) == (303, there)


async def test_a_provider_is_drained_with_a_reason_and_taken_back(
    client: httpx.AsyncClient, backends: Backends
) -> None:
    """What is drained has a button; so has a circuit that is open."""
    page = await client.get("/console/admin/providers")
    drain = next(form for form in forms_of(page) if ("order", "drain") in form.buttons)

    await submit(client, drain, order="drain", provider="gigachat", reason="works")

    (noted,) = [asked for asked in backends.accounts.requests if getattr(asked, "order", "")]
    assert (noted.order, noted.subject, noted.details["reason"]) == ("provider.drain", "provider:gigachat", "works")


async def test_a_model_is_switched_off_and_nothing_else_of_it_changes(
    client: httpx.AsyncClient, backends: Backends
) -> None:
    """What differed already is sent again: the API takes an override whole."""
    overrides = await client.get("/console/admin/catalog")
    form = next(form for form in forms_of(overrides) if ("order", "off") in form.buttons)

    moved = await submit(client, form, order="off")

    (order,) = backends.router.providers.orders
    assert moved.headers["location"] == "/console/admin/catalog"
    assert json.loads(order.patch_json)["enabled"] is False


async def test_a_model_that_was_given_back_is_listed_before_gateways_offer_it_again(
    client: httpx.AsyncClient, backends: Backends
) -> None:
    """Its newest order is known at once; what it is in the file, the gateways still have to read."""
    page = await client.get("/console/admin/catalog", params={"lang": "en"})
    (row,) = [row for row in page.text.split("<tr>") if 'name="model" value="gigachat"' in row]

    assert "as in the file" in row
    assert 'value="off"' in row


async def test_a_name_without_prices_leaves_the_rest_of_the_catalogue(
    client: httpx.AsyncClient, backends: Backends
) -> None:
    """A channel that is off stands for nothing that the gateways know."""
    page = await client.get("/console/admin/catalog", params={"model": "unknown", "lang": "en"})

    assert page.status_code == 404
    assert "There are no prices by this name." in page.text
    assert 'name="model" value="gigachat-pro"' in page.text
    assert 'value="price"' not in page.text


async def test_a_price_is_given_in_roubles_with_a_comma(client: httpx.AsyncClient, backends: Backends) -> None:
    """From midnight in Moscow of the day that was chosen."""
    page = await client.get("/console/admin/catalog", params={"model": "gigachat-pro"})
    form = next(form for form in forms_of(page) if ("order", "price") in form.buttons)

    await submit(
        client, form, order="price", valid_from="2027-01-01", input="0,07", output="0,2", cached="", source="contract"
    )

    order = backends.router.providers.orders[-1]
    assert (order.price.input_micro_rub_per_1k, order.price.output_micro_rub_per_1k) == (70_000, 200_000)
    assert order.price.valid_from.ToDatetime().isoformat() == "2026-12-31T21:00:00"


async def test_the_audit_log_is_shown_and_checked(client: httpx.AsyncClient, backends: Backends) -> None:
    """Whole, broken with its row, and the books beside it."""
    backends.administration.has_more = True
    page = await client.get("/console/admin/audit", params={"actor": "user:boss"})
    chain = next(form for form in forms_of(page) if ("order", "chain") in form.buttons)
    whole = await submit(client, chain, order="chain")
    backends.administration.check = pb.CheckAuditLogResponse(checked=2, broken_at=3, complete=True)
    broken = await submit(client, chain, order="chain")
    books = await submit(client, chain, order="ledger")

    assert "user.disabled" in page.text
    assert 'href="/console/admin/audit?actor=user%3Aboss&amp;before=7"' in page.text
    # What was searched for stays, also beside what a check found.
    assert all('name="actor" type="text" value="user:boss"' in each.text for each in (page, whole, broken, books))
    assert "Цепь цела, строк: 7." in whole.text
    assert "Цепь разорвана на строке 3." in broken.text
    assert books.status_code == 200


@pytest.mark.parametrize("path", PAGES)
async def test_an_order_that_no_button_gives_is_refused(client: httpx.AsyncClient, path: str) -> None:
    """And changes nothing."""
    form = next(form for form in forms_of(await client.get("/console/admin/audit")) if "csrf" in form.fields)

    answer = await client.post(path, data={**form.fields, "order": "x"}, headers={"sec-fetch-site": "same-origin"})

    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("page", "typed", "at"),
    [
        ("providers", {"order": "drain", "provider": "gigachat", "reason": "x" * 501}, "reason"),
        (PRICES, {"order": "price", "valid_from": "1.1.27", "input": "1", "output": "2"}, "valid_from"),
        (PRICES, {"order": "price", "valid_from": "2027-01-01", "input": "x", "output": "2"}, "input"),
    ],
)
async def test_what_is_wrong_is_said_at_its_field_and_what_was_typed_stays(
    client: httpx.AsyncClient, page: str, typed: dict[str, str], at: str
) -> None:
    """In place of a page that only says that it went wrong."""
    shown = await client.get(f"/console/admin/{page}")
    form = next(form for form in forms_of(shown) if ("order", typed["order"]) in form.buttons)

    refused = await submit(client, form, **typed)

    assert refused.status_code == 400, refused.text
    assert f'id="fault-{at}"' in refused.text
    assert f'<a href="#{at}">' in refused.text
    kept = [value for name, value in typed.items() if name not in ("order", "provider") and value]
    assert all(f'value="{value}"' in refused.text for value in kept)


async def test_an_account_that_is_gone_is_said_beside_the_others(client: httpx.AsyncClient, backends: Backends) -> None:
    """The list stays where it was."""
    page = await client.get("/console/admin/people", params={"search": "anna"})
    tier = next(form for form in forms_of(page) if "user_id" in form.fields)

    refused = await submit(client, tier, order="tier", tier="nonsense")

    assert refused.status_code == 400
    assert 'role="alert"' in refused.text
    assert 'value="anna"' in refused.text
