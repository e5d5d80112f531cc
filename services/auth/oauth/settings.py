"""Settings of the authorization server: a part of `AuthSettings`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Self
from urllib.parse import urlsplit

from pydantic import AwareDatetime, Field, SecretStr, field_validator, model_validator

from servicekit.configuration.secret_lists import Secrets, split_secrets
from servicekit.settings import Part
from services.auth.oauth.domain.claims import TokenTerms

MIN_TOKEN_LENGTH = 16
DAY_S = 86_400
# How far the clocks of those who verify tokens may differ from ours.
TOKEN_LEEWAY_S = 60
LONGEST_GRACE_S = 60
LONGEST_GRACE = timedelta(seconds=LONGEST_GRACE_S)


class OAuthSettings(Part):
    """The authorization server."""

    issuer: str = "http://127.0.0.1:8080"
    """The public address of the gateway, without a slash at the end: who issues tokens, and where its endpoints are."""
    audience: str = ""
    """What access tokens are for (`aud`); empty: the issuer."""
    access_token_ttl_s: int = Field(900, ge=30, le=3600)
    """Seconds an access token lives."""
    refresh_idle_s: int = Field(30 * DAY_S, ge=60)
    """Seconds after which a refresh token that is not used is over."""
    refresh_absolute_s: int = Field(90 * DAY_S, ge=60)
    """Seconds after which the user must let an application in again, however busy it is."""
    refresh_grace_s: int = Field(10, ge=0, le=LONGEST_GRACE_S)
    """Seconds in which a refresh token that was used gives the same successor again: racing requests, lost answers.

    Only until that successor is used; afterwards, and later, a second use ends the grant.
    """
    code_ttl_s: int = Field(60, ge=1, le=600)
    """Seconds within which an authorization code must be redeemed."""
    pending_ttl_s: int = Field(900, ge=60)
    """Seconds a user has to log in and decide."""
    signing_key_secret: Secrets = SecretStr("")
    """Encrypts the private signing keys in the database, at least 32 characters; empty: derived from the key pepper."""
    previous_signing_key_secrets: Secrets = SecretStr("")
    """Earlier such secrets, separated by commas: keys encrypted under them still sign until they are rotated."""
    signing_key_rotate_s: int = Field(30 * DAY_S, ge=3600)
    """Seconds a signing key signs before the next one takes over."""
    jwks_max_age_s: int = Field(600, ge=60)
    """Seconds that anybody may cache the public keys: a new key is published this long before it signs."""
    registration_enabled: bool = False
    """Whether applications may register themselves (RFC 7591)."""
    registration_token: SecretStr = SecretStr("")
    """The initial access token that such a registration needs."""
    legacy_jwt_secret: SecretStr = SecretStr("")
    """The secret of release 1.0: its tokens can be exchanged for 1.1 tokens; empty: they cannot."""
    legacy_jwt_until: AwareDatetime | None = None
    """When the exchange of 1.0 tokens ends, with time zone, like 2027-06-30T00:00:00Z; needed with the secret."""
    legacy_jwt_issuer: str = ""
    """The `iss` of 1.0 tokens; empty: they have none. A token that names another issuer is refused."""
    legacy_jwt_per_minute: int = Field(60, ge=0)
    """Exchanges a minute of one user's 1.0 tokens, from wherever; 0: any number."""
    pushed_ttl_s: int = Field(90, ge=5, le=600)
    """Seconds within which a browser must come with a pushed authorization request (RFC 9126)."""
    client_requests_per_minute: int = Field(3000, ge=0)
    """Requests a minute of one application at /token, /par, /revoke, /introspect, /device_authorization; 0: any number.

    One without a secret is counted by address: anybody can call themselves by its name.
    """
    dpop_nonce_required: bool = True
    """Whether a DPoP proof needs a nonce of ours: one more round trip for a client's first, none for those after it."""
    device_code_ttl_s: int = Field(600, ge=60)
    """Seconds a user has to let a device in."""
    device_interval_s: int = Field(5, ge=1)
    """Seconds a device waits between two questions."""
    device_guesses: int = Field(10, ge=1)
    """Wrong device codes that one address, and one account, may enter before it must wait."""
    device_guess_window_s: int = Field(900, ge=60)
    """Seconds after which wrong device codes are forgotten."""

    @field_validator("issuer")
    @classmethod
    def _is_issuer(cls, given: str) -> str:
        parts = urlsplit(given)
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
            raise ValueError("must be an http or https address without query and fragment")
        if given.endswith("/"):
            raise ValueError("must not end with a slash")
        return given

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.registration_enabled and len(self.registration_token.get_secret_value()) < MIN_TOKEN_LENGTH:
            raise ValueError(f"registration needs a registration_token of at least {MIN_TOKEN_LENGTH} characters")
        if self.legacy_jwt_secret.get_secret_value() and self.legacy_jwt_until is None:
            raise ValueError("legacy_jwt_secret needs legacy_jwt_until")
        return self

    def terms(self) -> TokenTerms:
        """Return what all tokens have in common."""
        return TokenTerms(self.issuer, self.audience or self.issuer, self.access_token_ttl_s)

    def signing_secrets(self, peppers: Iterable[str]) -> list[str]:
        """Return the secrets that encrypt signing keys, the current one first; the peppers serve when there is none.

        They are used through another key derivation, see tokens/key_sealing.py.
        """
        own = split_secrets(self.signing_key_secret) + split_secrets(self.previous_signing_key_secrets)
        return [*own, *peppers]

    @property
    def legacy_end(self) -> datetime | None:
        """Return when the exchange of 1.0 tokens ends; None when there is no exchange."""
        return self.legacy_jwt_until if self.legacy_jwt_secret.get_secret_value() else None

    @property
    def refresh_idle(self) -> timedelta:
        """Return how long an unused refresh token lives."""
        return timedelta(seconds=self.refresh_idle_s)

    @property
    def refresh_grace(self) -> timedelta:
        """Return how long a used refresh token leads to its successor."""
        return timedelta(seconds=self.refresh_grace_s)

    @property
    def refresh_absolute(self) -> timedelta:
        """Return how long a grant lives."""
        return timedelta(seconds=self.refresh_absolute_s)
