"""The token endpoint (oauth rules 20 to 28): first what must not work."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import asyncpg
from razvilka.auth.v1 import oauth_pb2 as pb

from servicekit.testing import FakeClock
from services.auth.tests.oauth.conftest import ISSUER
from services.auth.tests.oauth.flow import CHALLENGE, VERIFIER, Flow, claims_of, header_of

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
    wrong = base64.b64encode(f"{app.client_id}:x".encode()).decode()
    as_app = {"client_id": app.client_id}
    by_form, by_header = ("invalid_client", 401, False), ("invalid_client", 401, True)
    doubled = ("invalid_request", 400, False)
    cases: dict[str, tuple[str, dict[str, str], tuple[str, int, bool]]] = {
        "no secret": ("", as_app, by_form),
        "wrong secret": ("", {**as_app, "client_secret": "x"}, by_form),
        "public with a secret": ("", {"client_id": public.client_id, "client_secret": "x"}, by_form),
        "assertion": ("", {**as_app, "client_assertion": "eyJ"}, by_form),
        "wrong Basic": (f"Basic {wrong}", {}, by_header),
        "garbage": ("Basic !!!", {}, by_header),
        "no colon": ("Basic YWJj", {}, by_header),
        "not UTF-8": ("Basic /zr/", {}, by_header),
        "Bearer": ("Bearer x", {}, by_header),
        "both ways": (app.basic, {"client_secret": app.secret}, doubled),
        "two clients": (app.basic, {"client_id": public.client_id}, doubled),
    }

    for why, (header, form, expected) in cases.items():
        error = await flow.token(None, header, grant_type="refresh_token", refresh_token="x", **form)

        assert (error.error, error.http_status, error.challenge_basic) == expected, why


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
        "acr": "urn:razvilka:acr:1",
        "amr": ["pwd"],
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


async def test_a_grant_knows_models_by_the_names_of_its_user(
    flow: Flow, auth_pool: asyncpg.Pool[asyncpg.Record]
) -> None:
    """Those of the account, not those of one of its keys."""
    save = "INSERT INTO auth.model_names (user_id, lineage_id, names, updated_at) VALUES ($1, $2, $3, now())"
    await auth_pool.execute(save, flow.user_id, "", '{"gpt-4o": "yandexgpt:latest"}')
    await auth_pool.execute(save, flow.user_id, "a key", '{"*": "gigachat"}')
    app = await flow.app(confidential=True)
    token = await flow.redeem(app, await flow.code(app))

    answer = await flow.call(pb.GetGrantRequest(grant_id=claims_of(token.access_token)["gid"]))

    assert dict(answer.caller.model_names) == {"gpt-4o": "yandexgpt:latest"}


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
