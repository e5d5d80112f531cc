"""What auth signs for other services about whoever the gateway let in, by key, token or login session."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Final

import asyncpg
import pytest
from razvilka.auth.v1 import user_context_pb2 as pb
from razvilka.auth.v1.oauth_pb2_grpc import OAuthServiceStub
from razvilka.auth.v1.user_context_pb2_grpc import UserContextServiceStub

from servicekit.call import CallContext
from servicekit.errors import Unauthenticated
from servicekit.rpc_client import Peer, open_channel, unary
from servicekit.settings import TlsSettings
from servicekit.testing import FakeClock
from servicekit.tracing import begin_trace
from servicekit.trust.jwt import read_object
from services.auth.server import running
from services.auth.settings import AuthSettings
from services.auth.tests.oauth.flow import REDIRECT_URI, App, Flow, MemorySessions
from services.auth.tests.planted_user import plant_user
from tools.certificates import ensure_certificates

Sign = Callable[[str], Any]
INSERT_APP = """
INSERT INTO auth.oauth_clients (id, name, auth_methods, redirect_uris, scopes, grant_types, created_at)
VALUES ('app', 'App', '{none}', ARRAY[$1], '{models:read,admin}', '{authorization_code}', $2)
"""
# A handshake on a busy machine may be cut and tried again: that is no answer to a call.
PATIENT: Final[Any] = {"deadline_s": 60.0, "wait_for_ready": True}


@pytest.fixture
async def channel(
    auth_settings: AuthSettings, clock: FakeClock, sessions: MemorySessions, tmp_path: Path
) -> AsyncIterator[Any]:
    """Yield the gateway's channel to an auth service with certificates."""
    ensure_certificates(tmp_path)
    settings = auth_settings.model_copy(update={"tls": TlsSettings(dir=tmp_path / "auth")})
    async with (
        running(settings, clock, sessions=sessions) as port,
        open_channel(f"127.0.0.1:{port}", Peer("auth", tmp_path / "gateway")) as opened,
    ):
        yield opened


@pytest.fixture
def sign(channel: Any) -> Sign:
    """Return a call that shows a credential, and returns the signed claims."""
    stub: Any = UserContextServiceStub(channel)

    async def ask(credential: str) -> dict[str, Any]:
        call = CallContext("", begin_trace(None), credential.encode())
        request = pb.SignUserContextRequest()
        answer = await unary(
            stub.SignUserContext, request, deadline_s=60.0, call=call, in_their_name=True, wait_for_ready=True
        )
        return read_object(answer.context.split(b".")[1].decode())

    return ask


async def test_a_person_in_a_login_session_may_what_all_their_credentials_could(
    sign: Sign, sessions: MemorySessions, auth_dsn: str, clock: FakeClock
) -> None:
    """Not what only an administrator may: that is asked of auth itself."""
    user_id = await plant_user(auth_dsn, "anna@example.ru")
    secret = sessions.open(user_id, clock.now())

    claims = await sign(f"Session {secret}")

    assert claims["sub"] == user_id
    assert {"usage:read", "completions:write"} <= set(claims["scope"].split())
    assert "admin" not in claims["scope"].split()


async def test_a_session_that_ended_is_nobodys(sign: Sign) -> None:
    """Nor is anything signed for it."""
    with pytest.raises(Unauthenticated):
        await sign("Session ended")


async def test_a_token_has_no_scope_that_its_person_has_lost(
    channel: Any,
    sign: Sign,
    sessions: MemorySessions,
    auth_pool: asyncpg.Pool[asyncpg.Record],
    clock: FakeClock,
    auth_dsn: str,
) -> None:
    """A token of who was an administrator was signed as one of an administrator until it ended."""
    await auth_pool.execute(INSERT_APP, REDIRECT_URI, clock.now())
    flow = Flow(auth_dsn, OAuthServiceStub(channel), sessions, clock.now)
    await flow.log_in(is_admin=True)
    await auth_pool.execute("UPDATE auth.users SET is_admin = true")
    token = await flow.tokens(App("app"), scope="models:read admin")

    before = await sign(f"Bearer {token.access_token}")
    await auth_pool.execute("UPDATE auth.users SET is_admin = false")
    after = await sign(f"Bearer {token.access_token}")

    assert (before["scope"], after["scope"]) == ("admin models:read", "models:read")
