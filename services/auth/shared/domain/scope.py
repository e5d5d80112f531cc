"""What a credential may do: the closed list of scopes."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from servicekit.errors import ErrorReason, InvalidRequest


class Scope(StrEnum):
    """One permission."""

    MODELS_READ = "models:read"
    COMPLETIONS_WRITE = "completions:write"
    EMBEDDINGS_WRITE = "embeddings:write"
    USAGE_READ = "usage:read"
    KEYS_READ = "keys:read"
    KEYS_WRITE = "keys:write"
    PROFILE_READ = "profile:read"
    PROFILE_WRITE = "profile:write"
    REPORTS_READ = "reports:read"
    BUDGETS_WRITE = "budgets:write"
    CLIENTS_WRITE = "clients:write"
    ADMIN = "admin"
    OPENID = "openid"
    PROFILE = "profile"
    EMAIL = "email"


# What a key of release 1.0 could do, and so what a key gets when its owner names nothing.
DEFAULT_KEY_SCOPES: Final = frozenset(
    {Scope.MODELS_READ, Scope.COMPLETIONS_WRITE, Scope.EMBEDDINGS_WRITE, Scope.USAGE_READ}
)

# Who the user is: for ID tokens and /userinfo. They give no right at the API.
IDENTITY_SCOPES: Final = frozenset({Scope.OPENID, Scope.PROFILE, Scope.EMAIL})


def parse_scopes(names: Iterable[str]) -> frozenset[Scope]:
    """Return the scopes of these names.

    Raises:
        InvalidRequest: a name is not a scope.
    """
    try:
        return frozenset(Scope(name) for name in names)
    except ValueError as exc:
        known = ", ".join(Scope)
        raise InvalidRequest(
            ErrorReason.INVALID_PARAMETERS, f"Unknown scope. Known scopes: {known}.", param="scopes"
        ) from exc


def known_scopes(names: Iterable[str]) -> frozenset[Scope]:
    """Return the scopes of stored names; what this release does not know gives no right."""
    by_name = Scope._value2member_map_
    return frozenset(Scope(name) for name in names if name in by_name)
