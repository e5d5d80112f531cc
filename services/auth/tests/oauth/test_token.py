"""The token endpoint (oauth rules 20 to 31): first what must not work."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import asyncpg
from razvilka.auth.v1 import oauth_pb2 as pb

from servicekit.testing import FakeClock
from services.auth.tests.oauth.conftest import ISSUER
from services.auth.tests.oauth.flow import CHALLENGE, VERIFIER, App, Flow, claims_of, header_of

BAD_GRANT = "invalid_grant"


async def test_a_code_that_does_not_fit_is_refused_and_stays_good(flow: Flow) -> None:
    """Rules 23 to 25: another client, verifier or redirect URI gets nothing, and takes nothing from the right one."""
    app, other = await flow.app(), await flow.app()
    code = await flow.code(app)
    attempts = {
        "another client": (other, {}),
        "wrong verifier": (app, {"code_verifier": "w" * 43}),
        "verifier = challenge": (app, {"code_verifier": CHALLENGE}),
        "short": (app, {"code_verifier": VERIFIER[:42]}),
        "long": (app, {"code_verifier": "v" * 129}),
        "padded": (app, {"code_verifier": VERIFIER + "="}),
        "not ASCII": (app, {"code_verifier": "я" * 43}),
        "NUL": (app, {"code_verifier": VERIFIER + "\x00"}),
        "another redirect_uri": (app, {"redirect_uri": "http://127.0.0.1:1/callback"}),
    }

    errors = {why: (await flow.redeem(who, code, **form)).error for why, (who, form) in attempts.items()}

    assert errors == dict.fromkeys(attempts, BAD_GRANT)
    assert (await flow.redeem(app, code)).access_token


async def test_strange_codes_are_not_valid(flow: Flow) -> None:
    """Bad input table: unknown, NUL, not ASCII, a megabyte; missing is invalid_request."""
    app = await flow.app()

    for code in ("x", "rz_ac_" + "x" * 43, "a\x00b", "код", "' OR 1=1 --", "\ufffd", "x" * 60_000):
        assert (await flow.redeem(app, code)).error == BAD_GRANT, code[:20]
    assert (await flow.redeem(app, "")).error == "invalid_request"
    assert (await flow.redeem(app, "rz_ac_" + "x" * 43, code_verifier="")).error == "invalid_request"
    assert (await flow.redeem(app, "x" * 2_000_000)).error == "invalid_request"


async def test_a_code_lives_a_minute(flow: Flow, clock: FakeClock) -> None:
    """Rule 19."""
    app = await flow.app()
    early, late = await flow.code(app), await flow.code(app)

    clock.advance(59)
    in_time = await flow.redeem(app, early)
    clock.advance(1)
    too_late = await flow.redeem(app, late)

    assert in_time.access_token
    assert too_late.error == BAD_GRANT


async def test_a_redirect_uri_may_be_left_out(flow: Flow) -> None:
    """Rule 25: as OAuth 2.1 has it, since PKCE binds the code; a different one is refused."""
    app = await flow.app()

    token = await flow.redeem(app, await flow.code(app), redirect_uri=None)

    assert token.access_token


async def test_replaying_a_code_ends_what_came_of_it(flow: Flow, auth_pool: asyncpg.Pool[asyncpg.Record]) -> None:
    """Rule 27: the second use is refused, and access and refresh token of the first are dead."""
    app, server = await flow.app(), await flow.app(confidential=True)
    code = await flow.code(app)
    token = await flow.redeem(app, code)

    replay = await flow.redeem(app, code)

    assert replay.error == BAD_GRANT
    assert await flow.introspect(server, token.access_token) == {"active": False}
    assert (await flow.refresh(app, token.refresh_token)).error == BAD_GRANT
    assert await auth_pool.fetchval("SELECT count(*) FROM auth.audit_log WHERE action = 'code.replayed'") == 1


async def test_a_leaked_code_is_no_logout_button(flow: Flow) -> None:
    """Rule 27: a replay by another client ends nothing."""
    app, thief = await flow.app(), await flow.app()
    code = await flow.code(app)
    token = await flow.redeem(app, code)

    replay = await flow.redeem(thief, code)

    assert replay.error == BAD_GRANT
    assert (await flow.refresh(app, token.refresh_token)).access_token


async def test_bad_forms_are_refused(flow: Flow) -> None:
    """Rules 4, 5, 20 and 21: repeated, unknown and missing."""
    app = await flow.app()
    credentials = list(app.credentials.items())
    cases = {
        "no grant_type": (credentials, "invalid_request"),
        "empty grant_type": ([*credentials, ("grant_type", "")], "invalid_request"),
        "password": ([*credentials, ("grant_type", "password"), ("username", "u")], "unsupported_grant_type"),
        "implicit": ([*credentials, ("grant_type", "implicit")], "unsupported_grant_type"),
        "not allowed": ([*credentials, ("grant_type", "client_credentials")], "unauthorized_client"),
        "repeated": ([*credentials, ("grant_type", "refresh_token"), ("x", "1"), ("x", "1")], "invalid_request"),
        "no client": ([("grant_type", "refresh_token"), ("refresh_token", "x")], "invalid_client"),
        "unknown client": ([("client_id", "nobody"), ("grant_type", "refresh_token")], "invalid_client"),
    }

    errors = {why: (await flow.token_raw(form)).error for why, (form, _) in cases.items()}

    assert errors == {why: error for why, (_, error) in cases.items()}


async def test_clients_authenticate_in_one_way_only(flow: Flow) -> None:
    """Rule 23: wrong, missing, doubled and garbled credentials; 401 with a challenge when the header was tried."""
    app, public = await flow.app(confidential=True), await flow.app()
    form = {"grant_type": "refresh_token", "refresh_token": "x"}
    as_app = {"client_id": app.client_id}

    def basic(user: str, secret: str) -> str:
        return "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode()

    cases = {
        "no secret": (await flow.token(None, **form, **as_app), "invalid_client", 401, False),
        "wrong secret": (
            await flow.token(None, **form, **as_app, client_secret="x"),
            "invalid_client",
            401,
            False,
        ),
        "wrong Basic": (await flow.token(None, basic(app.client_id, "x"), **form), "invalid_client", 401, True),
        "garbage": (await flow.token(None, "Basic !!!", **form), "invalid_client", 401, True),
        "no colon": (await flow.token(None, "Basic YWJj", **form), "invalid_client", 401, True),
        "not UTF-8": (await flow.token(None, "Basic /zr/", **form), "invalid_client", 401, True),
        "Bearer": (await flow.token(None, "Bearer x", **form), "invalid_client", 401, True),
        "both ways": (
            await flow.token(None, app.basic, **form, client_secret=app.secret),
            "invalid_request",
            400,
            False,
        ),
        "two clients": (
            await flow.token(None, app.basic, **form, client_id=public.client_id),
            "invalid_request",
            400,
            False,
        ),
        "public with a secret": (
            await flow.token(App(public.client_id, "x"), **form),
            "invalid_client",
            401,
            False,
        ),
        "assertion": (
            await flow.token(None, **form, **as_app, client_assertion="eyJ"),
            "invalid_client",
            401,
            False,
        ),
    }

    found = {why: (case[0].error, case[0].http_status, case[0].challenge_basic) for why, case in cases.items()}

    assert found == {why: case[1:] for why, case in cases.items()}


async def test_either_way_of_authenticating_works(flow: Flow) -> None:
    """Rule 23: Basic (both halves form-urlencoded first) or in the body."""
    app = await flow.app(confidential=True)
    encoded = base64.b64encode(f"{quote(app.client_id)}:{quote(app.secret).replace('_', '%5F')}".encode()).decode()

    in_body = await flow.tokens(app)
    by_header = await flow.token(
        None,
        f"Basic {encoded}",
        client_id=app.client_id,
        grant_type="authorization_code",
        code=await flow.code(app),
        code_verifier=VERIFIER,
    )

    assert in_body.access_token
    assert by_header.access_token


async def test_an_access_token_says_what_rfc_9068_wants(flow: Flow, clock: FakeClock) -> None:
    """Rules 28 and 37: type, algorithm, key, claims; 15 minutes; nothing personal."""
    app = await flow.app()

    token = await flow.tokens(app, scope="openid models:read")

    header, claims = header_of(token.access_token), claims_of(token.access_token)
    now = int(clock.now().timestamp())
    assert header == {"alg": "RS256", "typ": "at+jwt", "kid": "planted"}
    assert claims.pop("jti")
    assert claims.pop("gid")
    assert claims.pop("sid").startswith("s-")
    assert claims == {
        "iss": ISSUER,
        "aud": ISSUER,
        "sub": flow.user_id,
        "client_id": app.client_id,
        "scope": "models:read openid",
        "tier": "pro",
        "iat": now,
        "exp": now + 900,
        "auth_time": now,
    }
    assert (token.expires_in_s, token.scope) == (900, "models:read openid")
    assert token.refresh_token.startswith("rz_rt_")


async def test_an_id_token_is_for_the_client(flow: Flow) -> None:
    """Rule 37: only with openid; audience is the client, nonce is the request's; another type than access tokens."""
    app = await flow.app()

    token = await flow.tokens(app, nonce="n0nce")
    without = await flow.tokens(app, scope="models:read")

    claims = claims_of(token.id_token)
    assert header_of(token.id_token)["typ"] == "JWT"
    assert (claims["aud"], claims["nonce"], claims["sub"]) == (app.client_id, "n0nce", flow.user_id)
    assert {"iss", "exp", "iat", "auth_time", "at_hash"} <= claims.keys()
    assert "gid" not in claims
    assert without.id_token == ""


