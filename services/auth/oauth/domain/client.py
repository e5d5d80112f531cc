"""Applications: identity, authentication, and what they may request."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from services.auth.oauth.domain.token import digest
from services.auth.shared.domain.delegation import Powers
from services.auth.shared.domain.scope import Scope

# What a given secret is compared with when there is none: the comparison is made all the same.
NO_HASH: Final = bytes(32)
# The client of everybody who trades in a token of release 1.0; made by migration 0100.
EXCHANGE_CLIENT_ID: Final = "razvilka-exchange"
# The command line, at every gateway; made by migration 0186.
COMMAND_LINE_CLIENT_ID: Final = "razvilka-cli"
# They may be disabled, not deleted: no migration would bring them back.
BUILT_IN: Final = frozenset({EXCHANGE_CLIENT_ID, COMMAND_LINE_CLIENT_ID})


class GrantType(StrEnum):
    """How a client may get tokens."""

    AUTHORIZATION_CODE = "authorization_code"
    REFRESH_TOKEN = "refresh_token"
    CLIENT_CREDENTIALS = "client_credentials"
    DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
    TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"


class AuthMethod(StrEnum):
    """How a client authenticates."""

    NONE = "none"
    BASIC = "client_secret_basic"
    POST = "client_secret_post"


@dataclass(frozen=True, slots=True)
class Client:
    """A registered application. `auth_methods` begins with the one it registered.

    Its `makers` bound it: when one ends, it ends; `models` and `ip_allow_list` are for what it does in its own name.
    `dpop_bound`: it gets no token that is not bound to a key (RFC 9449 5.2).
    `requires_pushed`: its authorization requests come by way of /par only (RFC 9126 6).
    `previous_secret_hash`: of the secret before, which works until `previous_secret_until`.
    `is_disabled`: an administrator switched it off, or what made it, and may switch it on again.
    """

    id: str
    name: str
    owner_user_id: str | None
    secret_hash: bytes | None
    auth_methods: tuple[AuthMethod, ...]
    redirect_uris: tuple[str, ...]
    scopes: frozenset[Scope]
    grant_types: frozenset[GrantType]
    client_uri: str
    created_at: datetime
    makers: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    ip_allow_list: tuple[str, ...] = ()
    expires_at: datetime | None = None
    dpop_bound: bool = False
    requires_pushed: bool = False
    is_disabled: bool = False
    previous_secret_hash: bytes | None = None
    previous_secret_until: datetime | None = None

    @property
    def powers(self) -> Powers:
        """Return what it may do in its own name."""
        return Powers(self.scopes, self.models, self.ip_allow_list, self.expires_at)

    @property
    def is_confidential(self) -> bool:
        """Tell whether it can keep a secret."""
        return self.secret_hash is not None

    def is_expired(self, now: datetime) -> bool:
        """Tell whether its time is over."""
        return self.expires_at is not None and now >= self.expires_at

    def previous_secret_at(self, now: datetime) -> bytes | None:
        """Return the hash of the secret before while it works."""
        until = self.previous_secret_until
        return self.previous_secret_hash if until is not None and now < until else None

    def may(self, grant_type: GrantType) -> bool:
        """Tell whether it may get tokens this way."""
        return grant_type in self.grant_types

    def __repr__(self) -> str:
        return f"Client(id={self.id})"


def is_secret_of(client: Client | None, secret: str, now: datetime) -> bool:
    """Tell in constant time whether this is a secret of the client's; never for public or unknown clients."""
    given = digest(secret)
    stored = (client.secret_hash, client.previous_secret_at(now)) if client else (None, None)
    same = [hmac.compare_digest(each or NO_HASH, given) and each is not None for each in stored]
    return any(same)
