"""How Yandex is told who we are: an API key, an IAM token, or a service account's key exchanged for IAM tokens."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec
from yarl import URL

from servicekit import jwt
from servicekit.clock import Clock
from servicekit.errors import ServiceError
from services.router import metrics
from services.router.providers import failures
from services.router.providers.transport.access_token import EARLY_S, AccessToken, SingleFlight
from services.router.providers.transport.credentials import (
    BearerTokens,
    Credentials,
    FixedHeader,
    NoCredentials,
)
from services.router.providers.transport.http import HttpClient, Reply, tls_for
from services.router.providers.yandexgpt.settings import YandexSettings

# Tokens live up to 12 h; the provider's documentation and SDK renew hourly.
RENEW_S: Final = 3600.0
JWT_LIFE_S: Final = 3600


class ServiceAccountKey(msgspec.Struct):
    """An authorised key as `yc iam key create` writes it."""

    id: str
    service_account_id: str
    private_key: str


class _IamToken(msgspec.Struct):
    iamToken: str  # noqa: N815
    expiresAt: str  # noqa: N815


def credentials_of(settings: YandexSettings, http: HttpClient, clock: Clock) -> Credentials:
    """Return what is configured: an API key, an IAM token, or a key that is exchanged for IAM tokens.

    Raises:
        SystemExit: the key's file is none.
    """
    if header := _fixed_header(settings):
        return FixedHeader(header)
    key = _read_key(settings.service_account_key_file)
    if key is None:
        return NoCredentials("YandexGPT")
    return BearerTokens(SingleFlight(TokenExchange(key, settings, http, clock).issue, clock))


class TokenExchange:
    """Exchanges a service account's key for IAM tokens."""

    def __init__(self, key: ServiceAccountKey, settings: YandexSettings, http: HttpClient, clock: Clock) -> None:
        self._key = _signing_key(key)
        self._account_id = key.service_account_id
        self._audience = settings.iam_audience
        self._url = URL(settings.iam_url)
        self._tls = tls_for(settings.ca_bundle)
        self._http = http
        self._clock = clock

    async def issue(self, _: AccessToken | None) -> AccessToken:
        """Return a new token, whatever the old one was.

        Raises:
            ServiceError: the service gave none.
        """
        issued = int(self._clock.now().timestamp())
        claims = {"iss": self._account_id, "aud": self._audience, "iat": issued, "exp": issued + JWT_LIFE_S}
        signed = jwt.sign(claims, self._key, typ="JWT")
        reply = await self._http.post_briefly(
            self._url, msgspec.json.encode({"jwt": signed}), {"Content-Type": "application/json"}, self._tls
        )
        if not reply.ok:
            raise _exchange_error(reply, self._clock)
        try:
            token = msgspec.json.decode(reply.body, type=_IamToken)
            expires_at = datetime.fromisoformat(token.expiresAt).timestamp()
        except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as exc:
            raise failures.broken("The provider's token service spoke nonsense.") from exc
        metrics.TOKEN_REFRESHES.labels("yandexgpt", "issued").inc()
        return AccessToken(token.iamToken, min(expires_at - EARLY_S, self._clock.now().timestamp() + RENEW_S))


def _fixed_header(settings: YandexSettings) -> str:
    if key := settings.api_key.get_secret_value().strip():
        return f"Api-Key {key}"
    if token := settings.iam_token.get_secret_value().strip():
        return f"Bearer {token}"
    return ""


def _read_key(path: Path | None) -> ServiceAccountKey | None:
    if path is None:
        return None
    try:
        key = msgspec.json.decode(path.read_bytes(), type=ServiceAccountKey)
        _signing_key(key)
    except (OSError, ValueError, msgspec.DecodeError) as exc:
        raise SystemExit(f"ROUTER_YANDEX_SERVICE_ACCOUNT_KEY_FILE: {path} is no authorised key") from exc
    return key


def _signing_key(key: ServiceAccountKey) -> jwt.Key:
    """Return the key that signs: PS256 only, the salt as long as the hash.

    Raises:
        ValueError: it is no RSA key.
    """
    # Yandex writes a warning line above the PEM block.
    pem = key.private_key[key.private_key.find("-----BEGIN") :]
    return jwt.private_key(pem, kid=key.id, algorithm="PS256")


def _exchange_error(reply: Reply, clock: Clock) -> ServiceError:
    wish = failures.retry_after(reply.headers.get("Retry-After"), clock)
    if reply.status == 429:
        return failures.rate_limited(wish, limit="rate")
    if reply.status >= 500:
        return failures.unavailable(wish)
    return failures.refused_us("The provider's token service refused the service account's key.")
