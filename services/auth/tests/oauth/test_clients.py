"""Registration of applications (oauth rules 1, 23 and 46): first what must not work."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from razvilka.auth.v1 import oauth_pb2 as pb

from servicekit.errors import Conflict, InvalidRequest, NotFound, PermissionDenied, ServiceError, Unauthenticated
from servicekit.testing import FakeClock
from services.auth.oauth.store.clients import FORGOTTEN_AT_ONCE, ClientStore
from services.auth.settings import AuthSettings
from services.auth.tests.oauth.conftest import REGISTRATION_TOKEN, StartOAuth
from services.auth.tests.oauth.flow import SCOPES, App, Flow, claims_of

BEARER = f"Bearer {REGISTRATION_TOKEN}"
WEB = {"redirect_uris": ["https://app.example.ru/cb"]}


async def register(flow: Flow, metadata: Any, authorization: str = BEARER) -> Any:
    """Register; return the document or the error."""
    text = metadata if isinstance(metadata, str) else json.dumps(metadata)
    answer = await flow.call(pb.RegisterClientRequest(metadata_json=text, authorization=authorization))
    return json.loads(answer.client_json) if answer.client_json else answer.error


async def test_registration_needs_the_initial_access_token(flow: Flow) -> None:
    """Rule 46: 401 without it."""
    for authorization in ("", "Bearer ", "Bearer x", REGISTRATION_TOKEN, f"Basic {REGISTRATION_TOKEN}", "Bearer я"):
        error = await register(flow, WEB, authorization)

        assert (error.error, error.http_status) == ("invalid_token", 401), authorization


async def test_registration_can_be_off(start_oauth: StartOAuth, oauth_settings: Callable[..., AuthSettings]) -> None:
    """Rule 46: off is the default; then not even an empty token opens it, and the metadata is silent."""
    async with start_oauth(oauth_settings(registration_enabled=False, registration_token="")) as flow:
        errors = {(await register(flow, WEB, given)).http_status for given in ("Bearer ", "Bearer", "", BEARER)}
        metadata = json.loads((await flow.call(pb.GetKeysRequest())).metadata_json)

    assert errors == {403}
    assert "registration_endpoint" not in metadata


async def test_bad_metadata_is_refused(flow: Flow) -> None:
    """Rule 46: https or loopback redirect URIs only; every error is an answer."""
    for uri in (
        "http://app.example.ru/cb",
        "http://localhost:1/cb",
        "https://app.example.ru/cb#x",
        "https://user@app.example.ru/cb",
        "https://app.example.ru/c b",
        "https://app.example.ru/\r\n",
        "https://",
        "https://[::1",
        "https://app.example.ru:99999/",
        "javascript:alert(1)",
        "data:text/html,x",
        "com.example.app:/cb",
        "//app.example.ru/cb",
        "",
        "a\x00",
        "https://пример.рф/cb",
        "x" * 3000,
    ):
        assert (await register(flow, {"redirect_uris": [uri]})).error == "invalid_redirect_uri", uri
    for why in ([], [1], "https://app.example.ru/cb", [["x"]], [f"https://a.ru/{n}" for n in range(21)]):
        assert (await register(flow, {"redirect_uris": why})).error == "invalid_redirect_uri", why
    for text in ("", "[]", "{", "null", "7", "[" * 100_000, '{"a":' * 50_000, "x" * 2_000_000):
        assert (await register(flow, text)).error == "invalid_client_metadata", text[:9]
    members: list[dict[str, Any]] = [
        {"client_name": 7},
        {"client_name": "x" * 101},
        {"client_name": "a\x00"},
        {"client_uri": "javascript:alert(1)"},
        {"scope": "dance"},
        {"scope": "admin"},
        {"grant_types": ["password"]},
        {"grant_types": ["implicit"]},
        {"grant_types": []},
        {"grant_types": ["client_credentials"]},
        {"grant_types": ["urn:ietf:params:oauth:grant-type:token-exchange"]},
        {"response_types": ["token"]},
        {"token_endpoint_auth_method": "private_key_jwt"},
        {"software_statement": "eyJ"},
    ]
    for member in members:
        assert (await register(flow, WEB | member)).error == "invalid_client_metadata", member


async def test_a_client_registers_itself_and_works(flow: Flow) -> None:
    """Rule 46: the secret is shown once; unknown members and addresses are ignored, nothing is fetched."""
    document = await register(
        flow,
        WEB
        | {
            "client_name": "Заметки",
            "client_uri": "https://app.example.ru/",
            "logo_uri": "http://169.254.169.254/",
            "jwks_uri": "http://169.254.169.254/",
            "grant_types": ["authorization_code", "refresh_token"],
            "token_endpoint_auth_method": "client_secret_basic",
            "scope": "openid models:read",
            "unknown": {"x": 1},
        },
    )

    app = App(document["client_id"], document["client_secret"], WEB["redirect_uris"][0])
    by_header = await flow.redeem_by_header(app)
    by_body = await flow.tokens(app)

    assert document["client_secret_expires_at"] == 0
    assert document["client_name"] == "Заметки"
    assert document["redirect_uris"] == WEB["redirect_uris"]
    assert document["response_types"] == ["code"]
    assert "logo_uri" not in document
    assert by_header.access_token
    # Rule 23: it registered one method, so the other is refused.
    assert by_body.error == "invalid_client"


async def test_a_public_client_registers_itself(flow: Flow) -> None:
    """Rule 46: a native application with a loopback address has no secret."""
    document = await register(
        flow, {"redirect_uris": ["http://127.0.0.1/cb", "http://[::1]/cb"], "token_endpoint_auth_method": "none"}
    )

    token = await flow.tokens(App(document["client_id"], redirect_uri="http://[::1]:4444/cb"))

    assert "client_secret" not in document
    assert token.access_token
    # Rule 46, RFC 7591 2: without a word about it there is no refresh token.
    assert token.refresh_token == ""


async def test_secrets_are_stored_as_hashes(flow: Flow, auth_pool: asyncpg.Pool[asyncpg.Record]) -> None:
    """Rule 23: SHA-256 of 256 random bits."""
    app = await flow.app(confidential=True)

    rows = await auth_pool.fetch("SELECT * FROM auth.oauth_clients WHERE id = $1", app.client_id)

    assert len(app.secret) == len("rz_cs_") + 43
    assert len(rows[0]["secret_hash"]) == 32
    assert app.secret not in str(dict(rows[0]))


async def test_owners_create_what_is_allowed_only(flow: Flow) -> None:
    """Errors name the field; the scope admin is for administrators' applications."""
    for fields, error in (
        ({"redirect_uris": ["http://app.example.ru/"]}, InvalidRequest),
        ({"redirect_uris": []}, InvalidRequest),
        ({"name": ""}, InvalidRequest),
        ({"grant_types": ["password"]}, InvalidRequest),
        ({"scopes": ["dance"]}, InvalidRequest),
        ({"client_id": "a b"}, InvalidRequest),
        ({"client_id": "razvilka-exchange"}, Conflict),
        ({"client_id": "razvilka-cli"}, Conflict),
        ({"owner_user_id": "nobody"}, NotFound),
        ({"owner_user_id": "a\x00"}, NotFound),
        ({"owner_user_id": flow.user_id, "scopes": ["admin"]}, PermissionDenied),
        ({"grant_types": ["client_credentials"]}, InvalidRequest),
    ):
        with pytest.raises(ServiceError) as refused:
            await flow.app(**fields)
        assert isinstance(refused.value, error), fields


