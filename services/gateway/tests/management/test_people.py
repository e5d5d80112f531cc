"""/v1/admin/users and /v1/admin/audit as administrators use them."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from razvilka.auth.v1 import administration_pb2 as pb
from razvilka.auth.v1 import auth_pb2, budgets_pb2

from services.gateway.tests.backends import KEY, Backends, caller
from services.gateway.tests.conftest import Edge

ADMIN = {"authorization": f"Bearer {KEY}"}


@pytest.fixture(autouse=True)
def boss(backends: Backends) -> None:
    """Make the test's key an administrator's."""
    backends.auth.callers[KEY] = caller(scopes=["admin"], user_id="boss")


async def ask(edge: Edge, method: str, path: str, **how: Any) -> tuple[int, Any]:
    """Return status and body."""
    answer = await edge.client.request(method, path, headers=ADMIN, **how)
    return answer.status_code, answer.json()


async def test_people_come_in_pages(edge: Edge, backends: Backends) -> None:
    """The next page begins behind the last account of this one; auth hears who asks."""
    backends.administration.has_more = True

    status, body = await ask(edge, "GET", "/v1/admin/users?search=anna&limit=1")
    await ask(edge, "GET", f"/v1/admin/users?search=anna&limit=1&cursor={body['next_cursor']}")

    (user,) = body["data"]
    assert (status, body["has_more"], body["next_cursor"]) == (200, True, "user-9")
    assert (user["email"], user["tier"], user["disabled"]) == ("anna@example.ru", "pro", False)
    assert [(asked.admin_user_id, asked.search, asked.after_id) for asked in backends.administration.requests] == [
        ("boss", "anna", ""),
        ("boss", "anna", "user-9"),
    ]


async def test_a_tier_is_given(edge: Edge, backends: Backends) -> None:
    """By its name; another name is a mistake that is named."""
    given = await ask(edge, "PATCH", "/v1/admin/users/user-9", json={"tier": "enterprise"})
    status, body = await ask(edge, "PATCH", "/v1/admin/users/user-9", json={"tier": "gold"})

    (asked,) = backends.administration.requests
    assert given == (200, {"id": "user-9", "tier": "enterprise"})
    assert (asked.user_id, asked.tier) == ("user-9", auth_pb2.TIER_ENTERPRISE)
    assert (status, body["error"]["param"]) == (400, "tier")


async def test_the_audit_log_is_read_backwards(edge: Edge, backends: Backends) -> None:
    """With the number that the next page is asked with."""
    backends.administration.has_more = True

    status, body = await ask(edge, "GET", "/v1/admin/audit?actor=user:boss&before=9&limit=1")

    (row,) = body["data"]
    (asked,) = backends.administration.requests
    assert (status, body["next_before"], row["details"]) == (200, 7, {"ip": "203.0.113.7"})
    assert (asked.actor, asked.before, asked.limit) == ("user:boss", 9, 1)


async def test_a_broken_chain_is_said_with_its_place(edge: Edge, backends: Backends) -> None:
    """And what is whole before it."""
    whole = await ask(edge, "POST", "/v1/admin/audit/check")
    backends.administration.check = pb.CheckAuditLogResponse(checked=2, broken_at=3, complete=True, head_hash=bytes(32))
    broken = await ask(edge, "POST", "/v1/admin/audit/check")

    assert whole == (200, {"intact": True, "checked": 7, "broken_at": None, "complete": True, "head_hash": "00" * 32})
    assert (broken[1]["intact"], broken[1]["broken_at"]) == (False, 3)


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "before=-1", f"before={2**63}", f"actor={'x' * 257}"])
async def test_a_bad_question_is_named(edge: Edge, query: str) -> None:
    """By its parameter, before auth is asked."""
    status, body = await ask(edge, "GET", f"/v1/admin/audit?{query}")

    assert (status, body["error"]["param"]) == (400, query.partition("=")[0])


# As identity providers call people; 1.0 took any.
@pytest.mark.parametrize("user_id", ["auth0|anna", "https://id.example.ru/anna", "a/disable", "ООО «Шум»/anna?#%2F"])
async def test_an_account_of_any_id_is_named_in_a_path(edge: Edge, backends: Backends, user_id: str) -> None:
    """One whose id had a slash could not be shut, given a tier, or let into an organization."""
    backends.budgets.organizations["org-1"] = budgets_pb2.Organization(id="org-1", name="Shop")
    part = quote(user_id, safe="")

    answers = [
        await ask(edge, "PATCH", f"/v1/admin/users/{part}", json={"tier": "free"}),
        await ask(edge, "POST", f"/v1/admin/users/{part}/disable"),
        await ask(edge, "POST", f"/v1/admin/users/{part}/enable"),
        await ask(edge, "PUT", f"/v1/admin/organizations/org-1/members/{part}"),
        await ask(edge, "DELETE", f"/v1/admin/organizations/org-1/members/{part}"),
    ]

    assert [(status, body["id"]) for status, body in answers] == [(200, user_id)] * 5
    asked = [*backends.administration.requests, *backends.accounts.requests]
    assert [each.user_id for each in asked if hasattr(each, "admin_user_id")] == [user_id] * 3
