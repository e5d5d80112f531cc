"""Tokens that are bound to a key (RFC 9449; oauth rules 47 and 48)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from razvilka.auth.v1 import oauth_pb2 as pb

from servicekit.errors import Unavailable
from servicekit.testing import FakeClock
from servicekit.testing.dpop_key import DpopKey
from services.auth.settings import AuthSettings
from services.auth.tests.oauth.conftest import ISSUER, REGISTRATION_TOKEN, StartOAuth
from services.auth.tests.oauth.flow import VERIFIER, App, Flow, claims_of

URL = f"{ISSUER}/token"
BAD_PROOF, BAD_GRANT, NONCE = "invalid_dpop_proof", "invalid_grant", "use_dpop_nonce"


@pytest.fixture
def key() -> DpopKey:
    """Return the client's key."""
    return DpopKey()


async def nonce_of(flow: Flow) -> str:
    """Return the nonce that counts now."""
    answer = await flow.call(pb.GetKeysRequest())
    return str(answer.dpop_nonces[1])


async def proof(flow: Flow, key: DpopKey, **changes: Any) -> str:
    """Return a good proof for the token endpoint."""
    return key.proof(URL, flow.now(), **{"nonce": await nonce_of(flow)} | changes)


async def bound_tokens(flow: Flow, app: App, key: DpopKey, **changes: Any) -> Any:
    """Go all the way to tokens that are bound to the key."""
    return await flow.redeem(app, await flow.code(app, **changes), dpop=await proof(flow, key))


async def test_a_proof_binds_the_access_token(flow: Flow, key: DpopKey) -> None:
    """token_type DPoP, cnf.jkt in the JWT and in introspection, the next nonce with the answer."""
    app, server = await flow.app(), await flow.app(confidential=True)

    token = await bound_tokens(flow, app, key)

    told = await flow.introspect(server, token.access_token)
    assert token.token_type == "DPoP"
    assert claims_of(token.access_token)["cnf"] == told["cnf"] == {"jkt": key.thumbprint}
    assert told["token_type"] == "DPoP"
    assert flow.dpop_nonce == await nonce_of(flow)


async def test_without_a_proof_nothing_changes(flow: Flow) -> None:
    """Bearer as ever, and no nonce for who does not ask for one."""
    token = await flow.tokens(await flow.app())

    assert token.token_type == "Bearer"
    assert "cnf" not in claims_of(token.access_token)
    assert flow.dpop_nonce == ""


async def test_a_proof_needs_one_of_our_nonces(flow: Flow, key: DpopKey, clock: FakeClock) -> None:
    """use_dpop_nonce with the nonce; the code lives on; a nonce counts for five minutes and five more."""
    app = await flow.app()
    code = await flow.code(app)

    asked = await flow.redeem(app, code, dpop=key.proof(URL, flow.now()))
    strange = await flow.redeem(app, code, dpop=key.proof(URL, flow.now(), nonce="mine"))
    first = flow.dpop_nonce
    clock.advance(1.0)
    good = await flow.redeem(app, code, dpop=key.proof(URL, flow.now(), nonce=first))
    clock.advance(300.0)
    late = await flow.refresh(app, good.refresh_token, dpop=key.proof(URL, flow.now(), nonce=first))
    clock.advance(300.0)
    over = await flow.refresh(app, late.refresh_token, dpop=key.proof(URL, flow.now(), nonce=first))

    assert (asked.error, strange.error) == (NONCE, NONCE)
    assert good.token_type == late.token_type == "DPoP"
    assert over.error == NONCE
    assert flow.dpop_nonce not in ("", first)


async def test_replicas_know_each_others_nonces(
    start_oauth: StartOAuth, oauth_settings: Callable[..., AuthSettings], key: DpopKey
) -> None:
    """They come from the secret that all have; another secret gives others."""
    async with start_oauth(oauth_settings()) as one, start_oauth(oauth_settings()) as two:
        other = oauth_settings(signing_key_secret="another secret of at least 32 characters")
        async with start_oauth(other) as stranger:
            nonces = [await nonce_of(flow) for flow in (one, two, stranger)]

    assert nonces[0] == nonces[1] != nonces[2]


