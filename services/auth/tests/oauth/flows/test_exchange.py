"""Tokens of release 1.0 become tokens of 1.1 (RFC 8693): first what must not work."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import asyncpg
from razvilka.auth.v1 import oauth_pb2 as pb

from servicekit.testing import FakeClock
from servicekit.trust import jwt
from services.auth.settings import AuthSettings
from services.auth.tests.oauth.conftest import LEGACY_SECRET, StartOAuth
from services.auth.tests.oauth.flow import Flow, claims_of
from services.auth.tests.planted_key import planted_key

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
JWT_TYPE = "urn:ietf:params:oauth:token-type:jwt"
ACCESS_TYPE = "urn:ietf:params:oauth:token-type:access_token"


def legacy_token(flow: Flow, secret: str = LEGACY_SECRET, **changes: Any) -> str:
    """Return a token as release 1.0 made them."""
    now = int(flow.now().timestamp())
    claims = {"sub": flow.user_id, "iat": now, "exp": now + 365 * 86_400} | changes
    return jwt.sign(
        {name: value for name, value in claims.items() if value is not None}, jwt.shared_secret(secret), typ="JWT"
    )


async def exchange(flow: Flow, token: str, **form: str | None) -> Any:
    """Ask for a 1.1 token without being any client."""
    given: dict[str, Any] = {
        "grant_type": EXCHANGE,
        "subject_token": token,
        "subject_token_type": JWT_TYPE,
    }
    return await flow.token(None, **(given | form))


async def test_wrong_tokens_are_not_exchanged(flow: Flow) -> None:
    """Forged, expired, endless, too long-lived, of nobody; our own tokens are none of 1.0."""
    app = await flow.app()
    ours = await flow.tokens(app)
    now = int(flow.now().timestamp())
    wrong = {
        "another secret": legacy_token(flow, "another secret"),
        "another issuer": legacy_token(flow, iss="https://elsewhere.example"),
        "an issuer that is no text": legacy_token(flow, iss=["", ""]),
        "RS256": jwt.sign(claims_of(legacy_token(flow)), planted_key(), typ="JWT"),
        "expired": legacy_token(flow, exp=now - 31),
        "endless": legacy_token(flow, exp=None),
        "ten years": legacy_token(flow, exp=now + 3650 * 86_400),
        "unknown user": legacy_token(flow, sub="nobody"),
        "strange user": legacy_token(flow, sub="a\x00"),
        "no user": legacy_token(flow, sub=None),
        "a number": legacy_token(flow, sub=7),
        "1.1 token": ours.access_token,
        "refresh token": ours.refresh_token,
        "garbage": "x",
    }

    errors = {why: (await exchange(flow, token)).error for why, token in wrong.items()}

    assert errors == dict.fromkeys(wrong, "invalid_request")
    assert (await exchange(flow, legacy_token(flow), subject_token_type="urn:x")).error == "invalid_request"
    assert (await exchange(flow, legacy_token(flow), subject_token=None)).error == "invalid_request"
    assert (await exchange(flow, legacy_token(flow), actor_token="x")).error == "invalid_request"
    assert (await exchange(flow, legacy_token(flow), scope="keys:write")).error == "invalid_scope"


async def test_it_gives_a_token_of_1_1(flow: Flow, auth_pool: asyncpg.Pool[asyncpg.Record]) -> None:
    """An access token with what a key of 1.0 could do, no refresh token; each use is in the audit log."""
    token = await exchange(flow, legacy_token(flow))
    again = await exchange(flow, legacy_token(flow, sub=None, user_id=flow.user_id), scope="models:read")

    claims = claims_of(token.access_token)
    assert (claims["sub"], claims["client_id"]) == (flow.user_id, "razvilka-exchange")
    assert token.scope == "completions:write embeddings:write models:read usage:read"
    assert (token.refresh_token, token.issued_token_type) == ("", ACCESS_TYPE)
    assert again.scope == "models:read"
    assert await auth_pool.fetchval("SELECT count(*) FROM auth.audit_log WHERE action = 'token.exchanged'") == 2


async def test_ending_the_grant_ends_the_old_tokens(flow: Flow, clock: FakeClock) -> None:
    """A 1.0 token that was given before its grant was ended opens nothing any more; a later one does."""
    old = legacy_token(flow)
    gid = claims_of((await exchange(flow, old)).access_token)["gid"]
    clock.advance(5)
    await flow.call(pb.RevokeGrantRequest(user_id=flow.user_id, grant_id=gid))
    clock.advance(5)

    assert (await exchange(flow, old)).error == "invalid_request"
    assert (await exchange(flow, legacy_token(flow, iat=None))).error == "invalid_request"
    assert (await exchange(flow, legacy_token(flow))).access_token


async def test_the_switch_has_an_end(
    start_oauth: StartOAuth, oauth_settings: Callable[..., AuthSettings], clock: FakeClock
) -> None:
    """Not configured, or over: unsupported_grant_type, and the metadata does not offer it."""
    until = clock.now() + timedelta(seconds=10)

    async with start_oauth(oauth_settings(legacy_jwt_until=until)) as flow:
        await flow.log_in()
        offered = (await flow.call(pb.GetKeysRequest())).metadata_json
        before = await exchange(flow, legacy_token(flow))
        clock.advance(10)
        after = await exchange(flow, legacy_token(flow))
        not_offered = (await flow.call(pb.GetKeysRequest())).metadata_json
    async with start_oauth(oauth_settings(legacy_jwt_secret="", legacy_jwt_until=None)) as flow:
        off = await exchange(flow, "x")

    assert before.access_token
    assert after.error == off.error == "unsupported_grant_type"
    assert EXCHANGE in offered
    assert EXCHANGE not in not_offered


async def test_the_issuer_of_1_0_is_the_one_that_is_set(
    start_oauth: StartOAuth, oauth_settings: Callable[..., AuthSettings]
) -> None:
    """A token that names none is then another's, too: one secret may have served several programs."""
    async with start_oauth(oauth_settings(legacy_jwt_issuer="razvilka-1.0")) as flow:
        await flow.log_in()
        named = await exchange(flow, legacy_token(flow, iss="razvilka-1.0"))
        others = [await exchange(flow, legacy_token(flow, iss=iss)) for iss in (None, "", "razvilka-1.1")]

    assert named.access_token
    assert [other.error for other in others] == ["invalid_request"] * 3


