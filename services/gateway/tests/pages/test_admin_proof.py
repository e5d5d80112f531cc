"""What administrators do that gives rights or cannot be taken back takes a recent proof of who they are."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from razvilka.auth.v1 import account_pb2, budgets_pb2
from razvilka.auth.v1 import administration_pb2 as pb

from services.gateway.identity.access import Scope
from services.gateway.tests.backends import Backends
from services.gateway.tests.conftest import Edge
from services.gateway.tests.identity_backends import PASSWORD
from services.gateway.tests.pages.browser import Form, browser, forms_of, log_in, submit

PEOPLE = "/console/admin/people"
ORGANIZATION = "/console/admin/organizations/org-1"
PRICE = {"valid_from": "2099-01-01", "input": "0,07", "output": "0,2", "source": "contract"}
# What is chosen in lists, of which the forms here know nothing.
CHOSEN = {"owner": "user", "measure": "cost", "period": "month", "mode": "hard"}
SHUT = (PEOPLE, {"order": "disable"})
# A page, and what its form says when it is sent; in this order.
GRAVE: tuple[tuple[str, dict[str, str]], ...] = (
    (PEOPLE, {"order": "tier", "tier": "enterprise"}),
    SHUT,
    (PEOPLE, {"order": "enable"}),
    ("/console/admin/catalog?model=gigachat-pro", {"order": "price", **PRICE}),
    (ORGANIZATION, {"order": "add", "member": "user-9"}),
    (ORGANIZATION, {"order": "remove", "user_id": "user-9"}),
    (f"{ORGANIZATION}/budgets/new", {"limit": "1 234,5"}),
    (f"{PEOPLE}/user-9/budgets/new", {"limit": "1 234,5"}),
    (f"{ORGANIZATION}/delete", {}),
)
LIGHT: tuple[tuple[str, dict[str, str]], ...] = (
    ("/console/admin/catalog", {"order": "off"}),
    ("/console/admin/providers", {"order": "drain", "provider": "gigachat", "reason": "works"}),
    ("/console/admin/organizations", {"name": "Shop", "time_zone": "Asia/Omsk"}),
)


@pytest.fixture
async def client(edge: Edge, backends: Backends) -> AsyncIterator[httpx.AsyncClient]:
    """Return the browser of an administrator whose login lies back."""
    backends.accounts.scopes = [scope.value for scope in Scope]
    backends.accounts.profile.language = "en"
    backends.accounts.fresh = False
    backends.budgets.organizations["org-1"] = budgets_pb2.Organization(id="org-1", name="Shop", time_zone="Asia/Omsk")
    async with browser(edge) as client:
        await log_in(client)
        yield client


async def fill_in(client: httpx.AsyncClient, path: str, typed: dict[str, str]) -> httpx.Response:
    """Send the form of a page, by the button that is named; of orders without a button of their own, any form does."""
    page = await client.get(path)
    action = path.partition("?")[0]
    own = [form for form in forms_of(page) if form.action == action and "csrf" in form.fields]
    wanted = [form for form in own if ("order", typed.get("order", "")) in form.buttons]
    return await submit(client, (wanted or own)[0], **CHOSEN, **typed)


def proof_form(page: httpx.Response) -> Form:
    """Return the form that asks for the password, as it is sent: with its button."""
    form = next(form for form in forms_of(page) if "password" in form.fields)
    return Form(form.action, {**form.fields, **dict(form.buttons)})


async def test_what_is_grave_takes_the_password_and_nothing_that_was_typed_is_lost(
    client: httpx.AsyncClient, backends: Backends
) -> None:
    """Nothing is ordered before; a wrong password asks again; with the right one the same order is given, once."""
    for path, typed in GRAVE:
        asked = await fill_in(client, path, typed)
        wrong = await submit(client, proof_form(asked), **CHOSEN, password="wrong")
        kept = proof_form(wrong).fields
        done = await submit(client, proof_form(wrong), **CHOSEN, password=PASSWORD)

        assert (asked.status_code, wrong.status_code, done.status_code) == (403, 400, 303), (path, typed, done.text)
        assert {name: kept.get(name) for name in typed} == typed
        assert 'id="fault-password"' in wrong.text

    of_people = [each for each in backends.administration.requests if isinstance(each, pb.SetTierRequest)]
    switched = [each for each in backends.accounts.requests if hasattr(each, "disabled")]
    noted = [each for each in backends.accounts.requests if isinstance(each, account_pb2.NoteOrderRequest)]
    assert (len(of_people), [each.disabled for each in switched], len(noted)) == (1, [True, False], 1)
    assert [each.order.amount for each in backends.budgets.requests] == [1_234_500_000] * 2
    assert backends.budgets.organizations == {}


async def test_what_is_taken_back_by_a_button_needs_no_proof(client: httpx.AsyncClient) -> None:
    """A provider that fails at night is drained at once."""
    for path, typed in LIGHT:
        done = await fill_in(client, path, typed)

        assert done.status_code == 303, (path, done.text)


async def test_the_proof_says_what_is_about_to_be_done_and_where_it_is_given(
    client: httpx.AsyncClient, backends: Backends
) -> None:
    """By the address, and not only by an id; who comes from elsewhere proves it there."""
    address = backends.administration.users[0].email
    tier = await fill_in(client, *GRAVE[0])
    backends.accounts.profile.has_password = False
    shut = await fill_in(client, *SHUT)

    assert f"{address} → enterprise" in tier.text
    assert f"Shut the account {address}" in shut.text
    assert 'href="/login?next=/console/admin/people"' in shut.text


async def test_a_password_proves_who_somebody_is_with_the_blanks_around_it(
    client: httpx.AsyncClient, backends: Backends
) -> None:
    """Registration and login take them as a part of it: whoever logs in with them is not shut out here."""
    asked = await fill_in(client, *SHUT)
    other = await submit(client, proof_form(asked), **CHOSEN, password=f" {PASSWORD} ")

    # The account's password has none, so this is another one.
    assert (other.status_code, 'id="fault-password"' in other.text) == (400, True)
    assert not any(hasattr(each, "disabled") for each in backends.accounts.requests)