async def test_nonces_can_be_switched_off(
    start_oauth: StartOAuth, oauth_settings: Callable[..., AuthSettings], key: DpopKey
) -> None:
    """AUTH_OAUTH_DPOP_NONCE_REQUIRED=false: a proof without one is good, and none is handed out."""
    async with start_oauth(oauth_settings(dpop_nonce_required=False)) as flow:
        await flow.log_in()
        app = await flow.app()
        token = await flow.redeem(app, await flow.code(app), dpop=key.proof(URL, flow.now()))
        keys = await flow.call(pb.GetKeysRequest())

    assert token.token_type == "DPoP"
    assert (list(keys.dpop_nonces), flow.dpop_nonce) == ([], "")


async def test_a_proof_counts_once(flow: Flow, key: DpopKey) -> None:
    """RFC 9449 11.1: whoever saw it on its way cannot use it again."""
    app, used = await flow.app(), await proof(flow, key)
    first = await flow.redeem(app, await flow.code(app), dpop=used)

    again = await flow.redeem(app, await flow.code(app), dpop=used)

    assert first.token_type == "DPoP"
    assert again.error == BAD_PROOF


async def test_a_proof_of_another_request_is_none(flow: Flow, key: DpopKey) -> None:
    """Method and address; the old name of the endpoint is its name, too."""
    app = await flow.app()
    code, nonce = await flow.code(app), await nonce_of(flow)
    elsewhere = [
        key.proof(f"{ISSUER}/v1/models", flow.now(), nonce=nonce),
        key.proof("https://evil.example/token", flow.now(), nonce=nonce),
        key.proof(URL, flow.now(), nonce=nonce, method="GET"),
        "nonsense",
    ]

    errors = [(await flow.redeem(app, code, dpop=text)).error for text in elsewhere]

    assert errors == [BAD_PROOF] * 4
    old_name = key.proof(f"{ISSUER}/oauth/token", flow.now(), nonce=nonce)
    assert (await flow.redeem(app, code, dpop=old_name)).token_type == "DPoP"


async def test_a_public_clients_refresh_tokens_are_bound(flow: Flow, key: DpopKey) -> None:
    """A thief without the key gets nothing, not even the end of the grant; the owner goes on (RFC 9449 5)."""
    app = await flow.app()
    token = await bound_tokens(flow, app, key)

    bare = await flow.refresh(app, token.refresh_token)
    stolen = await flow.refresh(app, token.refresh_token, dpop=await proof(flow, DpopKey()))
    second = await flow.refresh(app, token.refresh_token, dpop=await proof(flow, key))
    in_grace = await flow.refresh(app, token.refresh_token, dpop=await proof(flow, DpopKey()))
    again = await flow.refresh(app, token.refresh_token, dpop=await proof(flow, key))

    assert (bare.error, stolen.error, in_grace.error) == (BAD_PROOF, BAD_GRANT, BAD_GRANT)
    assert again.refresh_token == second.refresh_token
    assert claims_of(second.access_token)["cnf"] == {"jkt": key.thumbprint}


async def test_a_refresh_with_a_proof_binds_what_was_not_bound(flow: Flow, key: DpopKey) -> None:
    """From then on."""
    app = await flow.app()
    first = await flow.tokens(app)

    second = await flow.refresh(app, first.refresh_token, dpop=await proof(flow, key))

    assert second.token_type == "DPoP"
    assert (await flow.refresh(app, second.refresh_token)).error == BAD_PROOF


async def test_a_confidential_client_may_change_its_key(flow: Flow, key: DpopKey) -> None:
    """Its refresh token is bound to its secret; each access token to the key of its request."""
    app, other = await flow.app(confidential=True), DpopKey("Ed25519")
    token = await bound_tokens(flow, app, key)

    second = await flow.refresh(app, token.refresh_token, dpop=await proof(flow, other))

    assert claims_of(second.access_token)["cnf"] == {"jkt": other.thumbprint}


async def test_a_code_is_bound_to_the_key_that_was_named(flow: Flow, key: DpopKey) -> None:
    """dpop_jkt (RFC 9449 10): a stolen code with its verifier is worth nothing without the key."""
    app = await flow.app()
    code = await flow.code(app, dpop_jkt=key.thumbprint)

    bare = await flow.redeem(app, code)
    stolen = await flow.redeem(app, code, dpop=await proof(flow, DpopKey()))
    token = await flow.redeem(app, code, dpop=await proof(flow, key))
    malformed = await flow.authorize(app, dpop_jkt="short")

    assert (bare.error, stolen.error) == (BAD_PROOF, BAD_GRANT)
    assert token.token_type == "DPoP"
    assert "error=invalid_request" in malformed.redirect_url