async def test_native_applications_may_have_their_own_scheme(flow: Flow) -> None:
    """Rule 1, RFC 8252 7.1: reverse-domain form only."""
    app = await flow.app(redirect_uris=["ru.example.notes:/cb"])

    step = await flow.authorize(app)

    assert step.WhichOneof("next") == "consent"
    with pytest.raises(InvalidRequest):
        await flow.app(redirect_uris=["notes:/cb"])


@pytest.mark.parametrize("client_id", ["razvilka-exchange", "razvilka-cli"])
async def test_what_every_gateway_has_is_not_deleted(flow: Flow, client_id: str) -> None:
    """Not by an administrator either: no migration would bring it back."""
    with pytest.raises(NotFound):
        await flow.call(pb.DeleteClientRequest(client_id=client_id))

    clients = (await flow.call(pb.ListClientsRequest())).clients
    assert client_id in {client.client_id for client in clients}


async def test_owners_see_and_end_their_own_only(flow: Flow) -> None:
    """Somebody else's application is not found; ending one ends its grants on every gateway."""
    app = await flow.app(owner_user_id=flow.user_id, confidential=True)
    token = await flow.tokens(app)
    owner = flow.user_id
    await flow.log_in("other@example.ru")

    with pytest.raises(NotFound):
        await flow.call(pb.DeleteClientRequest(owner_user_id=flow.user_id, client_id=app.client_id))
    others = await flow.call(pb.ListClientsRequest(owner_user_id=flow.user_id))
    own = await flow.call(pb.ListClientsRequest(owner_user_id=owner))
    await flow.call(pb.DeleteClientRequest(owner_user_id=owner, client_id=app.client_id))

    assert not others.clients
    assert [client.client_id for client in own.clients] == [app.client_id]
    assert list(own.clients[0].scopes) == sorted(SCOPES)
    server = await flow.app(confidential=True)
    assert await flow.introspect(server, token.access_token) == {"active": False}
    assert (await flow.refresh(app, token.refresh_token)).error == "invalid_client"
    ended = (await flow.call(pb.ListRevocationsRequest())).revocations
    grant_id = claims_of(token.access_token)["gid"]
    assert [(each.kind, each.id) for each in ended] == [("client", app.client_id), ("grant", grant_id)]
    with pytest.raises(Unauthenticated):
        await flow.call(pb.GetGrantRequest(grant_id=grant_id))


