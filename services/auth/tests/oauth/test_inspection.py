"""Revocation, introspection, /userinfo (oauth rules 33 to 38): first what must not work."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from razvilka.auth.v1 import oauth_pb2 as pb
from razvilka.auth.v1.oauth_pb2_grpc import OAuthServiceStub

from servicekit.errors import ErrorReason, PermissionDenied, Unauthenticated
from servicekit.testing import FakeClock
from servicekit.testing.ready_channel import ready_channel
from servicekit.trust import jwt
from services.auth.server import running
from services.auth.settings import AuthSettings
from services.auth.tests.oauth.flow import Flow, MemorySessions, claims_of, to_params
from services.auth.tests.planted_key import planted_key, planted_pem

INACTIVE = {"active": False}


def forgeries(token: str) -> dict[str, str]:
    """Return tokens that look like a genuine one."""
    claims, key = claims_of(token), planted_key()
    public = jwt.public_member(key)

    def signed(changes: dict[str, Any] | None = None, *, typ: str = "at+jwt", without: str = "") -> str:
        changed = {name: value for name, value in (claims | (changes or {})).items() if name != without}
        return jwt.sign(changed, key, typ=typ)

    def segments(header: dict[str, Any], signature: bytes = b"") -> str:
        parts = [json.dumps(header).encode(), json.dumps(claims).encode(), signature]
        return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)

    def with_hmac(secret: bytes) -> str:
        head = segments({"alg": "HS256", "typ": "at+jwt", "kid": "planted"}).rsplit(".", 1)[0]
        signature = hmac.digest(secret, head.encode(), hashlib.sha256)
        return f"{head}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"

    header, payload, signature = token.split(".")
    return {
        "alg none": segments({"alg": "none", "typ": "at+jwt", "kid": "planted"}),
        "alg none, garbage": segments({"alg": "none", "typ": "at+jwt", "kid": "planted"}, b"x"),
        "HS256 with the public key": with_hmac(json.dumps(public).encode()),
        "HS256 with the private PEM": with_hmac(planted_pem().encode()),
        "unknown kid": jwt.sign(claims, jwt.private_key(planted_pem(), kid="x", algorithm="RS256"), typ="at+jwt"),
        "ID token type": signed(typ="JWT"),
        "another issuer": signed({"iss": "https://evil.example"}),
        "another audience": signed({"aud": claims["client_id"]}),
        "no aud": signed(without="aud"),
        "no exp": signed(without="exp"),
        "no jti": signed(without="jti"),
        "from the future": signed({"iat": claims["iat"] + 3600}),
        "unknown grant": signed({"gid": "nobody"}),
        "cut": token[:-1],
        "other signature": f"{header}.{payload}.{signature[::-1]}",
        "four parts": token + ".x",
        "blank": token + " ",
    }


async def test_forged_tokens_are_not_active(flow: Flow) -> None:
    """Rules 36, 38 and 39: {"active": false} and nothing else, whatever is presented."""
    app, server = await flow.app(), await flow.app(confidential=True)
    token = await flow.tokens(app)
    strange = dict.fromkeys(["x", "a.b.c", "я", "a\x00", "eyJ" * 20_000, "rz_rt_" + "x" * 43, token.id_token])
    presented = forgeries(token.access_token) | {text[:9]: text for text in strange}

    found = {why: await flow.introspect(server, text) for why, text in presented.items()}

    assert found == dict.fromkeys(presented, INACTIVE)
    assert (await flow.introspect(server, token.access_token))["active"] is True


async def test_introspection_needs_a_client_that_proves_itself(flow: Flow) -> None:
    """Rule 36: 401 without, for a public client, for the token itself; no token is invalid_request."""
    app, server = await flow.app(), await flow.app(confidential=True)
    token = await flow.tokens(app)
    asked = [("token", token.access_token)]

    async def error(pairs: list[tuple[str, str]], authorization: str = "") -> tuple[str, int, bool]:
        answer = await flow.call(pb.IntrospectRequest(params=to_params(pairs), authorization=authorization))
        return answer.error.error, answer.error.http_status, answer.error.challenge_basic

    refused = ("invalid_client", 401, True)
    assert await error(asked) == refused
    assert await error([*asked, ("client_id", app.client_id)]) == refused
    assert await error(asked, f"Bearer {token.access_token}") == refused
    assert await error(asked, server.basic + "x") == refused
    assert await error([], server.basic) == ("invalid_request", 400, False)


async def test_introspection_of_live_tokens(flow: Flow) -> None:
    """Rule 36: what a resource server needs; a refresh token only to its own client."""
    app = await flow.app(confidential=True)
    other = await flow.app(confidential=True)
    token = await flow.tokens(app)

    access = await flow.introspect(other, token.access_token)
    own = await flow.introspect(app, token.refresh_token)

    assert access == {"active": True, "token_type": "Bearer"} | {
        name: value for name, value in claims_of(token.access_token).items() if name != "sid"
    }
    assert (own["active"], own["client_id"], own["scope"]) == (True, app.client_id, "models:read openid")
    assert await flow.introspect(other, token.refresh_token) == INACTIVE


async def test_expired_tokens_are_not_active(flow: Flow, clock: FakeClock) -> None:
    """Rule 36: to the second."""
    app = await flow.app(confidential=True)
    token = await flow.tokens(app)

    clock.advance(899)
    before = await flow.introspect(app, token.access_token)
    clock.advance(1)
    after = await flow.introspect(app, token.access_token)

    assert before["active"] is True
    assert after == INACTIVE


async def test_a_replica_whose_clock_is_behind_knows_a_token_that_another_has_just_issued(
    flow: Flow, oauth_settings: Callable[..., AuthSettings], sessions: MemorySessions, clock: FakeClock
) -> None:
    """Clocks of replicas differ by seconds: else /userinfo refuses who has just logged in, and /revoke does nothing."""
    app = await flow.app(confidential=True)
    token = await flow.tokens(app)
    behind = FakeClock(clock.now() - timedelta(seconds=5))

    async with running(oauth_settings(), behind, sessions=sessions) as port, ready_channel(port) as channel:
        other = Flow(flow.dsn, OAuthServiceStub(channel), sessions, behind.now)
        found = await other.introspect(app, token.access_token)
        await other.revoke(app, token.access_token)

    assert found["active"] is True
    assert await flow.introspect(app, token.access_token) == INACTIVE


async def test_revoking_an_access_token_ends_it_alone(flow: Flow) -> None:
    """Rules 33 and 34: with any hint; doing it again, and revoking what never was, is fine."""
    app = await flow.app(confidential=True)
    token = await flow.tokens(app)

    answers = [
        await flow.revoke(app, token.access_token, token_type_hint="refresh_token"),
        await flow.revoke(app, token.access_token),
        await flow.revoke(app, "never was"),
        await flow.revoke(app, "a\x00я"),
    ]

    assert not any(answer.HasField("error") for answer in answers)
    assert await flow.introspect(app, token.access_token) == INACTIVE
    assert (await flow.refresh(app, token.refresh_token)).access_token


async def test_revoking_a_refresh_token_ends_its_access_tokens(flow: Flow) -> None:
    """Rule 34."""
    app = await flow.app(confidential=True)
    token = await flow.tokens(app)

    answer = await flow.revoke(app, token.refresh_token, token_type_hint="access_token")

    assert not answer.HasField("error")
    assert await flow.introspect(app, token.access_token) == INACTIVE
    assert (await flow.refresh(app, token.refresh_token)).error == "invalid_grant"


async def test_anothers_token_cannot_be_revoked(flow: Flow) -> None:
    """Rule 33: the answer is the same, and the token lives."""
    app, thief = await flow.app(confidential=True), await flow.app(confidential=True)
    token = await flow.tokens(app)

    for text in (token.access_token, token.refresh_token):
        assert not (await flow.revoke(thief, text)).HasField("error")

    assert (await flow.introspect(app, token.access_token))["active"] is True
    assert (await flow.refresh(app, token.refresh_token)).access_token


async def test_revocation_wants_a_client_and_a_token(flow: Flow) -> None:
    """Rule 33: invalid_client and invalid_request."""
    app = await flow.app()

    async def error(pairs: list[tuple[str, str]]) -> str:
        return str((await flow.call(pb.RevokeRequest(params=to_params(pairs)))).error.error)

    assert await error([("token", "x")]) == "invalid_client"
    assert await error([("token", "x"), ("client_id", "nobody")]) == "invalid_client"
    assert await error([("client_id", app.client_id)]) == "invalid_request"
    assert await error([("client_id", app.client_id), ("token", "x"), ("token", "x")]) == "invalid_request"


async def test_userinfo_tells_what_the_scopes_allow(flow: Flow) -> None:
    """OpenID Connect Core 5.3: sub always, e-mail with its scope, nothing without openid."""
    app = await flow.app()
    bare = await flow.tokens(app, scope="openid")
    full = await flow.tokens(app, scope="openid email profile")
    none = await flow.tokens(app, scope="models:read")

    async def claims(token: str) -> Any:
        return json.loads((await flow.call(pb.UserInfoRequest(access_token=token))).claims_json)

    assert await claims(bare.access_token) == {"sub": flow.user_id}
    assert (await claims(full.access_token))["email"] == "anna@example.ru"
    assert None not in (await claims(full.access_token)).values()
    with pytest.raises(PermissionDenied) as refused:
        await claims(none.access_token)
    assert refused.value.reason is ErrorReason.INSUFFICIENT_SCOPE


async def test_userinfo_refuses_what_is_no_live_access_token(flow: Flow, clock: FakeClock) -> None:
    """Rule 37: an ID token, a refresh token, a revoked or expired or forged one."""
    app = await flow.app()
    token = await flow.tokens(app)
    revoked = await flow.tokens(app)
    await flow.revoke(app, revoked.access_token)
    presented = ["", "x", token.id_token, token.refresh_token, revoked.access_token]
    presented += forgeries(token.access_token).values()

    for text in presented:
        with pytest.raises(Unauthenticated) as refused:
            await flow.call(pb.UserInfoRequest(access_token=text))
        assert refused.value.reason is ErrorReason.INVALID_TOKEN
    clock.advance(timedelta(minutes=15).total_seconds())
    with pytest.raises(Unauthenticated) as expired:
        await flow.call(pb.UserInfoRequest(access_token=token.access_token))

    assert expired.value.reason is ErrorReason.TOKEN_EXPIRED


async def test_tokens_of_a_shut_account_are_not_active(flow: Flow, auth_pool: asyncpg.Pool[asyncpg.Record]) -> None:
    """Neither the access token nor the refresh token, nor what was ordered with them; the grant itself goes on."""
    app = await flow.app(confidential=True)
    token = await flow.tokens(app)

    await auth_pool.execute("UPDATE auth.users SET disabled_at = now() WHERE id = $1", flow.user_id)

    for each in (token.access_token, token.refresh_token):
        assert await flow.introspect(app, each) == {"active": False}
    with pytest.raises(Unauthenticated):
        await flow.call(pb.GetGrantRequest(grant_id=claims_of(token.access_token)["gid"]))
