"""What an administrator shuts and opens again: people and credentials."""

from __future__ import annotations

import pytest

from services.gateway.tests.backends import KEY, Backends, caller
from services.gateway.tests.conftest import Edge


@pytest.fixture
def everything(backends: Backends) -> Backends:
    """Make the test's key an administrator's."""
    backends.auth.callers[KEY] = caller(scopes=["admin"])
    return backends


async def test_auth_is_told_which_administrator_shuts_whom(edge: Edge, everything: Backends) -> None:
    """It looks whether they are one."""
    shut = await edge.client.post("/v1/admin/users/user-9/disable")
    opened = await edge.client.post("/v1/admin/users/user-9/enable")

    asked = [request for request in everything.accounts.requests if hasattr(request, "admin_user_id")]
    assert (shut.json(), opened.json()) == ({"id": "user-9", "disabled": True}, {"id": "user-9", "disabled": False})
    assert [(each.admin_user_id, each.user_id, each.disabled) for each in asked] == [
        ("user-1", "user-9", True),
        ("user-1", "user-9", False),
    ]
    assert all(each.origin.ip for each in asked)


@pytest.mark.parametrize(("kind", "number"), [("keys", 1), ("clients", 2), ("grants", 3)])
async def test_auth_is_told_which_credential_an_administrator_switches(
    edge: Edge, everything: Backends, kind: str, number: int
) -> None:
    """By kind and id; the answer says how it stands."""
    off = await edge.client.post(f"/v1/admin/{kind}/its-id/disable")
    on = await edge.client.post(f"/v1/admin/{kind}/its-id/enable")

    asked = [request for request in everything.accounts.requests if hasattr(request, "admin_user_id")]
    assert (off.json(), on.json()) == ({"id": "its-id", "disabled": True}, {"id": "its-id", "disabled": False})
    assert [(each.admin_user_id, each.kind, each.id, each.disabled) for each in asked] == [
        ("user-1", number, "its-id", True),
        ("user-1", number, "its-id", False),
    ]
