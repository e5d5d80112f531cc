"""Settings of people's accounts: parts of `AuthSettings`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from servicekit.configuration.secret_lists import Secrets, split_secrets
from servicekit.mail.settings import SmtpSettings
from servicekit.settings import Part
from services.auth.accounts.domain.external_identity import ProviderTerms, is_safe_address
from services.auth.accounts.domain.guessing import Dimension, Pause
from services.auth.accounts.domain.login_session import SessionTerms


class AccountSettings(Part):
    """Encryption of account secrets, and retention of login attempts."""

    secret: Secrets = SecretStr("")
    """Encrypts the secrets of second factors, at least 32 characters; empty: derived from the key pepper."""
    previous_secrets: Secrets = SecretStr("")
    """Earlier such secrets, separated by commas: what was encrypted under them can still be read."""
    attempts_keep_days: int = Field(90, ge=1)
    """Days that attempts to log in are kept."""

    def sealing_secrets(self, peppers: Iterable[str]) -> list[str]:
        """Return the secrets, the current one first; the peppers come last, for what was sealed without one."""
        return [*split_secrets(self.secret), *split_secrets(self.previous_secrets), *peppers]


class PublicSettings(Part):
    """Public addresses of this installation."""

    url: str = ""
    """Address of the gateway for links in mails, such as https://llm.example.ru; empty: the OAuth issuer."""


class PasswordSettings(Part):
    """How passwords are hashed; the defaults are OWASP's floor for argon2id."""

    memory_kib: int = Field(19_456, ge=8)
    """KiB of memory for one hash."""
    passes: int = Field(2, ge=1)
    """Passes over the memory."""
    lanes: int = Field(1, ge=1)
    """Lanes computed in parallel."""
    parallel: int = Field(4, ge=1)
    """Hashes computed at the same time."""
    queue: int = Field(32, ge=0)
    """Hashes that may wait; who comes then is told to try again."""
    min_length: int = Field(8, ge=8)
    """Characters a password must have."""
    max_length: int = Field(256, ge=128)
    """Characters a password may have."""


class SessionSettings(Part):
    """How long a login lasts."""

    idle_s: int = Field(12 * 3600, ge=60)
    """Seconds after which a session that is not used is over."""
    absolute_s: int = Field(14 * 86_400, ge=60)
    """Seconds after which a session is over, however busy it is."""

    def terms(self) -> SessionTerms:
        """Return the terms."""
        return SessionTerms(timedelta(seconds=self.idle_s), timedelta(seconds=self.absolute_s))


class GuessSettings(Part):
    """Limits on guessing passwords: after a number of failures, each further one doubles the pause."""

    pair_free: int = Field(5, ge=1)
    """Failures at one account from one address before the first pause."""
    pair_first_s: float = Field(10.0, gt=0)
    """Seconds of the first pause."""
    pair_longest_s: float = Field(900.0, gt=0)
    """Seconds of the longest pause."""
    account_free: int = Field(10, ge=1)
    """Failures at one account from anywhere; addresses it logs in from are not refused for these."""
    account_first_s: float = Field(1.0, gt=0)
    """Seconds of the first pause."""
    account_longest_s: float = Field(60.0, gt=0)
    """Seconds of the longest pause."""
    ip_free: int = Field(50, ge=1)
    """Failures from one address at any account."""
    ip_first_s: float = Field(10.0, gt=0)
    """Seconds of the first pause."""
    ip_longest_s: float = Field(900.0, gt=0)
    """Seconds of the longest pause."""
    network_free: int = Field(200, ge=1)
    """Failures from one /24 (IPv6: /48)."""
    network_first_s: float = Field(10.0, gt=0)
    """Seconds of the first pause."""
    network_longest_s: float = Field(900.0, gt=0)
    """Seconds of the longest pause."""
    window_s: float = Field(900.0, gt=0)
    """Seconds after the last failure, and its pause, until failures are forgotten."""
    known_days: int = Field(90, ge=1)
    """Days for which an address stays known to an account that logged in from it."""

    def pauses(self) -> dict[Dimension, Pause]:
        """Return the pauses of each dimension."""
        return {
            dimension: Pause(
                getattr(self, f"{dimension}_free"),
                getattr(self, f"{dimension}_first_s"),
                getattr(self, f"{dimension}_longest_s"),
            )
            for dimension in Dimension
        }


