"""People at a running auth service."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import asyncpg
import pyotp
import pytest
from razvilka.auth.v1 import account_pb2 as pb
from razvilka.auth.v1 import oauth_pb2
from razvilka.auth.v1.account_pb2_grpc import AccountServiceStub
from razvilka.auth.v1.auth_pb2_grpc import AuthServiceStub

from servicekit import rpc_client
from servicekit.errors import ServiceError
from servicekit.testing import FakeClock
from servicekit.testing.ready_channel import ready_channel
from services.auth.server import running
from services.auth.settings import AuthSettings
from services.auth.tests.accounts.oidc_server import CLIENT_ID, CLIENT_SECRET, OidcServer, RunningOidcServer
from services.auth.tests.conftest import AuthCaller, settings_for

EMAIL = "anna@example.ru"
PASSWORD = "rowan-17 under Sampo"
HOME = "203.0.113.7"
ELSEWHERE = "198.51.100.9"


class People:
    """The RPCs of accounts as short calls."""

    def __init__(self, stub: Any, auth: AuthCaller, clock: FakeClock) -> None:
        self._stub = stub
        self.auth = auth
        self.clock = clock

    async def call(self, request: Any, ip: str = HOME) -> Any:
        """Send a request to the RPC of its name."""
        method = type(request).__name__.removesuffix("Request")
        if "origin" in request.DESCRIPTOR.fields_by_name:
            request.origin.CopyFrom(oauth_pb2.Origin(ip=ip, user_agent="Firefox"))
        return await rpc_client.unary(getattr(self._stub, method), request, deadline_s=60.0)

    async def seed(self, email: str = EMAIL, password: str = PASSWORD, **fields: Any) -> str:
        """Make an account."""
        return str((await self.call(pb.SeedUserRequest(email=email, password=password, **fields))).user_id)

    async def log_in(
        self, email: str = EMAIL, password: str = PASSWORD, *, ip: str = HOME, code: str = "", previous: str = ""
    ) -> pb.LoginResponse:
        """Open a session."""
        request = pb.LoginRequest(email=email, password=password, totp_code=code, previous_session_id=previous)
        answer: pb.LoginResponse = await self.call(request, ip)
        return answer

    async def refused(self, request: Any, ip: str = HOME) -> ServiceError:
        """Return the error that the request is answered with."""
        with pytest.raises(ServiceError) as caught:
            await self.call(request, ip)
        return caught.value

    async def refused_login(self, email: str = EMAIL, password: str = "wrong wrong", **how: Any) -> ServiceError:
        """Return the error that a login is answered with."""
        with pytest.raises(ServiceError) as caught:
            await self.log_in(email, password, **how)
        return caught.value

    async def is_logged_in(self, secret: str) -> bool:
        """Tell whether the session is live."""
        try:
            await self.call(pb.GetSessionRequest(session_id=secret))
        except ServiceError as exc:
            if exc.reason.value != "INVALID_TOKEN":
                raise
            return False
        return True

    async def outbox(self) -> list[pb.Mail]:
        """Return all mails, oldest first."""
        return list(reversed((await self.call(pb.ListOutboxRequest())).mails))

    async def mails_to(self, email: str, count: int = 1) -> list[pb.Mail]:
        """Return the mails to an address, once there are so many."""
        async with asyncio.timeout(60):
            while len(found := [mail for mail in await self.outbox() if mail.to == email]) < count:
                await asyncio.sleep(0.01)
        return found

    async def token_in_mail(self, email: str, count: int = 1) -> str:
        """Return the token in the newest of so many mails to an address."""
        found = re.search(r"token=([\w-]{43})", (await self.mails_to(email, count))[-1].text)
        assert found is not None
        return found[1]

    async def enable_totp(self, user_id: str, password: str = PASSWORD) -> tuple[pyotp.TOTP, list[str]]:
        """Switch the second factor on; return what makes codes, and the recovery codes. Moves the clock a step on."""
        return await self._confirm_totp(pb.EnrollTotpRequest(user_id=user_id, password=password))

    async def enable_totp_by(self, user_id: str, session: str) -> tuple[pyotp.TOTP, list[str]]:
        """Switch it on in a fresh session of somebody who has no password."""
        return await self._confirm_totp(pb.EnrollTotpRequest(user_id=user_id, session_id=session))

    async def _confirm_totp(self, enrolment: pb.EnrollTotpRequest) -> tuple[pyotp.TOTP, list[str]]:
        user_id, totp = enrolment.user_id, pyotp.TOTP((await self.call(enrolment)).secret)
        answer = await self.call(pb.ConfirmTotpRequest(user_id=user_id, code=totp.at(self.clock.now())))
        self.clock.advance(60)
        return totp, list(answer.recovery_codes)


StartPeople = Callable[[AuthSettings], AbstractAsyncContextManager[People]]


@pytest.fixture
def people_settings(auth_dsn: str, redis_url: str) -> AuthSettings:
    """Return settings of a demonstration with a cheap password hash."""
    return settings_for(auth_dsn, redis_url, demo=True, outbox=True)


@pytest.fixture
def start_people(clock: FakeClock) -> StartPeople:
    """Return a starter of auth services on the test's clock."""

    @asynccontextmanager
    async def start(settings: AuthSettings) -> AsyncIterator[People]:
        async with running(settings, clock) as port, ready_channel(port) as channel:
            auth = AuthCaller(AuthServiceStub(channel), settings.postgres.dsn.get_secret_value())
            yield People(AccountServiceStub(channel), auth, clock)

    return start


@pytest.fixture
async def people(start_people: StartPeople, people_settings: AuthSettings) -> AsyncIterator[People]:
    """Return people at a running auth service."""
    async with start_people(people_settings) as found:
        yield found


async def audit_actions(pool: asyncpg.Pool[asyncpg.Record], user_id: str) -> list[str]:
    """Return what the audit log says was done to a user, in order."""
    rows = await pool.fetch("SELECT action FROM auth.audit_log WHERE subject = $1 ORDER BY seq", f"user:{user_id}")
    return [row["action"] for row in rows]


@pytest.fixture
async def provider(free_port: int) -> AsyncIterator[OidcServer]:
    """Return a provider where Anna is logged in, her address verified."""
    async with RunningOidcServer(free_port) as running:
        running.person = {"sub": "248289761001", "email": EMAIL, "email_verified": True, "name": "Анна"}
        yield running


@pytest.fixture
async def external_people(
    start_people: StartPeople, provider: OidcServer, auth_dsn: str, redis_url: str
) -> AsyncIterator[People]:
    """Return people who may log in by that provider, or by one that only speaks OAuth, like Yandex ID."""
    ours = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    oauth_only = {
        "authorize_url": f"{provider.issuer}/authorize",
        "token_url": f"{provider.issuer}/token",
        "userinfo_url": f"{provider.issuer}/userinfo",
        "scopes": ("login:email", "login:info"),
        "verifies_emails": True,
    }
    providers = (
        {"id": "test", "name": "Test ID", "issuer": provider.issuer, **ours},
        {"id": "yandex", "name": "Yandex ID", **oauth_only, **ours},
    )
    settings = settings_for(*(auth_dsn, redis_url), demo=True, outbox=True, external={"providers": providers})
    async with start_people(settings) as found:
        yield found
