"""/v1/budgets over real HTTP: what is shown, what is passed on to auth, and what is refused before."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from razvilka.auth.v1 import auth_pb2
from razvilka.auth.v1 import budgets_pb2 as pb

from services.gateway.admission.keys import budget_key, shadowed_key, state_key
from services.gateway.admission.periods import BudgetPeriod
from services.gateway.tests.backends import SCOPES, Backends, caller
from services.gateway.tests.budget_backend import ZONE
from services.gateway.tests.conftest import Edge

PATH, ADMIN, ORGANIZATIONS = "/v1/budgets", "/v1/admin/budgets", "/v1/admin/organizations"


@pytest.fixture
def writer(backends: Backends) -> None:
    """Let the test's key change keys and administer."""
    scopes = [*SCOPES, "keys:write", "admin"]
    backends.auth.callers = dict.fromkeys(backends.auth.callers, caller(scopes=scopes))


def counter(period: BudgetPeriod, subject: str = "user:user-1", owner: str = "user-1") -> str:
    """Return the name of a counter in its present period."""
    return budget_key(owner, subject, period, ZONE, int(datetime.now(UTC).timestamp()))


@pytest.mark.usefixtures("writer")
async def test_a_budget_shows_what_redis_counts_of_it(edge: Edge, redis_client: Any) -> None:
    """Spent, held and left in roubles and micro-roubles, and when it begins anew."""
    await redis_client.hset(counter(BudgetPeriod.WEEK), mapping={"u": 8_500_000, "h": 500_000})

    made = await edge.client.post(PATH, json={"period": "week", "limit_rub": "10.50", "mode": "soft"})
    listed = await edge.client.get(PATH)

    assert made.status_code == 201, made.text
    shown = made.json()
    expected = {
        "source": "set",
        "owner": "user",
        "owner_id": "user-1",
        "measure": "cost",
        "period": "week",
        "models": None,
        "mode": "soft",
        "limit_rub": "10.500000",
        "limit_micro_rub": 10_500_000,
        "spent_rub": "8.500000",
        "held_micro_rub": 500_000,
        "remaining_rub": "1.500000",
        "state": "near",
        "used": None,
        "would_have_refused": None,
        "set_by_admin": False,
    }
    assert expected.items() <= shown.items()
    assert datetime.fromisoformat(shown["resets_at"]) > datetime.now(UTC)
    assert [each["source"] for each in listed.json()["data"]] == ["key", "set"]


@pytest.mark.usefixtures("writer")
async def test_a_budget_without_a_counter_shows_what_the_usage_service_sums(edge: Edge, backends: Backends) -> None:
    """Nothing was asked in its period, or Redis lost it."""
    backends.usage.spend = 20_000_000

    made = await edge.client.post(PATH, json={"period": "lifetime", "limit_micro_rub": 15_000_000})

    assert {"spent_micro_rub": 20_000_000, "remaining_micro_rub": 0, "state": "reached"}.items() <= made.json().items()
    assert (made.json()["period"], made.json()["resets_at"]) == ("lifetime", None)


@pytest.mark.usefixtures("writer")
async def test_a_watching_quota_shows_what_it_would_have_refused(edge: Edge, redis_client: Any) -> None:
    """A daily one also what was taken today."""
    body = {"measure": "tokens", "period": "day", "models": "yandexgpt*", "limit": 1000, "mode": "shadow"}
    made = (await edge.client.post(PATH, json=body)).json()
    day = int(datetime.now(UTC).timestamp()) // 86_400
    await redis_client.hset(state_key("user-1", f"quota:{made['id']}"), mapping={"tpd": 900, "tpd:w": day})
    await redis_client.hset(shadowed_key("user-1"), made["id"], 3)

    shown = (await edge.client.get(PATH)).json()["data"][1]

    expected = {"models": "yandexgpt*", "limit": 1000, "used": 900, "remaining": 100, "limit_rub": None}
    assert (expected | {"would_have_refused": 3, "state": "near"}).items() <= shown.items()


@pytest.mark.usefixtures("writer")
async def test_a_budget_is_changed_and_removed_by_its_id(edge: Edge, backends: Backends) -> None:
    """What is left out stays; the credential that asks is named to auth."""
    made = (await edge.client.post(PATH, json={"period": "day", "limit_rub": "5"})).json()

    changed = await edge.client.patch(f"{PATH}/{made['id']}", json={"mode": "shadow"})
    removed = await edge.client.delete(f"{PATH}/{made['id']}")
    again = await edge.client.delete(f"{PATH}/{made['id']}")

    assert {"mode": "shadow", "limit_rub": "5.000000", "would_have_refused": 0}.items() <= changed.json().items()
    assert (removed.json(), again.status_code) == ({"id": made["id"]}, 404)
    assert {each.maker.subject for each in backends.budgets.requests} == {"key:key-1"}
    assert backends.budgets.requests[1].order == pb.CapOrder(id=made["id"], owner="user", mode=auth_pb2.CAP_MODE_SHADOW)


@pytest.mark.usefixtures("writer")
async def test_what_came_with_a_key_cannot_be_changed(edge: Edge) -> None:
    """It says what can be done."""
    for answer in (
        await edge.client.patch(f"{PATH}/key:key-1", json={"limit_rub": "9"}),
        await edge.client.delete(f"{PATH}/key:key-1"),
    ):
        assert answer.status_code == 403
        assert "came with the key" in answer.json()["error"]["message"]


