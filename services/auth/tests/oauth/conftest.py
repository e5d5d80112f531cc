"""A running authorization server for tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from razvilka.auth.v1.oauth_pb2_grpc import OAuthServiceStub

from servicekit.testing import FakeClock
from servicekit.testing.ready_channel import ready_channel
from services.auth.server import running
from services.auth.settings import AuthSettings
from services.auth.tests.conftest import settings_for
from services.auth.tests.oauth.flow import Flow, MemorySessions

ISSUER = "https://api.example.ru"
REGISTRATION_TOKEN = "registration-token-for-tests"
LEGACY_SECRET = "the secret of release 1.0"


@pytest.fixture
def sessions() -> MemorySessions:
    """Return the login sessions there are."""
    return MemorySessions()


@pytest.fixture
def oauth_settings(auth_dsn: str, redis_url: str) -> Callable[..., AuthSettings]:
    """Return a maker of settings with registration and the exchange of 1.0 tokens switched on."""

    def make(**changes: Any) -> AuthSettings:
        oauth = {
            "issuer": ISSUER,
            "registration_enabled": True,
            "registration_token": REGISTRATION_TOKEN,
            "legacy_jwt_secret": LEGACY_SECRET,
            "legacy_jwt_until": "2027-06-30T00:00:00Z",
        }
        return settings_for(auth_dsn, redis_url, oauth=oauth | changes)

    return make


StartOAuth = Callable[[AuthSettings], AbstractAsyncContextManager[Flow]]


@pytest.fixture
def start_oauth(clock: FakeClock, sessions: MemorySessions) -> StartOAuth:
    """Return a starter of authorization servers that share the test's clock and login sessions."""

    @asynccontextmanager
    async def start(settings: AuthSettings) -> AsyncIterator[Flow]:
        async with (
            running(settings, clock, sessions=sessions) as port,
            ready_channel(port) as channel,
        ):
            yield Flow(settings.postgres.dsn.get_secret_value(), OAuthServiceStub(channel), sessions, clock.now)

    return start


@pytest.fixture
async def flow(start_oauth: StartOAuth, oauth_settings: Callable[..., AuthSettings]) -> AsyncIterator[Flow]:
    """Return a running authorization server with somebody logged in."""
    async with start_oauth(oauth_settings()) as started:
        await started.log_in()
        yield started
