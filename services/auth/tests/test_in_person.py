"""People who are logged in set budgets and make keys in their session: a fresh one, and their own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from razvilka.auth.v1 import auth_pb2, auth_pb2_grpc, budgets_pb2, budgets_pb2_grpc

from servicekit import rpc_client
from servicekit.errors import ErrorReason, Unauthenticated
from servicekit.testing import FakeClock
from servicekit.testing.ready_channel import ready_channel
from services.auth.server import running
from services.auth.settings import AuthSettings
from services.auth.tests.budgets.kit import order
from services.auth.tests.oauth.flow import MemorySessions
from services.auth.tests.planted_user import plant_user

FRESH_S = 600


@dataclass(frozen=True, slots=True)
class Home:
    """A running service with somebody logged in."""

    keys: Any
    budgets: Any
    user_id: str
    session: str


@pytest.fixture
async def home(auth_settings: AuthSettings, clock: FakeClock) -> AsyncIterator[Home]:
    """Yield the service."""
    sessions = MemorySessions()
    async with (
        running(auth_settings, clock, sessions=sessions) as port,
        ready_channel(port) as channel,
    ):
        user_id = await plant_user(auth_settings.postgres.dsn.get_secret_value(), "anna@example.ru")
        stubs = auth_pb2_grpc.AuthServiceStub(channel), budgets_pb2_grpc.BudgetServiceStub(channel)
        yield Home(*stubs, user_id, sessions.open(user_id, clock.now()))


def making(home: Home, session: str) -> list[Callable[[], Any]]:
    """Return calls that make and change, each with this session as the proof."""
    new = budgets_pb2.CapOrder(**order())
    put = budgets_pb2.PutBudgetRequest(user_id=home.user_id, order=new, session_id=session)
    key = auth_pb2.CreateApiKeyRequest(user_id=home.user_id, name="k", session_id=session)
    calls = ((home.budgets.PutBudget, put), (home.keys.CreateApiKey, key))
    return [partial(rpc_client.unary, method, asked, deadline_s=60.0) for method, asked in calls]


async def test_a_person_sets_changes_and_removes_a_budget_in_their_session(home: Home) -> None:
    """As a key could; there is no credential that could have a budget of its own."""
    put, make_key = making(home, home.session)
    cap = (await put()).cap
    key = (await make_key()).key
    of_key = budgets_pb2.CapOrder(**order(owner="key", owner_id=key.id))
    asked = budgets_pb2.PutBudgetRequest(user_id=home.user_id, order=of_key, session_id=home.session)
    made = (await rpc_client.unary(home.budgets.PutBudget, asked, deadline_s=60.0)).cap
    away = budgets_pb2.DeleteBudgetRequest(user_id=home.user_id, id=made.id, session_id=home.session)
    await rpc_client.unary(home.budgets.DeleteBudget, away, deadline_s=60.0)

    listed = await rpc_client.unary(
        home.budgets.ListBudgets, budgets_pb2.ListBudgetsRequest(user_id=home.user_id), deadline_s=60.0
    )
    assert [each.id for each in listed.caps if each.source == "set"] == [cap.id]


async def test_an_old_session_a_strange_one_and_none_make_nothing(home: Home, clock: FakeClock) -> None:
    """Whoever finds an unattended screen has to give the password first."""
    clock.advance(FRESH_S + 1)

    for session in ("", "nobody's", home.session):
        for call in making(home, session):
            with pytest.raises(Unauthenticated) as refused:
                await call()
            assert (refused.value.reason, refused.value.param) == (ErrorReason.INVALID_CREDENTIALS, "session_id")