@pytest.mark.usefixtures("writer")
@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"period": "day"}, "limit_rub"),
        ({"period": "day", "limit": 5}, "limit"),
        ({"period": "day", "measure": "tokens", "limit_rub": "5"}, "limit_rub"),
        ({"period": "day", "limit_rub": "5", "limit_micro_rub": 5}, "limit_micro_rub"),
        ({"period": "day", "limit_rub": "5,5"}, "limit_rub"),
        ({"period": "day", "limit_rub": "0"}, "limit_rub"),
        ({"period": "day", "limit_rub": "1000000000.000001"}, "limit_rub"),
        ({"period": "year", "limit_rub": "5"}, "period"),
        ({"period": "day", "limit_rub": "5", "mode": "loud"}, "mode"),
        ({"period": "day", "limit_rub": "5", "owner": "organization"}, "owner"),
        ({"period": "day", "limit_rub": "5", "roubles": 1}, "roubles"),
    ],
)
async def test_a_wrong_field_is_named(edge: Edge, body: dict[str, Any], param: str) -> None:
    """With what it may be, in one sentence: there was a full stop before the name."""
    answer = await edge.client.post(PATH, json=body)

    error = answer.json()["error"]
    sentence = error["message"].removesuffix(f" (field `{param}`).")
    assert (answer.status_code, error["param"]) == (400, param)
    assert sentence != error["message"]
    assert not sentence.endswith(".")


@pytest.mark.usefixtures("writer")
async def test_the_most_is_told_as_it_is_taken(edge: Edge) -> None:
    """What an answer says of a budget is what an order may say: in roubles the most was refused."""
    made = (await edge.client.post(PATH, json={"period": "day", "limit_micro_rub": 10**15})).json()

    again = await edge.client.post(PATH, json={"period": "month", "limit_rub": made["limit_rub"]})

    assert (again.status_code, again.json()["limit_micro_rub"]) == (201, 10**15)


@pytest.mark.usefixtures("writer")
async def test_a_change_must_change_something(edge: Edge) -> None:
    """An empty body is a mistake."""
    made = (await edge.client.post(PATH, json={"period": "day", "limit_rub": "5"})).json()

    assert (await edge.client.patch(f"{PATH}/{made['id']}", json={})).status_code == 400


async def test_reading_and_changing_take_different_scopes(edge: Edge) -> None:
    """Whoever sees what was spent may not lift what caps it; others' budgets are for administrators."""
    body = {"period": "day", "limit_rub": "5"}

    assert (await edge.client.get(PATH)).status_code == 200
    assert (await edge.client.post(PATH, json=body)).status_code == 403
    assert (await edge.client.patch(f"{PATH}/x", json=body)).status_code == 403
    assert (await edge.client.delete(f"{PATH}/x")).status_code == 403
    assert (await edge.client.get(ADMIN, params={"user_id": "user-2"})).status_code == 403
    assert (await edge.client.get(ORGANIZATIONS)).status_code == 403


@pytest.mark.usefixtures("writer")
async def test_an_administrator_caps_an_organization_whose_spending_is_that_of_its_members(
    edge: Edge, backends: Backends
) -> None:
    """Each for the time of their membership, as far as it lies in the period."""
    backends.budgets.memberships = [
        pb.Membership(user_id="old", joined_at=at(2020), left_at=at(2021)),
        pb.Membership(user_id="one", joined_at=at(2020)),
        pb.Membership(user_id="two", joined_at=at(2020)),
    ]
    made = await edge.client.post(ORGANIZATIONS, json={"name": "Ромашка"})
    joined = await edge.client.put(f"{ORGANIZATIONS}/org-1/members/one")

    budget = await edge.client.post(
        ADMIN, json={"owner": "organization", "owner_id": "org-1", "period": "month", "limit_micro_rub": 1_000}
    )
    listed = await edge.client.get(ADMIN, params={"organization_id": "org-1"})

    assert (made.status_code, made.json()["time_zone"], joined.json()) == (201, "Europe/Moscow", {"id": "one"})
    assert {"owner": "organization", "owner_id": "org-1", "spent_micro_rub": 200}.items() <= budget.json().items()
    assert budget.json()["set_by_admin"] is True
    assert listed.json()["data"][0] | {"resets_at": None} == budget.json() | {"resets_at": None}
    assert [part.user_id for part in backends.shared_spend.asked[0].parts] == ["one", "two"]


@pytest.mark.usefixtures("writer")
async def test_an_administrator_manages_anybodys_budgets_and_organizations(edge: Edge) -> None:
    """Set, changed, removed; members come and go; an organization ends."""
    made = (await edge.client.post(ADMIN, json={"owner_id": "user-2", "period": "day", "limit_rub": "5"})).json()
    changed = await edge.client.patch(f"{ADMIN}/{made['id']}", json={"limit_rub": "6"})
    listed = await edge.client.get(ADMIN, params={"user_id": "user-2"})
    removed = await edge.client.delete(f"{ADMIN}/{made['id']}")
    await edge.client.post(ORGANIZATIONS, json={"name": "Ромашка"})
    await edge.client.put(f"{ORGANIZATIONS}/org-1/members/one")
    with_member = await edge.client.get(ORGANIZATIONS)
    left = await edge.client.delete(f"{ORGANIZATIONS}/org-1/members/one")
    ended = await edge.client.delete(f"{ORGANIZATIONS}/org-1")

    assert (changed.json()["limit_rub"], len(listed.json()["data"])) == ("6.000000", 1)
    assert [answer.status_code for answer in (removed, left, ended)] == [200] * 3
    assert with_member.json()["data"][0]["members"] == ["one"]
    assert (await edge.client.get(ADMIN)).status_code == 400


def at(year: int) -> Any:
    """Return New Year's Day as a message."""
    found = pb.Membership().joined_at
    found.FromDatetime(datetime(year, 1, 1, tzinfo=UTC))
    return found
