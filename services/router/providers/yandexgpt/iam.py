"""Yandex's authentication: an API key, an IAM token, or what is exchanged for one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec
from yarl import URL

from servicekit.clock import Clock
from servicekit.trust import jwt
from services.router import metrics
from services.router.providers import failures
from services.router.providers.transport.access_token import EARLY_S, AccessToken, SingleFlight
from services.router.providers.transport.credentials import (
    BearerTokens,
    Credentials,
    FixedHeader,
    NoCredentials,
)
from services.router.providers.transport.http import HttpClient
from services.router.providers.transport.tls import tls_for
from services.router.providers.yandexgpt.settings import ACCESS, YandexSettings

# Tokens live up to 12 h; the provider's documentation and SDK renew hourly.
RENEW_S: Final = 3600.0
REFUSED: Final = "The provider's token service refused the credentials."
JWT_LIFE_S: Final = 3600
METADATA_PATH: Final = "/computeMetadata/v1/instance/service-accounts/default/token"
Issue = Callable[[AccessToken | None], Awaitable[AccessToken]]


class ServiceAccountKey(msgspec.Struct):
    """An authorised key as `yc iam key create` writes it."""

    id: str
    service_account_id: str
    private_key: str


class _IamToken(msgspec.Struct):
    iamToken: str  # noqa: N815
    expiresAt: str  # noqa: N815


class _MetadataToken(msgspec.Struct):
    access_token: str
    expires_in: float


def credentials_of(settings: YandexSettings, http: HttpClient, clock: Clock) -> Credentials:
    """Return what is configured; the emulator's demo key counts only when nothing else is.

    Raises:
        SystemExit: the key's file is none.
    """
    header = _fixed_header(settings)
    if header and not _is_demo(settings):
        return FixedHeader(header)
    issue = _issuer(settings, http, clock)
    if issue is not None:
        return BearerTokens(SingleFlight(issue, clock, provider="yandexgpt"))
    return FixedHeader(header) if header else NoCredentials("YandexGPT")


def _issuer(settings: YandexSettings, http: HttpClient, clock: Clock) -> Issue | None:
    key = _read_key(settings.service_account_key_file)
    if key is not None:
        signed = SignedRequest(key, settings.iam_audience, clock)
        return TokenExchange(signed, settings, http, clock).issue
    if token := settings.oauth_token.get_secret_value().strip():
        return TokenExchange(lambda: {"yandexPassportOauthToken": token}, settings, http, clock).issue
    return MachineTokens(settings, http, clock).issue if settings.metadata else None


class SignedRequest:
    """Requests a token as a service account: a JWT signed with its key."""

    def __init__(self, key: ServiceAccountKey, audience: str, clock: Clock) -> None:
        self._key = _signing_key(key)
        self._account_id = key.service_account_id
        self._audience = audience
        self._clock = clock

    def __call__(self) -> dict[str, str]:
        """Return the body of a request that is made now."""
        issued = int(self._clock.now().timestamp())
        claims = {"iss": self._account_id, "aud": self._audience, "iat": issued, "exp": issued + JWT_LIFE_S}
        return {"jwt": jwt.sign(claims, self._key, typ="JWT")}


class TokenExchange:
    """Exchanges a service account's signature, or a person's OAuth token, for IAM tokens."""

    def __init__(
        self, request: Callable[[], dict[str, str]], settings: YandexSettings, http: HttpClient, clock: Clock
    ) -> None:
        self._request = request
        self._url = URL(settings.iam_url)
        self._tls = tls_for(settings.ca_bundle)
        self._http = http
        self._clock = clock

    async def issue(self, _: AccessToken | None) -> AccessToken:
        """Return a new token, whatever the old one was.

        Raises:
            ServiceError: the service gave none.
        """
        body = msgspec.json.encode(self._request())
        reply = await self._http.post_briefly(self._url, body, {"Content-Type": "application/json"}, self._tls)
        if not reply.ok:
            raise failures.no_token(reply.status, reply.headers, self._clock, REFUSED)
        try:
            token = msgspec.json.decode(reply.body, type=_IamToken)
            expires_at = datetime.fromisoformat(token.expiresAt).timestamp()
        except (*failures.UNREADABLE, ValueError) as exc:
            raise failures.broken("The provider's token service spoke nonsense.") from exc
        return _renewed_hourly(token.iamToken, expires_at, self._clock)


class MachineTokens:
    """Fetches the service account's token from the metadata service of the cloud VM we run on."""

    def __init__(self, settings: YandexSettings, http: HttpClient, clock: Clock) -> None:
        self._url = URL(f"http://{settings.metadata_host}{METADATA_PATH}")
        self._http = http
        self._clock = clock

    async def issue(self, _: AccessToken | None) -> AccessToken:
        """Return the machine's token; it renews itself there.

        Raises:
            ServiceError: the machine has no service account, or is none of the cloud's.
        """
        reply = await self._http.get_briefly(self._url, {"Metadata-Flavor": "Google"})
        if not reply.ok:
            raise failures.no_token(reply.status, reply.headers, self._clock, REFUSED)
        try:
            token = msgspec.json.decode(reply.body, type=_MetadataToken)
        except failures.UNREADABLE as exc:
            raise failures.broken("The machine's token service spoke nonsense.") from exc
        return _renewed_hourly(token.access_token, self._clock.now().timestamp() + token.expires_in, self._clock)


def _renewed_hourly(value: str, expires_at: float, clock: Clock) -> AccessToken:
    metrics.TOKEN_REFRESHES.labels("yandexgpt", "issued").inc()
    return AccessToken(value, min(expires_at - EARLY_S, clock.now().timestamp() + RENEW_S))


def _is_demo(settings: YandexSettings) -> bool:
    return settings.api_key.get_secret_value() == ACCESS.emulated["api_key"]


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