async def test_a_client_that_wants_bound_tokens_gets_no_others(flow: Flow, key: DpopKey) -> None:
    """dpop_bound_access_tokens, by an owner and by registration (RFC 9449 5.2)."""
    app = await flow.app(dpop_bound_access_tokens=True)
    metadata = {
        "redirect_uris": ["http://127.0.0.1:8399/callback"],
        "token_endpoint_auth_method": "none",
        "dpop_bound_access_tokens": True,
    }
    made, wrong = [
        await flow.call(
            pb.RegisterClientRequest(metadata_json=json.dumps(given), authorization=f"Bearer {REGISTRATION_TOKEN}")
        )
        for given in (metadata, {**metadata, "dpop_bound_access_tokens": "yes"})
    ]
    code = await flow.code(app)

    bare = await flow.redeem(app, code)
    token = await flow.redeem(app, code, dpop=await proof(flow, key))

    document = json.loads(made.client_json)
    registered = App(document["client_id"])
    assert bare.error == BAD_PROOF
    assert token.token_type == "DPoP"
    assert document["dpop_bound_access_tokens"] is True
    assert (await flow.redeem(registered, await flow.code(registered, scope="models:read"))).error == BAD_PROOF
    assert wrong.error.error == "invalid_client_metadata"


async def test_a_client_in_its_own_name_and_a_device_bind_too(flow: Flow, key: DpopKey) -> None:
    """Every grant type."""
    own = await flow.app(
        confidential=True, owner_user_id=flow.user_id, grant_types=["client_credentials"], redirect_uris=[]
    )
    app = await flow.app()
    started = await flow.call(pb.StartDeviceRequest(params=[pb.Param(name="client_id", value=app.client_id)]))
    device = json.loads(started.device_json)
    await flow.call(
        pb.DecideDeviceRequest(
            user_code=device["user_code"], session_id=flow.session, approved=True, origin=pb.Origin(ip="192.0.2.7")
        )
    )

    itself = await flow.token(own, grant_type="client_credentials", dpop=await proof(flow, key))
    by_device = await flow.token(
        app,
        grant_type="urn:ietf:params:oauth:grant-type:device_code",
        device_code=device["device_code"],
        dpop=await proof(flow, key),
    )

    assert [claims_of(token.access_token)["cnf"]["jkt"] for token in (itself, by_device)] == [key.thumbprint] * 2
    assert (await flow.refresh(app, by_device.refresh_token)).error == BAD_PROOF


async def test_user_info_says_which_key_must_be_shown(flow: Flow, key: DpopKey) -> None:
    """The gateway sees the proof; auth tells it of whom."""
    app = await flow.app()
    bound, bearer = await bound_tokens(flow, app, key), await flow.tokens(app)

    answers = [await flow.call(pb.UserInfoRequest(access_token=token.access_token)) for token in (bound, bearer)]

    assert [answer.dpop_jkt for answer in answers] == [key.thumbprint, ""]


async def test_the_metadata_name_the_algorithms(flow: Flow) -> None:
    """RFC 9449 5.1."""
    metadata = json.loads((await flow.call(pb.GetKeysRequest())).metadata_json)

    assert metadata["dpop_signing_alg_values_supported"] == ["ES256", "EdDSA", "Ed25519"]


async def test_while_proofs_cannot_be_remembered_none_counts(
    start_oauth: StartOAuth, oauth_settings: Callable[..., AuthSettings], key: DpopKey, free_port: int
) -> None:
    """Redis away: 503 for who sends a proof; bearer tokens go on."""
    async with start_oauth(oauth_settings()) as flow:
        await flow.log_in()
        app = await flow.app()
        codes = [await flow.code(app) for _ in range(2)]
        sent = await proof(flow, key)
        nowhere = oauth_settings()
        lost = nowhere.redis.model_copy(update={"url": type(nowhere.redis.url)(f"redis://127.0.0.1:{free_port}/0")})
        async with start_oauth(nowhere.model_copy(update={"redis": lost})) as without:
            form: dict[str, Any] = {"grant_type": "authorization_code", "code_verifier": VERIFIER}
            with pytest.raises(Unavailable):
                await without.token(app, code=codes[0], dpop=sent, **form)
            bearer = await without.token(app, code=codes[1], **form)

    assert bearer.token_type == "Bearer"