async def test_a_client_without_the_grant_type_gets_no_refresh_token(flow: Flow) -> None:
    """A client that did not register refresh_token has none to lose."""
    app = await flow.app(grant_types=["authorization_code"])

    token = await flow.tokens(app)

    assert token.access_token
    assert token.refresh_token == ""


async def test_refreshing_rotates(flow: Flow, auth_pool: asyncpg.Pool[asyncpg.Record]) -> None:
    """Rule 29: each use gives another; the database has hashes only."""
    app = await flow.app()
    first = await flow.tokens(app)

    second = await flow.refresh(app, first.refresh_token)
    third = await flow.refresh(app, second.refresh_token)

    tokens = {first.refresh_token, second.refresh_token, third.refresh_token}
    rows = await auth_pool.fetch("SELECT * FROM auth.oauth_refresh_tokens")
    assert len(tokens) == len(rows) == 3
    assert all(token not in str(dict(row)) for token in tokens for row in rows)
    assert claims_of(third.access_token)["gid"] == claims_of(first.access_token)["gid"]
    assert claims_of(third.access_token)["jti"] != claims_of(first.access_token)["jti"]


async def test_using_a_refresh_token_twice_ends_the_family(flow: Flow, auth_pool: asyncpg.Pool[asyncpg.Record]) -> None:
    """Rule 29: all refresh and all access tokens of the grant are dead, and the gateways are told once."""
    app, server = await flow.app(), await flow.app(confidential=True)
    first = await flow.tokens(app)
    second = await flow.refresh(app, first.refresh_token)

    reuse = await flow.refresh(app, first.refresh_token)

    assert reuse.error == BAD_GRANT
    assert (await flow.refresh(app, second.refresh_token)).error == BAD_GRANT
    for token in (first, second):
        assert await flow.introspect(server, token.access_token) == {"active": False}
    revocations = await auth_pool.fetch("SELECT kind, subject_id FROM auth.revocations")
    assert [tuple(row) for row in revocations] == [("grant", claims_of(first.access_token)["gid"])]


