"""A client of an external OpenID provider: where to redirect the browser, and whose code came back."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import httpx
import structlog
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from servicekit.clock import Clock
from servicekit.errors import ErrorReason, ProviderFailed
from services.auth.accounts.domain.external_identity import ExternalIdentity, ProviderTerms
from services.auth.accounts.login.bounded_answers import UNPACKED, bounded

log = structlog.get_logger()

# Asymmetric only: a provider's public key is no secret, so no HMAC is checked with it; and never "none".
ALGORITHMS: Final = ("RS256", "PS256", "ES256", "EdDSA")
TIMEOUT_S: Final = 10.0
LEEWAY_S: Final = 60
# How long what a provider says of itself is believed; its keys are read anew when one is not known.
METADATA_S: Final = 3600.0
KEYS_AGAIN_S: Final = 60.0
_HOOKS: Final = {"response": [bounded]}
# Authlib talks by httpx2 where that is installed, else by httpx: their errors are relatives in name only.
_BASES: Final = {base.__name__: base.__module__.partition(".")[0] for base in AsyncOAuth2Client.__mro__}
HTTP_ERRORS: Final[tuple[type[Exception], ...]] = (httpx.HTTPError, sys.modules[_BASES["AsyncClient"]].HTTPError)
NOT_CONFIRMED: Final[tuple[type[Exception], ...]] = (
    *(*HTTP_ERRORS, AuthlibBaseError, JoseError),
    *(ValueError, KeyError, TypeError, TimeoutError),
)


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The endpoints of a provider. Without an issuer there is no ID token, and userinfo identifies the user."""

    authorize: str
    token: str
    userinfo: str
    jwks: str

    @property
    def named(self) -> tuple[str, ...]:
        """Return the addresses that there are: not every provider has userinfo."""
        return (self.authorize, self.token, self.jwks, *filter(None, (self.userinfo,)))


