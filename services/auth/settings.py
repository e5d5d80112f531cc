"""Every setting of auth, read once from variables that begin with AUTH_."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Self
from urllib.parse import urlsplit

from pydantic import AwareDatetime, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from servicekit.configuration.production import postgres_faults, redis_faults, secret_faults, tls_faults
from servicekit.settings import (
    SERVICE_CONFIG,
    GrpcSettings,
    MetricsSettings,
    Part,
    PostgresSettings,
    RedisSettings,
    TelemetrySettings,
    TlsSettings,
)
from services.auth.account_settings import (
    AccountSettings,
    AskSettings,
    ExternalSettings,
    GuessSettings,
    PasswordSettings,
    PublicSettings,
    SessionSettings,
    SmtpSettings,
)
from services.auth.domain.claims import TokenTerms
from services.auth.domain.key_hash import KeyHasher, Pepper
from services.auth.domain.tier import Tier, TierLimits
from services.auth.limit_settings import DimensionSettings, TierSettings

# HMAC-SHA256 gains nothing from more, and a shorter one could be guessed from a stolen table.
MIN_PEPPER_LENGTH = 32
MIN_TOKEN_LENGTH = 16
DAY_S = 86_400
# How far the clocks of those who verify tokens may differ from ours.
TOKEN_LEEWAY_S = 60


class KeySettings(Part):
    """How API keys are stored."""

    pepper: SecretStr = Field(min_length=MIN_PEPPER_LENGTH)
    """Secret of the HMAC under which keys are stored, at least 32 characters. Without it no key can be verified."""
    previous_peppers: SecretStr = SecretStr("")
    """Earlier peppers, separated by commas: keys stored under them still verify, and move over when they are used."""

    @field_validator("previous_peppers")
    @classmethod
    def _long_enough(cls, given: SecretStr) -> SecretStr:
        if any(len(pepper) < MIN_PEPPER_LENGTH for pepper in _split(given)):
            raise ValueError(f"each pepper must have at least {MIN_PEPPER_LENGTH} characters")
        return given

    def hasher(self) -> KeyHasher:
        """Return what hashes and recognises keys."""
        previous = tuple(Pepper.of(pepper) for pepper in _split(self.previous_peppers))
        return KeyHasher(Pepper.of(self.pepper.get_secret_value()), previous)


def _split(peppers: SecretStr) -> list[str]:
    return [pepper.strip() for pepper in peppers.get_secret_value().split(",") if pepper.strip()]


class UpkeepSettings(Part):
    """How often the service looks after itself."""

    last_use_every_s: float = Field(5.0, gt=0)
    """Seconds between two writes of when keys were last used."""
    revocation_sweep_every_s: float = Field(1.0, gt=0)
    """Seconds between two looks for revocations that the gateways have not been told."""
    revocation_keep_s: int = Field(3600, ge=60)
    """Seconds a revocation is kept for gateways that reconnect; longer than any access token lives."""
    check_every_s: float = Field(3600.0, gt=0)
    """Seconds between two checks of the audit log, of the peppers in use and of what may be forgotten."""


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
    code_ttl_s: int = Field(60, ge=1, le=600)
    """Seconds within which an authorization code must be redeemed."""
    pending_ttl_s: int = Field(900, ge=60)
    """Seconds a user has to log in and decide."""
    signing_key_secret: SecretStr = SecretStr("")
    """Encrypts the private signing keys in the database, at least 32 characters; empty: derived from the key pepper."""
    previous_signing_key_secrets: SecretStr = SecretStr("")
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

    @field_validator("signing_key_secret", "previous_signing_key_secrets")
    @classmethod
    def _long_enough(cls, given: SecretStr) -> SecretStr:
        if any(len(secret) < MIN_PEPPER_LENGTH for secret in _split(given)):
            raise ValueError(f"each secret must have at least {MIN_PEPPER_LENGTH} characters")
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

    @property
    def legacy_end(self) -> datetime | None:
        """Return when the exchange of 1.0 tokens ends; None when there is no exchange."""
        return self.legacy_jwt_until if self.legacy_jwt_secret.get_secret_value() else None

    @property
    def refresh_idle(self) -> timedelta:
        """Return how long an unused refresh token lives."""
        return timedelta(seconds=self.refresh_idle_s)

    @property
    def refresh_absolute(self) -> timedelta:
        """Return how long a grant lives."""
        return timedelta(seconds=self.refresh_absolute_s)


class AuthSettings(BaseSettings):
    """Settings of the auth service."""

    model_config = SettingsConfigDict(**SERVICE_CONFIG, env_prefix="AUTH_")

    postgres: PostgresSettings
    redis: RedisSettings
    key: KeySettings
    tier: TierSettings = TierSettings()
    keylimit: DimensionSettings = DimensionSettings()
    modellimit: DimensionSettings = DimensionSettings()
    oauth: OAuthSettings = OAuthSettings()
    accounts: AccountSettings = AccountSettings()
    public: PublicSettings = PublicSettings()
    password: PasswordSettings = PasswordSettings()
    session: SessionSettings = SessionSettings()
    guess: GuessSettings = GuessSettings()
    ask: AskSettings = AskSettings()
    smtp: SmtpSettings = SmtpSettings()
    external: ExternalSettings = ExternalSettings()
    demo: bool = False
    """Whether accounts can be seeded: for a demonstration; refused where the issuer is on the network with https."""
    outbox: bool = False
    """Whether mails in the local outbox can be read: for a demonstration; refused like `demo`."""
    upkeep: UpkeepSettings = UpkeepSettings()
    grpc: GrpcSettings = GrpcSettings()
    tls: TlsSettings = TlsSettings()
    metrics: MetricsSettings = MetricsSettings()
    telemetry: TelemetrySettings = TelemetrySettings()

    @model_validator(mode="after")
    def _revocations_outlive_tokens(self) -> Self:
        if self.upkeep.revocation_keep_s < self.oauth.access_token_ttl_s + TOKEN_LEEWAY_S:
            raise ValueError("upkeep.revocation_keep_s must exceed oauth.access_token_ttl_s by a minute")
        return self

    @model_validator(mode="after")
    def _production_is_no_demo(self) -> Self:
        if (self.demo or self.outbox) and self.oauth.issuer.startswith("https://"):
            raise ValueError("demo and outbox are not for production: the issuer is an https address")
        return self

    def production_faults(self) -> Iterator[str]:
        """Yield what production refuses."""
        yield from tls_faults("AUTH_", self.tls)
        yield from postgres_faults("AUTH_", self.postgres)
        yield from redis_faults("AUTH_", self.redis)
        yield from demonstration_faults(self)

    def signing_key_secrets(self) -> list[str]:
        """Return the secrets that encrypt signing keys, the current one first."""
        own = _split(self.oauth.signing_key_secret) + _split(self.oauth.previous_signing_key_secrets)
        # Without an own secret the pepper serves: it is used through another key derivation, see oauth/key_sealing.py.
        return [*own, self.key.pepper.get_secret_value(), *_split(self.key.previous_peppers)]

    def account_secrets(self) -> list[str]:
        """Return the secrets that encrypt what accounts keep, the current one first."""
        return self.accounts.sealing_secrets([self.key.pepper.get_secret_value(), *_split(self.key.previous_peppers)])

    @property
    def public_url(self) -> str:
        """Return the address that links in mails begin with."""
        return self.public.url or self.oauth.issuer

    def tier_limits(self) -> dict[Tier, TierLimits]:
        """Return what each tier may do: in all, with each key, on each model version."""
        return {tier: TierLimits(self.tier.of(tier), self.keylimit.of(tier), self.modellimit.of(tier)) for tier in Tier}


def demonstration_faults(settings: AuthSettings) -> Iterator[str]:
    """Yield what is only good for a demonstration of auth."""
    yield from secret_faults("AUTH_KEY_PEPPER", settings.key.pepper.get_secret_value())
    for variable, secret in (
        ("AUTH_OAUTH_SIGNING_KEY_SECRET", settings.oauth.signing_key_secret),
        ("AUTH_OAUTH_REGISTRATION_TOKEN", settings.oauth.registration_token),
        ("AUTH_ACCOUNTS_SECRET", settings.accounts.secret),
    ):
        # An empty one is not used at all, or is derived from the pepper.
        if secret.get_secret_value():
            yield from secret_faults(variable, secret.get_secret_value())
    if not settings.oauth.issuer.startswith("https://"):
        yield "AUTH_OAUTH_ISSUER: tokens and passwords would travel in plaintext; name the public https:// address"
    if not settings.smtp.host:
        yield "AUTH_SMTP_HOST: mails would go nowhere; name the mail server"
    elif settings.smtp.tls == "none":
        yield "AUTH_SMTP_TLS: mails with links to log in would be plaintext; use starttls or implicit"
    for variable, is_on in (("AUTH_DEMO", settings.demo), ("AUTH_OUTBOX", settings.outbox)):
        if is_on:
            yield f"{variable}: it is for a demonstration; set it to false"