async def test_anothers_refresh_token_is_worth_nothing(flow: Flow) -> None:
    """Rule 29: bound to its client; the attempt harms nobody. Strange ones are refused in the same way."""
    app, thief = await flow.app(), await flow.app()
    token = await flow.tokens(app)

    stolen = await flow.refresh(thief, token.refresh_token)
    strange = [
        (await flow.refresh(app, text)).error for text in (token.access_token, "x", "a\x00", "я", "rz_rt_" + "x" * 43)
    ]

    assert stolen.error == BAD_GRANT
    assert strange == [BAD_GRANT] * 5
    assert (await flow.refresh(app, "")).error == "invalid_request"
    assert (await flow.refresh(app, token.refresh_token)).access_token


async def test_a_refresh_narrows_for_once(flow: Flow) -> None:
    """Rule 30: less is possible, more is invalid_scope, and the next refresh token has the original scope."""
    app = await flow.app()
    first = await flow.tokens(app, scope="models:read usage:read")

    more = await flow.refresh(app, first.refresh_token, scope="models:read openid")
    unknown = await flow.refresh(app, first.refresh_token, scope="dance")
    less = await flow.refresh(app, first.refresh_token, scope="models:read")
    again = await flow.refresh(app, less.refresh_token)

    assert more.error == unknown.error == "invalid_scope"
    assert less.scope == claims_of(less.access_token)["scope"] == "models:read"
    assert again.scope == "models:read usage:read"


