"""The identity of a person at an external OpenID provider."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import urlsplit

# Where a provider may be asked in plaintext: that of a suite on one machine.
LOCAL: Final = ("127.0.0.1", "localhost")


def is_safe_address(url: str, *, local: bool) -> bool:
    """Tell whether a provider may be asked there, with a secret of ours: by https, or (`local`) on this machine."""
    try:
        scheme, host = urlsplit(url).scheme, urlsplit(url).hostname
    except ValueError:
        return False
    return bool(host) and (scheme == "https" or (local and scheme == "http" and host in LOCAL))


@dataclass(frozen=True, slots=True)
class ProviderTerms:
    """The operator's settings for a provider.

    Args:
        issuer: OpenID's issuer; empty for a provider that only speaks OAuth (Yandex ID): then all endpoints are given.
        verifies_emails: this provider vouches for every address it tells, though it does not say `email_verified`.
    """

    id: str
    name: str
    client_id: str
    client_secret: str = field(repr=False)
    issuer: str
    authorize_url: str
    token_url: str
    userinfo_url: str
    jwks_url: str
    scopes: tuple[str, ...]
    verifies_emails: bool
    auth_method: Literal["client_secret_basic", "client_secret_post"]

    def trusts(self, url: str) -> bool:
        """Tell whether an address that the provider names may be one of its own: no worse than its issuer's."""
        return is_safe_address(url, local=urlsplit(self.issuer).hostname in LOCAL)

    @property
    def identity_issuer(self) -> str:
        """Return what its identities are stored under."""
        return self.issuer or self.userinfo_url


@dataclass(frozen=True, slots=True)
class ExternalIdentity:
    """An identity: issuer and subject. Everything else may change and proves nothing."""

    issuer: str
    subject: str
    email: str
    email_verified: bool
    name: str


@dataclass(frozen=True, slots=True)
class PendingLogin:
    """A browser that was redirected to a provider and may come back once."""

    provider_id: str
    cookie_hash: str
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    redirect_uri: str
    return_to: str