class AskSettings(GuessSettings):
    """Limits on requesting mails (registration, reset, new address), by the same rules."""

    pair_free: int = Field(5, ge=1)
    pair_first_s: float = Field(60.0, gt=0)
    account_free: int = Field(5, ge=1)
    account_first_s: float = Field(60.0, gt=0)
    account_longest_s: float = Field(900.0, gt=0)
    window_s: float = Field(3600.0, gt=0)


class ExternalProvider(Part):
    """An OpenID provider that people may log in through."""

    id: str = Field(pattern=r"^[a-z0-9_-]{1,32}$")
    """Short name in addresses."""
    name: str = Field(min_length=1, max_length=64)
    """What people read on the button."""
    client_id: str = Field(min_length=1)
    """Who we are there."""
    client_secret: SecretStr
    """How we prove it."""
    issuer: str = ""
    """OpenID issuer, whose endpoints are discovered; empty where there is none (Yandex ID): then name the endpoints."""
    authorize_url: str = ""
    """Authorization endpoint, where there is no discovery."""
    token_url: str = ""
    """Token endpoint."""
    userinfo_url: str = ""
    """Endpoint that says who it is."""
    jwks_url: str = ""
    """Public keys of ID tokens."""
    scopes: tuple[str, ...] = ("openid", "email", "profile")
    """What to ask for."""
    verifies_emails: bool = False
    """It vouches for every address it tells, though it does not say `email_verified`."""
    auth_method: Literal["client_secret_basic", "client_secret_post"] = "client_secret_basic"
    """How the secret is sent."""

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if not self.issuer and not (self.authorize_url and self.token_url and self.userinfo_url):
            raise ValueError("needs an issuer, or authorize_url, token_url and userinfo_url")
        if self.issuer and self.authorize_url and not self.jwks_url:
            raise ValueError("an issuer without discovery needs jwks_url")
        for url in (self.issuer, self.authorize_url, self.token_url, self.userinfo_url, self.jwks_url):
            if url and not is_safe_address(url, local=True):
                raise ValueError("every address must begin with https")
        return self

    def terms(self) -> ProviderTerms:
        """Return the terms."""
        return ProviderTerms(**self.model_dump() | {"client_secret": self.client_secret.get_secret_value()})


class ExternalSettings(Part):
    """Other OpenID providers."""

    providers: tuple[ExternalProvider, ...] = ()
    """JSON list of providers: id, name, client_id, client_secret, issuer or endpoints, scopes, verifies_emails."""

    @field_validator("providers")
    @classmethod
    def _differ(cls, given: tuple[ExternalProvider, ...]) -> tuple[ExternalProvider, ...]:
        if len({provider.id for provider in given}) != len(given):
            raise ValueError("two providers have one id")
        return given


@dataclass(frozen=True, slots=True)
class AccountOptions:
    """All settings of accounts.

    Args:
        public_url: the address that links in mails begin with.
        sealing_secrets: what the secrets of second factors are encrypted under, the current one first.
        may_seed: whether accounts can be seeded.
        may_read_outbox: whether mails in the local outbox can be read.
        forget_every_s: seconds between two deletions of what has had its time.
    """

    accounts: AccountSettings
    password: PasswordSettings
    session: SessionSettings
    guess: GuessSettings
    ask: AskSettings
    smtp: SmtpSettings
    external: ExternalSettings
    public_url: str
    sealing_secrets: Sequence[str] = field(repr=False)
    may_seed: bool
    may_read_outbox: bool
    forget_every_s: float
