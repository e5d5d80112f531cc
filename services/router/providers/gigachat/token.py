"""GigaChat access tokens: 30 minutes, OAuth with a ready-made Basic key, at most ten calls a second."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Final
from uuid import UUID

import msgspec
from yarl import URL

from servicekit.clock import Clock
from servicekit.errors import ServiceError
from services.router.providers import failures
from services.router.providers.gigachat.settings import GigaChatSettings
from services.router.providers.transport.access_token import EARLY_S, AccessToken, SharedToken, SingleFlight, TokenShare
from services.router.providers.transport.credentials import BearerTokens, Credentials, NoCredentials
from services.router.providers.transport.http import HttpClient, Reply

# The documentation's sample shows seconds, the service sends milliseconds; no second of this era is that large.
FIRST_MILLISECOND: Final = 1e12


class _Issued(msgspec.Struct):
    access_token: str
    expires_at: float


def credentials_of(
    settings: GigaChatSettings,
    http: HttpClient,
    tls: ssl.SSLContext | bool,
    share: TokenShare,
    clock: Clock,
    new_id: Callable[[], UUID],
) -> Credentials:
    """Return the current token's header: got once for all coroutines and all replicas."""
    # A newline copied with the key would show the key in a header error.
    key = "".join(settings.credentials.get_secret_value().split())
    if not key:
        return NoCredentials("GigaChat")
    issuer = TokenIssuer(key, settings, http, tls, new_id, clock)
    shared = SharedToken(issuer.issue, share, clock, provider="gigachat", secret=f"{settings.scope}\0{key}")
    return BearerTokens(SingleFlight(shared.fetch, clock))


class TokenIssuer:
    """Asks the token service."""

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
            raise oauth_error(reply, self._clock)
        try:
            issued = msgspec.json.decode(reply.body, type=_Issued)
        except (msgspec.DecodeError, UnicodeDecodeError) as exc:
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


def oauth_error(reply: Reply, clock: Clock) -> ServiceError:
    """Return the error of the token service: its 400 and 401 are about our key or scope, not about the request."""
    wish = failures.retry_after(reply.headers.get("Retry-After"), clock)
    if reply.status == 429:
        return failures.rate_limited(wish, limit="rate")
    if reply.status >= 500:
        return failures.unavailable(wish)
    return failures.refused_us("The provider's token service refused the credentials or the scope.")