async def test_what_was_exchanged_does_not_outlive_the_exchange(
    start_oauth: StartOAuth, oauth_settings: Callable[..., AuthSettings], clock: FakeClock
) -> None:
    """Nor the 1.0 token, which may end before."""
    until = clock.now() + timedelta(seconds=100)
    async with start_oauth(oauth_settings(legacy_jwt_until=until)) as flow:
        await flow.log_in()
        soon = int(flow.now().timestamp()) + 40

        token, short = await exchange(flow, legacy_token(flow)), await exchange(flow, legacy_token(flow, exp=soon))

    assert claims_of(token.access_token)["exp"] == int(until.timestamp())
    assert claims_of(short.access_token)["exp"] == soon


async def test_replays_are_bounded_by_user_and_by_address(
    start_oauth: StartOAuth, oauth_settings: Callable[..., AuthSettings], clock: FakeClock
) -> None:
    """From wherever a stolen token is replayed; forged ones count for their sender only."""
    settings = oauth_settings(legacy_jwt_per_minute=2, client_requests_per_minute=6)
    async with start_oauth(settings) as flow:
        await flow.log_in()
        genuine = [await exchange(flow, legacy_token(flow)) for _ in range(3)]
        clock.advance(60)
        forged = [await exchange(flow, legacy_token(flow, "another secret")) for _ in range(7)]
        clock.advance(60)
        later = await exchange(flow, legacy_token(flow))

    assert all(token.access_token for token in genuine[:2])
    assert genuine[2].error == "temporarily_unavailable"
    assert [token.error for token in forged] == ["invalid_request"] * 6 + ["temporarily_unavailable"]
    assert later.access_token
