"""Authlib and requests-oauthlib, unchanged, against the running suite."""

from typing import Any

import httpx
import pytest
from authlib.integrations.httpx_client import OAuth2Client
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.jwk import KeySet
from requests_oauthlib import OAuth2Session

from tests.oauth_kit.application import Application
from tests.oauth_kit.house import House
from tests.oauth_kit.people import Person

SCOPE = "openid email models:read"


@pytest.fixture(params=["public", "confidential"])
def client(request, public: Application, confidential: Application) -> Application:
    """Both kinds."""
    return {"public": public, "confidential": confidential}[request.param]


@pytest.fixture
def metadata(house: House) -> dict[str, Any]:
    """What the clients discover."""
    return dict(httpx.get(f"{house.url}/.well-known/openid-configuration", trust_env=False, timeout=60).json())


@pytest.fixture(autouse=True)
def plain_http(monkeypatch: pytest.MonkeyPatch) -> None:
    """The suite runs on loopback without TLS; oauthlib wants to be told that this is meant."""
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def fetch_code(house: House, person: Person):
    """Return what takes an authorization URL to the redirect, in a browser of its own."""

    def fetch(url: str) -> str:
        with house.browser() as browser:
            return browser.walk(browser.get(url), person)

    return fetch


def test_authlib_goes_the_whole_way(
    client: Application, confidential: Application, metadata: dict[str, Any], person: Person, fetch_code
):
    """Code + PKCE, ID token, the API, refresh, introspection, revocation."""
    session = OAuth2Client(
        client.client_id,
        client.secret or None,
        token_endpoint_auth_method="client_secret_basic" if client.secret else "none",
        scope=SCOPE,
        redirect_uri=client.redirect_uri,
        code_challenge_method="S256",
        trust_env=False,
    )
    verifier, nonce = "v" * 20 + client.client_id + "x" * 30, "nonce-1"
    url, state = session.create_authorization_url(
        metadata["authorization_endpoint"], code_verifier=verifier, nonce=nonce
    )
    assert create_s256_code_challenge(verifier) in url

    token = session.fetch_token(
        metadata["token_endpoint"], authorization_response=fetch_code(url), code_verifier=verifier, state=state
    )
    keys = KeySet.import_key_set(httpx.get(metadata["jwks_uri"], trust_env=False, timeout=60).json())
    decoded = jwt.decode(token["id_token"], keys, algorithms=["RS256", "ES256"])
    claims = CodeIDToken(
        decoded.claims,
        decoded.header,
        {"iss": {"value": metadata["issuer"]}, "aud": {"value": client.client_id}},
        {"nonce": nonce, "client_id": client.client_id, "access_token": token["access_token"]},
    )
    claims.validate()
    assert claims["sub"] == person.user_id
    assert session.get(f"{metadata['issuer']}/v1/models").status_code == 200
    assert session.get(metadata["userinfo_endpoint"]).json()["email"] == person.email

    fresh = session.refresh_token(metadata["token_endpoint"], refresh_token=token["refresh_token"])
    assert fresh["access_token"] != token["access_token"]
    assert _introspect(confidential, metadata, fresh["access_token"])["active"] is True
    revoked = session.revoke_token(metadata["revocation_endpoint"], fresh["refresh_token"], "refresh_token")
    assert revoked.status_code == 200
    assert _introspect(confidential, metadata, fresh["access_token"]) == {"active": False}


def _introspect(client: Application, metadata: dict[str, Any], token: str) -> dict[str, Any]:
    with OAuth2Client(client.client_id, client.secret, trust_env=False) as server:
        return dict(server.introspect_token(metadata["introspection_endpoint"], token).json())


def test_authlib_acts_for_itself(confidential: Application, metadata: dict[str, Any]):
    """client_credentials."""
    with OAuth2Client(confidential.client_id, confidential.secret, scope="models:read", trust_env=False) as session:
        session.fetch_token(metadata["token_endpoint"], grant_type="client_credentials")

        assert session.get(f"{metadata['issuer']}/v1/models").status_code == 200


def test_requests_oauthlib_goes_the_whole_way(
    client: Application, confidential: Application, metadata: dict[str, Any], fetch_code
):
    """Code + PKCE, the API, refresh, introspection, revocation."""
    session = OAuth2Session(client.client_id, redirect_uri=client.redirect_uri, scope=SCOPE.split(), pkce="S256")
    session.trust_env = False
    own = {"auth": (client.client_id, client.secret)} if client.secret else {"include_client_id": True}
    url, _state = session.authorization_url(metadata["authorization_endpoint"])

    token = session.fetch_token(metadata["token_endpoint"], authorization_response=fetch_code(url), **own)
    assert session.get(f"{metadata['issuer']}/v1/models", timeout=30).status_code == 200
    extra = {"auth": own["auth"]} if client.secret else {"client_id": client.client_id}
    fresh = session.refresh_token(metadata["token_endpoint"], refresh_token=token["refresh_token"], **extra)
    assert fresh["refresh_token"] != token["refresh_token"]
    assert session.get(f"{metadata['issuer']}/v1/models", timeout=30).status_code == 200

    assert _introspect(confidential, metadata, fresh["access_token"])["active"] is True
    body = {"token": fresh["refresh_token"], "client_id": client.client_id}
    with_secret = (client.client_id, client.secret) if client.secret else None
    asked: dict[str, Any] = {"data": body, "auth": with_secret, "withhold_token": True, "timeout": 30}
    revoked = session.request("POST", metadata["revocation_endpoint"], **asked)
    assert revoked.status_code == 200
    assert _introspect(confidential, metadata, fresh["access_token"]) == {"active": False}


def test_a_redirect_of_another_issuer_is_noticed(public: Application, metadata: dict[str, Any], fetch_code):
    """Rule 9: what a client compares is there: iss in the redirect is the issuer of the metadata."""
    session = OAuth2Session(public.client_id, redirect_uri=public.redirect_uri, scope=["models:read"], pkce="S256")
    url, state = session.authorization_url(metadata["authorization_endpoint"])

    redirected = httpx.URL(fetch_code(url))

    assert redirected.params["iss"] == metadata["issuer"]
    assert redirected.params["state"] == state
