"""Fixtures of the tests of budgets."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest
from razvilka.auth.v1.auth_pb2_grpc import AuthServiceStub
from razvilka.auth.v1.budgets_pb2_grpc import BudgetServiceStub

from servicekit.testing import FakeClock
from servicekit.testing.ready_channel import ready_channel
from services.auth.server import running
from services.auth.settings import AuthSettings
from services.auth.tests.budgets.kit import BudgetCaller
from services.auth.tests.conftest import AuthCaller


@pytest.fixture
async def budgets(auth_settings: AuthSettings, auth_dsn: str, clock: FakeClock) -> AsyncIterator[BudgetCaller]:
    """Return a running auth service, asked for budgets."""
    async with running(auth_settings, clock) as port, ready_channel(port) as channel:
        yield BudgetCaller(BudgetServiceStub(channel), AuthCaller(AuthServiceStub(channel), auth_dsn))


@pytest.fixture
async def admin(budgets: BudgetCaller, auth_pool: asyncpg.Pool[asyncpg.Record]) -> str:
    """Return the id of an administrator."""
    user_id = await budgets.auth.new_user("root@example.ru")
    await auth_pool.execute("UPDATE auth.users SET is_admin = true WHERE id = $1", user_id)
    return user_id
