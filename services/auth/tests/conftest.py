"""A running auth service for tests: real PostgreSQL, Redis and gRPC; time stands still until a test moves it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import asyncpg
import pytest
from razvilka.auth.v1 import auth_pb2 as pb
from razvilka.auth.v1.auth_pb2_grpc import AuthServiceStub

from servicekit import rpc_client
from servicekit.testing import FakeClock
from servicekit.testing.ready_channel import ready_channel
from services.auth.server import running
from services.auth.settings import AuthSettings
from services.auth.shared.domain.tier import Tier
from services.auth.tests.planted_key import plant_signing_key
from services.auth.tests.planted_user import plant_user
from tools.testing.patience import postgres_settings
from tools.testing.plugin import MakeDatabaseDsn
from tools.testing.redis_clients import redis_settings

PEPPER = "test-pepper-" + "p" * 32
EARLIER_PEPPER = "test-pepper-" + "e" * 32


class AuthCaller:
    """The auth service's RPCs as short calls."""

    def __init__(self, stub: Any, dsn: str) -> None:
        self._stub = stub
        self._dsn = dsn

    async def call(self, request: Any) -> Any:
        """Send a request to the RPC of its name."""
        method = type(request).__name__.removesuffix("Request")
        return await rpc_client.unary(getattr(self._stub, method), request, deadline_s=60.0)

    async def new_user(self, email: str = "anna@example.ru", tier: Tier = Tier.FREE) -> str:
        """Make an account and return its id."""
        return await plant_user(self._dsn, email, tier)

    async def new_key(self, user_id: str, name: str = "laptop", **fields: Any) -> pb.CreateApiKeyResponse:
        """Issue a key."""
        answer: pb.CreateApiKeyResponse = await self.call(
            pb.CreateApiKeyRequest(user_id=user_id, name=name, by_operator=True, **fields)
        )
        return answer

    async def verify(self, secret: str) -> pb.Caller:
        """Return who holds the key."""
        answer: pb.VerifyApiKeyResponse = await self.call(pb.VerifyApiKeyRequest(secret=secret))
        return answer.caller

    async def revoke(self, user_id: str, key_id: str) -> pb.RevokeApiKeyResponse:
        """End a key."""
        answer: pb.RevokeApiKeyResponse = await self.call(pb.RevokeApiKeyRequest(user_id=user_id, key_id=key_id))
        return answer


@pytest.fixture
async def auth_dsn(make_database_dsn: MakeDatabaseDsn) -> str:
    """Return the DSN of a fresh auth database that has a signing key: making one takes longer than most tests."""
    dsn = await make_database_dsn("auth")
    await plant_signing_key(dsn, PEPPER)
    return dsn


@pytest.fixture
async def auth_pool(auth_dsn: str) -> AsyncIterator[asyncpg.Pool[asyncpg.Record]]:
    """Return a pool on the fresh auth database."""
    async with asyncpg.create_pool(auth_dsn, min_size=1, max_size=5) as pool:
        yield pool


@pytest.fixture
def auth_settings(auth_dsn: str, redis_url: str) -> AuthSettings:
    """Return settings for the fresh database and Redis."""
    return settings_for(auth_dsn, redis_url)


# A real hash costs 20 ms of two cores, the service makes one at its start, and nothing here depends on what it costs.
CHEAP = {"memory_kib": 64, "passes": 1}


def settings_for(dsn: str, redis_url: str, **parts: Any) -> AuthSettings:
    """Return settings; `parts` replace the defaults."""
    given: dict[str, Any] = {
        "postgres": postgres_settings(dsn).model_dump(),
        "redis": redis_settings(redis_url).model_dump(),
        "key": {"pepper": PEPPER},
        "password": CHEAP,
    }
    return AuthSettings(**(given | parts))


StartAuth = Callable[[AuthSettings], AbstractAsyncContextManager[AuthCaller]]


@pytest.fixture
def start_auth(clock: FakeClock) -> StartAuth:
    """Return a starter of auth services on the test's clock."""

    @asynccontextmanager
    async def start(settings: AuthSettings) -> AsyncIterator[AuthCaller]:
        async with running(settings, clock) as port, ready_channel(port) as channel:
            yield AuthCaller(AuthServiceStub(channel), settings.postgres.dsn.get_secret_value())

    return start


@pytest.fixture
async def auth(start_auth: StartAuth, auth_settings: AuthSettings) -> AsyncIterator[AuthCaller]:
    """Return a running auth service."""
    async with start_auth(auth_settings) as caller:
        yield caller
