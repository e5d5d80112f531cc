"""The `scope` parameter of OAuth: names separated by blanks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from services.auth.oauth.domain.refusal import invalid_scope
from services.auth.shared.domain.account import Account
from services.auth.shared.domain.scope import DEFAULT_KEY_SCOPES, IDENTITY_SCOPES, OPERATOR_SCOPES, Scope

# OpenID Connect Core 11: asks for a refresh token, which clients get here anyway; otherwise to be ignored.
IGNORED: Final = frozenset({"offline_access"})
# A client that registered itself never gets these: nobody has looked at it.
NOT_FOR_DYNAMIC_CLIENTS: Final = OPERATOR_SCOPES


def parse_scope(given: str) -> frozenset[Scope]:
    """Return the scopes of a `scope` parameter.

    Raises:
        OAuthRefusal: invalid_scope: one is unknown.
    """
    names = frozenset(given.split(" ")) - IGNORED - {""}
    if not names <= Scope._value2member_map_.keys():
        raise invalid_scope("A scope is unknown.")
    return frozenset(Scope(name) for name in names)


def scopes_for(given: str | None, allowed: frozenset[Scope]) -> frozenset[Scope]:
    """Return what a request asks for; without a `scope` what an API key gets by default.

    Raises:
        OAuthRefusal: invalid_scope: unknown, more than the client may ask for, or nothing.
    """
    asked = parse_scope(given) if given is not None else DEFAULT_KEY_SCOPES & allowed
    if not asked <= allowed:
        raise invalid_scope("This client may not ask for one of these scopes.")
    if not asked:
        raise invalid_scope("No scope is asked for.")
    return asked


def own_scopes_for(given: str | None, allowed: frozenset[Scope]) -> frozenset[Scope]:
    """Return what a client asks for in its own name: it has no identity to tell.

    Raises:
        OAuthRefusal: invalid_scope.
    """
    return scopes_for(given, allowed - IDENTITY_SCOPES)


def still_granted(scopes: frozenset[Scope], account: Account) -> frozenset[Scope]:
    """Return what of the granted scopes this account can still give: `admin` ends with the right to it."""
    return scopes if account.is_admin else scopes - OPERATOR_SCOPES


def as_text(scopes: Iterable[Scope]) -> str:
    """Return the scopes in one order that never changes."""
    return " ".join(sorted(scopes))
