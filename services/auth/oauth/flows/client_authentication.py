"""Client authentication: exactly one method for each request (RFC 6749 2.3)."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_plus

from services.auth.oauth.clients import Clients
from services.auth.oauth.domain.client import AuthMethod, Client
from services.auth.oauth.domain.params import Params
from services.auth.oauth.domain.refusal import OAuthError, OAuthRefusal, invalid_request
from services.auth.oauth.flows.client_limit import ClientLimit

MAX_HEADER_LENGTH: Final = 4096
# One sentence for unknown clients and wrong secrets.
NOT_AUTHENTICATED: Final = "The client could not be authenticated."


@dataclass(frozen=True, slots=True)
class _Credentials:
    client_id: str
    secret: str | None
    method: AuthMethod


class ClientAuthenticator:
    """Authenticates clients at the token, revocation, introspection and device endpoints."""

    def __init__(self, clients: Clients, limit: ClientLimit) -> None:
        self._clients = clients
        self._limit = limit

    async def authenticate(self, params: Params, authorization: str) -> Client:
        """Return who asks; a public client only says so.

        Raises:
            OAuthRefusal: invalid_client (401 with a challenge when the header was tried), invalid_request (two ways),
                temporarily_unavailable (it asks too much).
        """
        given = _credentials(params, authorization)
        client = await self._clients.find(given.client_id)
        # Compared for unknown clients too: they take the same steps.
        genuine = self._clients.is_secret_of(client, given.secret or "")
        if client is None or given.method not in client.auth_methods:
            raise _refused(given)
        if client.is_confidential and not genuine:
            raise _refused(given)
        # Only now: whoever guesses at its secret uses up nothing of the client's.
        await self._limit.count(client)
        return client

    async def stand_in(self, client_id: str) -> Client | None:
        """Return the client that stands for callers who have none; each address is counted like a client.

        Raises:
            OAuthRefusal: temporarily_unavailable (it asks too much).
        """
        client = await self._clients.find(client_id)
        if client is not None:
            await self._limit.count(client)
        return client

    async def authenticate_confidential(self, params: Params, authorization: str) -> Client:
        """Return who asks and has proved it.

        Raises:
            OAuthRefusal: invalid_client, always 401: here no authentication is none at all (RFC 7662 2.1).
        """
        try:
            client = await self.authenticate(params, authorization)
        except OAuthRefusal as refusal:
            if refusal.error is OAuthError.INVALID_CLIENT:
                raise _unauthorized() from refusal
            raise
        if not client.is_confidential:
            raise _unauthorized()
        return client


def _credentials(params: Params, authorization: str) -> _Credentials:
    if params.get("client_assertion") or params.get("client_assertion_type"):
        raise OAuthRefusal(OAuthError.INVALID_CLIENT, "Client assertions are not supported.", http_status=401)
    in_body, secret = params.get("client_id"), params.get("client_secret")
    if authorization:
        basic = _read_basic(authorization)
        if secret is not None:
            raise invalid_request("Use one client authentication method, not two.")
        if in_body is not None and in_body != basic.client_id:
            raise invalid_request("The client_id is not that of the Authorization header.")
        return basic
    if in_body is None:
        raise OAuthRefusal(OAuthError.INVALID_CLIENT, "The client_id is missing.", http_status=401)
    return _Credentials(in_body, secret, AuthMethod.NONE if secret is None else AuthMethod.POST)


def _read_basic(authorization: str) -> _Credentials:
    scheme, _, encoded = authorization.partition(" ")
    try:
        if scheme.lower() != "basic" or len(authorization) > MAX_HEADER_LENGTH:
            raise ValueError("not Basic")
        decoded = base64.b64decode(encoded.strip(), validate=True).decode()
        client_id, colon, secret = decoded.partition(":")
        if not colon:
            raise ValueError("no colon")
        # RFC 6749 2.3.1: each half is form-urlencoded before the two are joined.
        return _Credentials(
            unquote_plus(client_id, errors="strict"), unquote_plus(secret, errors="strict"), AuthMethod.BASIC
        )
    except (ValueError, binascii.Error) as exc:
        raise OAuthRefusal(
            OAuthError.INVALID_CLIENT,
            "The Authorization header is malformed.",
            http_status=401,
            challenge_basic=True,
        ) from exc


def _refused(given: _Credentials) -> OAuthRefusal:
    tried_header = given.method is AuthMethod.BASIC
    return OAuthRefusal(OAuthError.INVALID_CLIENT, NOT_AUTHENTICATED, http_status=401, challenge_basic=tried_header)


def _unauthorized() -> OAuthRefusal:
    return OAuthRefusal(OAuthError.INVALID_CLIENT, NOT_AUTHENTICATED, http_status=401, challenge_basic=True)
