"""GigaChat's authentication: 30-minute tokens for a key or a password, or a client certificate."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Awaitable, Callable
from typing import Final
from uuid import UUID

import msgspec
from yarl import URL

from servicekit.clock import Clock
from services.router.providers import failures
from services.router.providers.gigachat.settings import ACCESS, GigaChatSettings
from services.router.providers.transport.access_token import EARLY_S, AccessToken, SharedToken, SingleFlight, TokenShare
from services.router.providers.transport.credentials import BearerTokens, Credentials, FixedHeader, NoCredentials
from services.router.providers.transport.http import HttpClient
from services.router.providers.transport.tls import ClientCertificate

# The documentation's sample shows seconds, the service sends milliseconds; no second of this era is that large.
FIRST_MILLISECOND: Final = 1e12
REFUSED: Final = "The provider's token service refused the credentials or the scope."


class _Issued(msgspec.Struct):
    access_token: str
    expires_at: float


class _IssuedByPassword(msgspec.Struct):
    tok: str
    exp: float


def credentials_of(
    settings: GigaChatSettings,
    http: HttpClient,
    tls: ssl.SSLContext | bool,
    share: TokenShare,
    clock: Clock,
    new_id: Callable[[], UUID],
) -> Credentials:
    """Return what is configured; the emulator's demo key counts only when nothing else is.

    A token is got once for all coroutines and all replicas.
    """
    # A newline copied with the key would show the key in a header error.
    key = "".join(settings.credentials.get_secret_value().split())
    is_demo = key == ACCESS.emulated["credentials"]
    if settings.user and (not key or is_demo):
        basic = base64.b64encode(f"{settings.user}:{settings.password.get_secret_value()}".encode()).decode()
        by_password = PasswordIssuer(basic, settings, http, tls, clock)
        return _bearer(by_password.issue, share, clock, secret=f"{settings.base_url}\0{basic}")
    if settings.cert_file is not None and (not key or is_demo):
        # The connection itself says who we are.
        return FixedHeader("")
    if not key:
        return NoCredentials("GigaChat")
    issuer = TokenIssuer(key, settings, http, tls, new_id, clock)
    return _bearer(issuer.issue, share, clock, secret=f"{settings.scope}\0{key}")


def _bearer(
    issue: Callable[[], Awaitable[AccessToken]], share: TokenShare, clock: Clock, *, secret: str
) -> Credentials:
    shared = SharedToken(issue, share, clock, provider="gigachat", secret=secret)
    return BearerTokens(SingleFlight(shared.fetch, clock, provider="gigachat"))


def certificate_of(settings: GigaChatSettings) -> ClientCertificate | None:
    """Return the certificate by which the provider may know us."""
    if settings.cert_file is None or settings.key_file is None:
        return None
    return ClientCertificate(settings.cert_file, settings.key_file, settings.key_file_password.get_secret_value())


class PasswordIssuer:
    """Fetches tokens from the API itself, with user and password: the older way."""

    def __init__(
        self, basic: str, settings: GigaChatSettings, http: HttpClient, tls: ssl.SSLContext | bool, clock: Clock
    ) -> None:
        self._basic = basic
        self._url = URL(f"{settings.base_url.rstrip('/')}/token")
        self._http = http
        self._tls = tls
        self._clock = clock

    async def issue(self) -> AccessToken:
        """Return a new token.

        Raises:
            ServiceError: the service gave none.
        """
        headers = {"Authorization": f"Basic {self._basic}", "Accept": "application/json"}
        reply = await self._http.post_briefly(self._url, b"", headers, self._tls)
        if not reply.ok:
            raise failures.no_token(reply.status, reply.headers, self._clock, REFUSED)
        try:
            issued = msgspec.json.decode(reply.body, type=_IssuedByPassword)
        except failures.UNREADABLE as exc:
            raise failures.broken("The provider's token service spoke nonsense.") from exc
        return AccessToken(issued.tok, unix_seconds(issued.exp) - EARLY_S)


class TokenIssuer:
    """Fetches tokens from the token service."""

    def __init__(
        self,
        key: str,
        settings: GigaChatSettings,
        http: HttpClient,
        tls: ssl.SSLContext | bool,
        new_id: Callable[[], UUID],
        clock: Clock,
    ) -> None:
        self._key = key
        self._clock = clock
        self._scope = settings.scope
        self._url = URL(settings.auth_url)
        self._http = http
        self._tls = tls
        self._new_id = new_id

    async def issue(self) -> AccessToken:
        """Return a new token.

        Raises:
            ServiceError: the service gave none.
        """
        reply = await self._http.post_briefly(self._url, f"scope={self._scope}".encode(), self._headers(), self._tls)
        if not reply.ok:
            raise failures.no_token(reply.status, reply.headers, self._clock, REFUSED)
        try:
            issued = msgspec.json.decode(reply.body, type=_Issued)
        except failures.UNREADABLE as exc:
            raise failures.broken("The provider's token service spoke nonsense.") from exc
        return AccessToken(issued.access_token, unix_seconds(issued.expires_at) - EARLY_S)

    def _headers(self) -> dict[str, str]:
        return {
            "Authorization": f"Basic {self._key}",
            "RqUID": str(self._new_id()),
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        }


def unix_seconds(expires_at: float) -> float:
    """Return `expires_at` in seconds, whichever unit it came in."""
    return expires_at / 1000 if expires_at >= FIRST_MILLISECOND else expires_at
