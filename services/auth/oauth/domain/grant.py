"""What a user (or a client in its own name) allowed an application, and how long it lasts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from servicekit.errors import PermissionDenied
from services.auth.oauth.domain.client import Client
from services.auth.oauth.domain.refusal import OAuthError, OAuthRefusal, invalid_grant
from services.auth.shared.domain.budget import Budget, KeyBudget
from services.auth.shared.domain.delegation import Authority, Delegation, Made, Powers, delegate
from services.auth.shared.domain.scope import Scope

# One sentence for everything that ended: nobody learns how.
GRANT_OVER: Final = "The grant is not valid any more."


class PartyGone(Exception):
    """The client or the user no longer exists, or one is barred from the other."""


class GrantKind(StrEnum):
    """How a grant came about."""

    AUTHORIZATION_CODE = "authorization_code"
    DEVICE_CODE = "device_code"
    CLIENT_CREDENTIALS = "client_credentials"
    TOKEN_EXCHANGE = "token_exchange"


@dataclass(frozen=True, slots=True)
class Lives:
    """Lifetimes of codes, tokens and grants.

    Args:
        code: an authorization code.
        refresh_idle: an unused refresh token.
        grant: a grant, however busy it is.
        refresh_grace: a used refresh token, for who must be told its successor once more.
    """

    code: timedelta
    refresh_idle: timedelta
    grant: timedelta
    refresh_grace: timedelta


@dataclass(frozen=True, slots=True)
class Allowance:
    """What the user allowed: empty models and no budget mean no restriction."""

    scopes: frozenset[Scope]
    models: tuple[str, ...] = ()
    budget: KeyBudget | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """One authorization: the family of its refresh tokens and of all its access tokens.

    `dpop_jkt`: the key that its refresh tokens are bound to. `methods`: by which proofs its user was known (RFC 8176).
    `is_disabled`: an administrator switched it off, or its application, and may switch it on again.
    """

    id: str
    kind: GrantKind
    client_id: str
    user_id: str
    consent_id: str
    allowance: Allowance
    session_id: str | None
    authenticated_at: datetime | None
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime
    revoked_at: datetime | None = None
    ip_allow_list: tuple[str, ...] = ()
    dpop_jkt: str | None = None
    methods: tuple[str, ...] = ()
    is_disabled: bool = False

    @property
    def subject(self) -> str:
        """Return the `sub` of its tokens: the user; the client itself when it acts in its own name (RFC 9068 2.2)."""
        return self.client_id if self.kind is GrantKind.CLIENT_CREDENTIALS else self.user_id

    @property
    def budget(self) -> Budget | None:
        """Return its cap. It is counted at the consent: authorizing again without asking does not fill it up."""
        given = self.allowance.budget
        return None if given is None else Budget(f"grant:{self.consent_id}", given.period, given.limit_micro_rub)

    def is_live(self, now: datetime) -> bool:
        """Tell whether its tokens can be valid."""
        is_over = self.revoked_at is not None or (self.expires_at is not None and now >= self.expires_at)
        return not is_over and not self.is_disabled


def granted(client: Client, allowance: Allowance, *, in_its_own_name: bool, owner_is_admin: bool) -> Powers:
    """Return what a grant of this allowance may do: no more than the application, or who gives it.

    For its users an application is bounded by what they allow; in its own name by what made it.

    Raises:
        OAuthRefusal: invalid_scope.
    """
    own = client.powers
    maker = Authority(own if in_its_own_name else Powers(own.scopes, expires_at=own.expires_at))
    wanted = Powers(allowance.scopes, allowance.models)
    try:
        return delegate(Delegation(Made.GRANT, wanted, maker, owner_is_admin))
    except PermissionDenied as exc:
        raise OAuthRefusal(OAuthError.INVALID_SCOPE, exc.message) from exc


def key_to_bind(client: Client, thumbprint: str | None) -> str | None:
    """Return the key that a client's refresh tokens are bound to; a confidential one proves who it is anyway."""
    return None if client.is_confidential else thumbprint


def check_key(bound_to: str | None, thumbprint: str | None) -> None:
    """Refuse who does not hold the key that a code or refresh token is bound to.

    Raises:
        OAuthRefusal: invalid_dpop_proof: no key was shown; invalid_grant: another one.
    """
    if bound_to is None or bound_to == thumbprint:
        return
    if thumbprint is None:
        raise OAuthRefusal(OAuthError.INVALID_DPOP_PROOF, "This is bound to a key: send a DPoP proof.")
    raise invalid_grant("This is bound to another key.")


def check_refreshable(grant: Grant, wanted: frozenset[Scope] | None, now: datetime) -> frozenset[Scope]:
    """Return the scopes of the next access token.

    Raises:
        OAuthRefusal: invalid_grant: it is over; invalid_scope: more is wanted than was granted (RFC 6749 6).
    """
    if not grant.is_live(now):
        raise invalid_grant(GRANT_OVER)
    if wanted is None:
        return grant.allowance.scopes
    if not wanted <= grant.allowance.scopes:
        raise OAuthRefusal(OAuthError.INVALID_SCOPE, "A refresh can only narrow the scope.")
    return wanted