async def test_applications_that_are_over_hide_none_that_lives(
    flow: Flow, auth_pool: asyncpg.Pool[asyncpg.Record]
) -> None:
    """Something that makes one an hour for itself has a thousand of them within six weeks."""
    app = await flow.app(owner_user_id=flow.user_id)
    await auth_pool.execute(
        """
        INSERT INTO auth.oauth_clients
            (id, owner_user_id, name, auth_methods, redirect_uris, scopes, grant_types, created_at, expires_at)
        SELECT 'over-' || n, c.owner_user_id, c.name, c.auth_methods, c.redirect_uris, c.scopes, c.grant_types,
            c.created_at + interval '1 s', '2020-01-01'
        FROM auth.oauth_clients AS c CROSS JOIN generate_series(1, 1000) AS n
        WHERE c.id = $1
        """,
        app.client_id,
    )

    listed = (await flow.call(pb.ListClientsRequest(owner_user_id=flow.user_id))).clients

    assert [client.client_id for client in listed] == [app.client_id]


async def test_applications_that_are_long_over_are_forgotten_with_their_grants(
    flow: Flow, clock: FakeClock, auth_pool: asyncpg.Pool[asyncpg.Record]
) -> None:
    """They stayed for ever, as everything that was allowed them; what an administrator disabled is still known."""
    over, disabled, endless = [await flow.app() for _ in range(3)]
    crowd = [await flow.app() for _ in range(FORGOTTEN_AT_ONCE)]
    for app in (over, disabled, endless):
        await flow.tokens(app)
    end = clock.now() + timedelta(days=1)
    ending = [app.client_id for app in (over, disabled, *crowd)]
    await auth_pool.execute("UPDATE auth.oauth_clients SET expires_at = $2 WHERE id = ANY($1::text[])", ending, end)
    await auth_pool.execute(
        "INSERT INTO auth.disabled_credentials VALUES ($1, $1, $2)", f"client:{disabled.client_id}", end
    )
    store = ClientStore(auth_pool)

    await store.forget(end)
    before = await auth_pool.fetchval("SELECT count(*) FROM auth.oauth_clients WHERE id = ANY($1::text[])", ending)
    await store.forget(end + timedelta(seconds=1))

    assert before == len(ending)
    left = {row["client_id"] for row in await auth_pool.fetch("SELECT client_id FROM auth.oauth_grants")}
    assert left == {disabled.client_id, endless.client_id}
    assert await store.find(over.client_id) is None
    assert await store.find(crowd[0].client_id) is None
    assert await store.find(disabled.client_id) is not None