class OpenIdProvider:
    """One provider."""

    def __init__(self, terms: ProviderTerms, *, clock: Clock) -> None:
        self.terms = terms
        self._clock = clock
        self._reading = asyncio.Lock()
        self._endpoints: tuple[float, Endpoints] | None = None
        self._keys: tuple[float, KeySet] | None = None

    async def authorize_url(self, *, redirect_uri: str, state: str, nonce: str, verifier: str) -> str:
        """Return where the browser goes.

        Raises:
            ProviderFailed: the provider does not say where.
        """
        endpoints = await self._find_endpoints()
        async with self._client(redirect_uri) as client:
            more = {"nonce": nonce} if self.terms.issuer else {}
            url, _ = client.create_authorization_url(endpoints.authorize, state=state, code_verifier=verifier, **more)
        return str(url)

    async def identify(self, *, code: str, redirect_uri: str, nonce: str, verifier: str) -> ExternalIdentity:
        """Redeem the code and return whose it is.

        Raises:
            ProviderFailed: the provider refused, could not be reached, or said something that does not hold.
        """
        endpoints = await self._find_endpoints()
        try:
            async with asyncio.timeout(2 * TIMEOUT_S), self._client(redirect_uri) as client:
                token = await client.fetch_token(
                    endpoints.token, grant_type="authorization_code", code=code, code_verifier=verifier
                )
                claims = await self._claims(client, endpoints, token, nonce)
        except NOT_CONFIRMED as exc:
            raise self._failed(exc) from exc
        return self._identity(claims)

    async def _claims(
        self, client: AsyncOAuth2Client, endpoints: Endpoints, token: Mapping[str, Any], nonce: str
    ) -> Mapping[str, Any]:
        if not self.terms.issuer:
            return await _get_json(client, endpoints.userinfo)
        claims = await self._check_id_token(endpoints, str(token["id_token"]), token, nonce)
        if "email" not in claims and endpoints.userinfo:
            told = await _get_json(client, endpoints.userinfo)
            # OpenID Connect Core 5.3.2: an answer about somebody else must not be used.
            if told.get("sub") != claims["sub"]:
                raise ValueError("userinfo is about somebody else")
            claims = {**told, **claims}
        return claims

    async def _check_id_token(
        self, endpoints: Endpoints, id_token: str, token: Mapping[str, Any], nonce: str
    ) -> dict[str, Any]:
        try:
            decoded = jwt.decode(id_token, await self._key_set(endpoints), algorithms=list(ALGORITHMS))
        except JoseError:
            # Perhaps signed with a key that is newer than our copy.
            decoded = jwt.decode(
                id_token, await self._key_set(endpoints, older_than_s=KEYS_AGAIN_S), algorithms=list(ALGORITHMS)
            )
        wanted = {
            "iss": {"essential": True, "values": [self.terms.issuer]},
            "aud": {"essential": True, "value": self.terms.client_id},
            "nonce": {"essential": True, "value": nonce},
            "sub": {"essential": True},
            "exp": {"essential": True},
            "iat": {"essential": True},
        }
        params = {"nonce": nonce, "client_id": self.terms.client_id, "access_token": token.get("access_token")}
        claims = CodeIDToken(decoded.claims, decoded.header, options=wanted, params=params)
        claims.validate(now=int(self._clock.now().timestamp()), leeway=LEEWAY_S)
        return dict(decoded.claims)

    async def _find_endpoints(self) -> Endpoints:
        async with self._reading:
            now = self._clock.monotonic()
            if self._endpoints is None or now - self._endpoints[0] > METADATA_S:
                try:
                    self._endpoints = (now, await self._read_endpoints())
                except NOT_CONFIRMED as exc:
                    raise self._failed(exc) from exc
            return self._endpoints[1]

    async def _read_endpoints(self) -> Endpoints:
        terms = self.terms
        if terms.authorize_url and terms.token_url:
            return Endpoints(terms.authorize_url, terms.token_url, terms.userinfo_url, terms.jwks_url)
        async with _http() as client:
            metadata = await _get_json(client, f"{terms.issuer.rstrip('/')}/.well-known/openid-configuration")
        if metadata["issuer"] != terms.issuer:
            raise ValueError("the issuer names another issuer")
        found = Endpoints(
            str(metadata["authorization_endpoint"]),
            str(metadata["token_endpoint"]),
            str(metadata.get("userinfo_endpoint", "")),
            str(metadata["jwks_uri"]),
        )
        # What the operator names is looked at when we start; this is looked at no later.
        if not all(terms.trusts(url) for url in found.named):
            raise ValueError("an address is not one of https")
        return found

    async def _key_set(self, endpoints: Endpoints, older_than_s: float = METADATA_S) -> KeySet:
        now = self._clock.monotonic()
        if self._keys is None or now - self._keys[0] >= older_than_s:
            async with _http() as client:
                self._keys = (now, KeySet.import_key_set(await _get_json(client, endpoints.jwks)))  # type: ignore[arg-type]
        return self._keys[1]

    @asynccontextmanager
    async def _client(self, redirect_uri: str) -> AsyncIterator[AsyncOAuth2Client]:
        terms = self.terms
        async with AsyncOAuth2Client(
            client_id=terms.client_id,
            client_secret=terms.client_secret,
            scope=" ".join(terms.scopes),
            redirect_uri=redirect_uri,
            code_challenge_method="S256",
            token_endpoint_auth_method=terms.auth_method,
            timeout=TIMEOUT_S,
            headers=UNPACKED,
            event_hooks=_HOOKS,
            follow_redirects=False,
            # Used at once or never: a short life is no reason to call it over.
            leeway=0,
        ) as client:
            yield client

    def _identity(self, claims: Mapping[str, Any]) -> ExternalIdentity:
        subject = str(claims.get("sub") or claims.get("id") or "")
        if not 1 <= len(subject) <= 255 or not subject.isprintable():
            raise self._failed(ValueError("no subject"))
        email = str(claims.get("email") or claims.get("default_email") or "")
        verified = claims.get("email_verified") is True or self.terms.verifies_emails
        name = str(claims.get("name") or claims.get("real_name") or claims.get("display_name") or "")
        return ExternalIdentity(self.terms.identity_issuer, subject, email, verified and bool(email), name[:100])

    def _failed(self, exc: BaseException) -> ProviderFailed:
        # The type only: messages of HTTP clients carry addresses with codes in them.
        log.warning("auth.external_provider_failed", provider=self.terms.id, cause=type(exc).__name__)
        return ProviderFailed(ErrorReason.PROVIDER_ERROR, "The login provider did not confirm who you are. Try again.")


@asynccontextmanager
async def _http() -> AsyncIterator[httpx.AsyncClient]:
    # In all, too: a provider that sends a byte now and then would hold everybody's logins.
    async with (
        asyncio.timeout(TIMEOUT_S),
        httpx.AsyncClient(timeout=TIMEOUT_S, headers=UNPACKED, event_hooks=_HOOKS, follow_redirects=False) as client,
    ):
        yield client


async def _get_json(client: Any, url: str) -> dict[str, Any]:
    response = await client.get(url)
    response.raise_for_status()
    told = response.json()
    if not isinstance(told, dict):
        raise TypeError("the answer is no object")
    return told
