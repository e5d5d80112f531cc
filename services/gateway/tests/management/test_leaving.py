"""Leaving: the account ends, and usage hears of it."""

from __future__ import annotations

import pytest

from servicekit.errors import ErrorReason, Unavailable
from services.gateway.tests.backends import KEY, Backends, caller
from services.gateway.tests.conftest import Edge
from services.gateway.tests.identity_backends import PASSWORD


@pytest.fixture
def everything(backends: Backends) -> Backends:
    """Let the test's key end its account."""
    backends.auth.callers[KEY] = caller(scopes=["profile:write"])
    return backends


async def test_whoever_left_is_told_of_at_once(edge: Edge, everything: Backends) -> None:
    """Usage forgets what it has of them; by itself it asks of nobody who has neither channels nor reports."""
    answer = await edge.client.request("DELETE", "/v1/users/me", json={"password": PASSWORD})

    told = everything.notifications.told.get_nowait()
    assert answer.status_code == 204
    assert (list(told.gone_user_ids), list(told.people)) == (["user-1"], [])


async def test_an_account_ends_though_usage_cannot_be_told(edge: Edge, everything: Backends) -> None:
    """It is over already; the next round tells of whoever has anything there."""
    everything.notifications.failure = Unavailable(ErrorReason.SERVICE_UNAVAILABLE, "Later.")

    answer = await edge.client.request("DELETE", "/v1/users/me", json={"password": PASSWORD})

    assert answer.status_code == 204
