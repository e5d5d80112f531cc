"""Pushed authorization requests (RFC 9126; oauth rule 49)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from razvilka.auth.v1 import oauth_pb2 as pb
from redis.asyncio import Redis

from servicekit.testing.dpop_key import DpopKey
from services.auth.oauth.domain.authorization import PUSHED_PREFIX, new_request_uri
from services.auth.oauth.domain.params import Params
from services.auth.settings import AuthSettings
from services.auth.tests.oauth.conftest import ISSUER, StartOAuth
from services.auth.tests.oauth.flow import CHALLENGE, ORIGIN, App, Flow, query_of, to_params

BAD = "invalid_request"


async def push(flow: Flow, app: App, authorization: str = "", dpop: str = "", **changes: Any) -> Any:
    """Push a request; return the answer: a document, or an error."""
    params: dict[str, str | None] = {
        **({} if authorization else app.credentials),
        "response_type": "code",
        "redirect_uri": app.redirect_uri,
        "scope": "openid models:read",
        "state": "st4te",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }
    pairs = [(name, value) for name, value in (params | changes).items() if value is not None]
    answer = await flow.call(
        pb.PushAuthorizationRequest(params=to_params(pairs), authorization=authorization, origin=ORIGIN, dpop=dpop)
    )
    return json.loads(answer.answer_json) if answer.WhichOneof("answer") == "answer_json" else answer.error


async def begin(flow: Flow, app: App, request_uri: str, **more: str) -> Any:
    """Come with a browser."""
    return await flow.authorize_raw([("client_id", app.client_id), ("request_uri", request_uri), *more.items()])


@pytest.mark.parametrize("confidential", [False, True])
async def test_a_pushed_request_leads_to_tokens(flow: Flow, confidential: bool) -> None:
    """Named for 90 s; what it said counts, and nothing that comes through the browser beside the name."""
    app = await flow.app(confidential=confidential)
    pushed = await push(flow, app, app.basic if confidential else "")

    more = {"scope": "usage:read", "redirect_uri": "https://evil.example/", "state": "other"}
    step = await begin(flow, app, pushed["request_uri"], **more)
    url = await flow.decide(step.consent.pending_id)

    assert pushed["expires_in"] == 90
    assert pushed["request_uri"].startswith(PUSHED_PREFIX)
    assert list(step.consent.scopes) == ["models:read", "openid"]
    assert url.startswith(app.redirect_uri + "?")
    assert query_of(url)["state"] == "st4te"
    assert (await flow.redeem(app, query_of(url)["code"])).scope == "models:read openid"


async def test_a_name_works_once_and_for_its_client(flow: Flow) -> None:
    """Another client cannot use it, nor use it up; a second browser sees a page, and no redirect."""
    app, other = await flow.app(), await flow.app()
    name = (await push(flow, app))["request_uri"]

    stolen = await begin(flow, other, name)
    first = await begin(flow, app, name)
    again = await begin(flow, app, name)
    unknown = await begin(flow, app, new_request_uri())

    assert first.consent.pending_id
    assert [answer.error_page.error for answer in (stolen, again, unknown)] == ["expired"] * 3


async def test_what_authorize_refuses_is_refused_at_once(flow: Flow) -> None:
    """As JSON to the client, before any browser is involved (RFC 9126 2.3)."""
    app, secret = await flow.app(), await flow.app(confidential=True)
    wrong: dict[str, dict[str, Any]] = {
        "another address": {"redirect_uri": "https://evil.example/"},
        "no address": {"redirect_uri": None},
        "no PKCE": {"code_challenge": None},
        "a name": {"request_uri": new_request_uri()},
        "an unknown scope": {"scope": "dance"},
        "another response": {"response_type": "token"},
    }

    errors = {name: (await push(flow, app, **changes)).error for name, changes in wrong.items()}
    stranger = await push(flow, App(secret.client_id, redirect_uri=secret.redirect_uri))

    assert errors == {
        "another address": BAD,
        "no address": BAD,
        "no PKCE": BAD,
        "a name": BAD,
        "an unknown scope": "invalid_scope",
        "another response": "unsupported_response_type",
    }
    assert (stranger.error, stranger.http_status) == ("invalid_client", 401)


async def test_what_waits_has_no_secret_in_it(flow: Flow, redis_url: str) -> None:
    """Neither the client's secret nor the name: the key is its SHA-256."""
    app = await flow.app(confidential=True)
    name = (await push(flow, app))["request_uri"]

    async with Redis.from_url(redis_url, decode_responses=True) as client:
        keys = [key async for key in client.scan_iter("razvilka:auth:pushed:*")]
        texts = [str(await client.get(key)) for key in keys]
        lives = [await client.ttl(key) for key in keys]

    assert any(app.client_id in text for text in texts)
    assert not any(app.secret in text or name in text for text in (*keys, *texts))
    assert all(0 < life <= 90 for life in lives)


async def test_a_client_may_be_bound_to_push(flow: Flow) -> None:
    """require_pushed_authorization_requests: what comes through the browser is sent back."""
    app = await flow.app(require_pushed_authorization_requests=True)

    direct = await flow.authorize(app)
    pushed = await begin(flow, app, (await push(flow, app))["request_uri"])

    assert query_of(direct.redirect_url)["error"] == BAD
    assert pushed.consent.pending_id


async def test_addresses_of_requests_elsewhere_stay_refused(flow: Flow) -> None:
    """Never fetched (rule 16)."""
    app = await flow.app()

    answers = [
        await flow.authorize(app, request_uri=uri)
        for uri in ("https://evil.example/r", PUSHED_PREFIX + "x", "urn:ietf:params:oauth:request_uri:")
    ]

    assert {query_of(answer.redirect_url)["error"] for answer in answers} == {"request_uri_not_supported"}


async def test_a_proof_binds_the_code(start_oauth: StartOAuth, oauth_settings: Callable[..., AuthSettings]) -> None:
    """RFC 9449 10.1: as if dpop_jkt had been sent; another dpop_jkt beside it is refused."""
    key, other = DpopKey(), DpopKey()
    async with start_oauth(oauth_settings(dpop_nonce_required=False)) as flow:
        await flow.log_in()
        app = await flow.app()

        def proof(path: str, of: DpopKey = key) -> str:
            return of.proof(ISSUER + path, flow.now())

        mixed = await push(flow, app, dpop=proof("/par"), dpop_jkt=other.thumbprint)
        strange = await push(flow, app, dpop=proof("/token"))
        pushed = await push(flow, app, dpop=proof("/par"))
        step = await begin(flow, app, pushed["request_uri"])
        code = query_of(await flow.decide(step.consent.pending_id))["code"]
        stolen = await flow.redeem(app, code, dpop=proof("/token", other))
        token = await flow.redeem(app, code, dpop=proof("/token"))

    assert (mixed.error, strange.error) == ("invalid_dpop_proof", "invalid_dpop_proof")
    assert stolen.error == "invalid_grant"
    assert token.token_type == "DPoP"


async def test_the_metadata_name_the_endpoint(flow: Flow) -> None:
    """RFC 9126 5."""
    metadata = json.loads((await flow.call(pb.GetKeysRequest())).metadata_json)

    assert metadata["pushed_authorization_request_endpoint"] == f"{ISSUER}/par"
    assert metadata["require_pushed_authorization_requests"] is False


def test_parameters_can_be_changed() -> None:
    """Left out, added, and what is empty stays out."""
    params = Params([("a", "1"), ("b", "2"), ("c", ""), ("d", "x"), ("d", "y")])

    assert params.changed({"a"}, {"e": "3", "f": ""}).given() == [("b", "2"), ("e", "3")]
