"""The pieces together: real login sessions, Redis away, what is counted."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import asyncpg
import pytest
from prometheus_client import REGISTRY
from razvilka.auth.v1 import account_pb2, auth_pb2
from razvilka.auth.v1 import oauth_pb2 as pb
from razvilka.auth.v1.account_pb2_grpc import AccountServiceStub
from razvilka.auth.v1.oauth_pb2_grpc import OAuthServiceStub

from servicekit import rpc_client
from servicekit.errors import Unavailable
from servicekit.testing import FakeClock
from servicekit.testing.ready_channel import ready_channel
from services.auth.server import running
from services.auth.settings import AuthSettings
from services.auth.tests.conftest import settings_for
from services.auth.tests.oauth.conftest import StartOAuth
from services.auth.tests.oauth.flow import ORIGIN, Flow, MemorySessions, claims_of


async def test_tokens_do_not_need_redis(
    flow: Flow, start_oauth: StartOAuth, auth_dsn: str, auth_pool: asyncpg.Pool[Any]
) -> None:
    """With Redis away nobody begins anything, and everything that was begun goes on; revocations wait their push."""
    app = await flow.app(confidential=True)
    code, token = await flow.code(app), await flow.tokens(app, prompt="consent")

    async with start_oauth(
        settings_for(auth_dsn, "redis://127.0.0.1:1/0", oauth={"issuer": "https://api.example.ru"})
    ) as cut:
        cut.session = flow.session
        with pytest.raises(Unavailable):
            await cut.authorize(app, prompt="consent")
        redeemed = await cut.redeem(app, code)
        refreshed = await cut.refresh(app, token.refresh_token)
        await cut.revoke(app, refreshed.refresh_token)
        dead = await cut.introspect(app, refreshed.access_token)

    assert redeemed.access_token
    assert dead == {"active": False}
    assert await auth_pool.fetchval("SELECT count(*) FROM auth.revocations WHERE kind = 'grant'") == 1


async def test_what_happens_is_counted(flow: Flow, clock: FakeClock) -> None:
    """Authorizations, consents, tokens by grant type, refreshes, reuse, revocations, the age of the signing key."""
    names: list[tuple[str, dict[str, str]]] = [
        ("razvilka_auth_oauth_authorisations_total", {"outcome": "consent"}),
        ("razvilka_auth_oauth_consents_total", {"decision": "given"}),
        ("razvilka_auth_oauth_consents_total", {"decision": "denied"}),
        ("razvilka_auth_oauth_tokens_issued_total", {"grant_type": "authorization_code"}),
        ("razvilka_auth_oauth_refreshes_total", {}),
        ("razvilka_auth_oauth_reuse_detected_total", {"what": "refresh_token"}),
        ("razvilka_auth_oauth_revocations_total", {"kind": "grant"}),
    ]

    def counts() -> list[float]:
        return [REGISTRY.get_sample_value(name, labels) or 0.0 for name, labels in names]

    before = counts()
    app = await flow.app()
    token = await flow.tokens(app)
    await flow.refresh(app, token.refresh_token)
    clock.advance(10.0)
    await flow.refresh(app, token.refresh_token)
    await flow.decide((await flow.authorize(app)).consent.pending_id, approved=False)

    assert [after - earlier for after, earlier in zip(counts(), before, strict=True)] == [2, 1, 1, 1, 1, 1, 1]
    assert (REGISTRY.get_sample_value("razvilka_auth_oauth_jwks_age_seconds") or 0) > 0


async def test_housekeeping_forgets_what_is_long_over(
    flow: Flow, clock: FakeClock, auth_pool: asyncpg.Pool[Any], oauth_settings: Callable[..., AuthSettings]
) -> None:
    """A week after its end nothing is left of a grant; what lives keeps its tombstones."""
    app = await flow.app()
    ended, living = await flow.tokens(app), await flow.tokens(app)
    await flow.revoke(app, ended.refresh_token)
    clock.advance(8 * 86_400)
    living = await flow.refresh(app, living.refresh_token)

    async def left() -> list[int]:
        tables = ("oauth_grants", "oauth_codes", "oauth_refresh_tokens")
        return [await auth_pool.fetchval(f"SELECT count(*) FROM auth.{table}") for table in tables]

    # The job works beside the test: however long it takes, it comes to its turn while the minutes pass.
    async with asyncio.timeout(60):
        while await left() != [1, 1, 2]:
            clock.advance(60)
            await flow.introspect(app, "x")


async def test_people_who_really_log_in(
    clock: FakeClock, auth_dsn: str, redis_url: str, auth_pool: asyncpg.Pool[Any]
) -> None:
    """The whole way with accounts: login, consent, token, user info; what an administrator hands out ends with the
    right to it, and logging out ends what the session gave.
    """
    given = settings_for(
        auth_dsn,
        redis_url,
        oauth={"issuer": "http://127.0.0.1:8080"},
        demo=True,
        password={"memory_kib": 64, "passes": 1},
    )
    async with running(given, clock) as port, ready_channel(port) as channel:
        accounts: Any = AccountServiceStub(channel)
        flow = Flow(auth_dsn, OAuthServiceStub(channel), MemorySessions(), clock.now)
        who = {"email": "boris@example.ru", "password": "rowan-17 under Sampo"}
        seed = account_pb2.SeedUserRequest(**who, name="Борис", tier=auth_pb2.TIER_PRO, admin=True)
        flow.user_id = (await rpc_client.unary(accounts.SeedUser, seed, deadline_s=60.0)).user_id
        login = await rpc_client.unary(accounts.Login, account_pb2.LoginRequest(**who, origin=ORIGIN), deadline_s=60.0)
        flow.session = login.session_id
        app = await flow.app(confidential=True, scopes=["openid", "profile", "email", "admin"])

        token = await flow.tokens(app, scope="openid profile email admin")
        told = json.loads((await flow.call(pb.UserInfoRequest(access_token=token.access_token))).claims_json)
        live = await flow.introspect(app, token.access_token)
        gid = pb.GetGrantRequest(grant_id=claims_of(token.access_token)["gid"])
        as_admin = await flow.call(gid)
        await auth_pool.execute("UPDATE auth.users SET is_admin = false")
        demoted = await flow.call(gid)
        token = await flow.refresh(app, token.refresh_token)
        logout = account_pb2.LogoutRequest(session_id=flow.session)
        await rpc_client.unary(accounts.Logout, logout, deadline_s=60.0)
        over = await flow.introspect(app, token.access_token)
        again = await flow.authorize(app, scope="openid")

    assert (told["sub"], told["name"], told["email"]) == (flow.user_id, "Борис", "boris@example.ru")
    assert told["email_verified"] is True
    assert live["scope"] == "admin email openid profile"
    assert "admin" in as_admin.caller.scopes
    assert "admin" not in demoted.caller.scopes
    assert token.scope == "email openid profile"
    assert over == {"active": False}
    assert again.WhichOneof("next") == "login"
