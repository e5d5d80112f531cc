"""/console/budgets: how everything stands that caps somebody, and what they set of it."""

from __future__ import annotations

import pytest
from razvilka.auth.v1 import auth_pb2, budgets_pb2
from razvilka.usage.v1 import notifications_pb2

from servicekit.errors import ErrorReason, Unauthenticated
from services.gateway.tests.backends import Backends
from services.gateway.tests.conftest import Edge
from services.gateway.tests.identity_backends import PASSWORD, SESSION
from services.gateway.tests.pages.browser import browser, form_of, log_in, submit

NEW = "/console/budgets/new"


@pytest.fixture(autouse=True)
def manager(backends: Backends) -> None:
    """Let the person set budgets, in English."""
    backends.accounts.scopes += ["keys:write"]
    backends.accounts.profile.language = "en"


async def test_a_budget_is_set_changed_and_removed(edge: Edge, backends: Backends) -> None:
    """To the micro-rouble and in the person's session, whoever's it is; a thousand million is not too much."""
    async with browser(edge) as client:
        await log_in(client)
        page = await client.get(NEW)
        form = form_of(page, NEW)
        made = await submit(
            client, form, owner="key:key-1", limit="1 000 000 000", measure="cost", period="week", mode="shadow"
        )
        listed = await client.get(made.headers["location"])
        id = next(cap.id for cap in backends.budgets.caps.values() if cap.source == "set")
        change = form_of(await client.get(f"/console/budgets/{id}"), f"/console/budgets/{id}")
        changed = await submit(client, change, limit="0,000001", mode="hard")
        question = await client.get(f"/console/budgets/{id}/delete")
        removed = await submit(client, form_of(question, f"/console/budgets/{id}/delete"))

    first, second, third = backends.budgets.requests
    assert (made.status_code, changed.status_code, removed.status_code) == (303, 303, 303)
    assert (first.order.owner, first.order.owner_id, first.order.amount) == ("key", "key-1", 10**15)
    assert (first.order.mode, first.session_id, first.HasField("maker")) == (auth_pb2.CAP_MODE_SHADOW, SESSION, False)
    assert "₽1,000,000,000.00" in listed.text
    assert "Requests it would have refused: 0" in listed.text
    assert (second.order.amount, isinstance(third, budgets_pb2.DeleteBudgetRequest)) == (1, True)


async def test_every_key_can_have_a_budget(edge: Edge, backends: Backends) -> None:
    """Also one that was made before a hundred others."""
    backends.auth.keys = [backends.auth.key(id=f"key-{number}") for number in range(101)]

    async with browser(edge) as client:
        await log_in(client)
        shown = await client.get(NEW)

    assert 'value="key:key-100"' in shown.text


@pytest.mark.parametrize("path", [NEW, "/console/alerts/new"])
async def test_a_list_of_keys_says_that_there_are_older_ones(
    edge: Edge, backends: Backends, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """Something that makes one an hour has thousands within months: a key that lives was missing without a word."""
    monkeypatch.setattr("services.gateway.console.credentials.MOST_PAGES", 2)
    backends.notifications.channels["hook"] = notifications_pb2.NotificationChannel(
        id="hook", name="hook", kind=notifications_pb2.CHANNEL_KIND_WEBHOOK, target="https://hook.example/"
    )
    said = []

    async with browser(edge) as client:
        await log_in(client)
        for many in (200, 201):
            backends.auth.keys = [backends.auth.key(id=f"key-{number}") for number in range(many)]
            said.append((await client.get(path)).text)

    assert all('value="key:key-199"' in text for text in said)
    assert ["only the newest are looked through: 200" in text for text in said] == [False, True]


@pytest.mark.parametrize(
    ("fields", "at"),
    [({"limit": "0"}, "limit"), ({"limit": "-5"}, "limit"), ({"limit": "0,0000001"}, "limit"),
     ({"limit": "1,5", "measure": "tokens", "period": "day"}, "limit"), ({"limit": "9" * 16}, "limit"),
     ({"limit": "5", "owner": "organization:x"}, "owner"), ({"limit": "5", "period": "year"}, "period"),
     ({"limit": "1000000001"}, "limit")],
)  # fmt: skip
async def test_what_is_wrong_is_said_at_its_field(
    edge: Edge, backends: Backends, fields: dict[str, str], at: str
) -> None:
    """And nothing is set."""
    async with browser(edge) as client:
        await log_in(client)
        form = form_of(await client.get(NEW), NEW)
        typed = {"owner": "user:", "measure": "cost", "period": "month", "mode": "hard", **fields}
        refused = await submit(client, form, **typed)

    assert (refused.status_code, f'id="fault-{at}"' in refused.text) == (400, True)
    assert backends.budgets.requests == []


async def test_what_was_not_set_here_cannot_be_changed_here(edge: Edge) -> None:
    """What came with a key says so, and has no form; neither has what is not there."""
    async with browser(edge) as client:
        await log_in(client)
        listed = (await client.get("/console/budgets")).text
        absent = [
            await client.get(f"/console/budgets/{id}{rest}") for id in ("key:key-1", "x") for rest in ("", "/delete")
        ]

    assert "came with the key" in listed
    assert "/console/budgets/key" not in listed
    assert {page.status_code for page in absent} == {404}


async def test_removing_a_budget_asks_an_old_session_for_the_password(edge: Edge, backends: Backends) -> None:
    """On the page that asks whether it is to go; an unattended screen lifts no cap."""
    async with browser(edge) as client:
        await log_in(client)
        form = form_of(await client.get(NEW), NEW)
        await submit(client, form, owner="user:", limit="5", measure="cost", period="month", mode="hard")
        id = next(cap.id for cap in backends.budgets.caps.values() if cap.source == "set")
        delete = f"/console/budgets/{id}/delete"
        backends.budgets.refusal = Unauthenticated(ErrorReason.INVALID_CREDENTIALS, "Log in.", param="session_id")
        asked = await submit(client, form_of(await client.get(delete), delete))
        wrong = await submit(client, form_of(asked, delete), password="no")
        backends.budgets.refusal = None
        removed = await submit(client, form_of(asked, delete), password=PASSWORD)

    assert (asked.status_code, wrong.status_code, removed.status_code) == (403, 400, 303)
    assert "password" in form_of(wrong, delete).fields
    assert [cap.id for cap in backends.budgets.caps.values()] == ["key:key-1"]