async def test_an_unused_refresh_token_dies_after_30_days(flow: Flow, clock: FakeClock) -> None:
    """Rule 31: idle life."""
    app = await flow.app()
    used, unused = await flow.tokens(app), await flow.tokens(app)

    clock.advance(30 * 86_400 - 1)
    in_time = await flow.refresh(app, used.refresh_token)
    clock.advance(1)
    too_late = await flow.refresh(app, unused.refresh_token)

    assert in_time.access_token
    assert too_late.error == BAD_GRANT


async def test_a_grant_dies_after_90_days_however_busy(flow: Flow, clock: FakeClock) -> None:
    """Rule 31: absolute life."""
    app = await flow.app()
    token = await flow.tokens(app)

    for _ in range(4):
        clock.advance(20 * 86_400)
        token = await flow.refresh(app, token.refresh_token)
    clock.advance(10 * 86_400)
    too_late = await flow.refresh(app, token.refresh_token)

    assert token.access_token
    assert too_late.error == BAD_GRANT


async def test_a_client_acts_in_its_own_name(flow: Flow) -> None:
    """Rule 37: its subject is itself, there is no refresh token, and its owner pays."""
    app = await flow.app(
        confidential=True, owner_user_id=flow.user_id, grant_types=["client_credentials"], redirect_uris=[]
    )

    token = await flow.token(app, grant_type="client_credentials", scope="models:read")
    again = await flow.token(app, grant_type="client_credentials")
    identity = await flow.token(app, grant_type="client_credentials", scope="openid")

    claims = claims_of(token.access_token)
    assert claims["sub"] == claims["client_id"] == app.client_id
    assert (token.scope, token.refresh_token, token.id_token) == ("models:read", "", "")
    assert claims_of(again.access_token)["gid"] == claims["gid"]
    assert identity.error == "invalid_scope"
    answer = await flow.call(pb.GetGrantRequest(grant_id=claims["gid"]))
    assert answer.caller.user_id == flow.user_id


async def test_no_secret_is_in_the_audit_log(flow: Flow, auth_pool: asyncpg.Pool[asyncpg.Record]) -> None:
    """The audit log names grants, users and clients, and never what opens a door."""
    app = await flow.app(confidential=True)
    code = await flow.code(app)
    token = await flow.redeem(app, code)
    token = await flow.refresh(app, token.refresh_token)
    await flow.revoke(app, token.access_token)

    rows = [dict(row) for row in await auth_pool.fetch("SELECT action, actor, subject, details FROM auth.audit_log")]

    written = json.dumps(rows, default=str)
    for secret in (code, token.refresh_token, token.access_token, app.secret, flow.session):
        assert secret not in written
    actions = {row["action"] for row in rows}
    assert {"client.registered", "consent.given", "token.issued", "token.refreshed", "token.revoked"} <= actions
    issued = next(json.loads(row["details"]) for row in rows if row["action"] == "token.issued")
    assert issued["ip"] == "192.0.2.7"
