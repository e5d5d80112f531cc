"""What a credential may do: the closed list of scopes, and everything that is said of each.

From this table come the checks here, the metadata, the consent texts' names and the table in docs/api/oauth.md; the
gateway's needs, texts and forms are compared with it by tests/test_scopes.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from typing import Final

from servicekit.errors import invalid_parameter


class Scope(StrEnum):
    """One permission."""

    MODELS_READ = "models:read"
    COMPLETIONS_WRITE = "completions:write"
    EMBEDDINGS_WRITE = "embeddings:write"
    USAGE_READ = "usage:read"
    NOTIFICATIONS_WRITE = "notifications:write"
    KEYS_READ = "keys:read"
    KEYS_WRITE = "keys:write"
    PROFILE_READ = "profile:read"
    PROFILE_WRITE = "profile:write"
    CLIENTS_WRITE = "clients:write"
    ADMIN = "admin"
    OPENID = "openid"
    PROFILE = "profile"
    EMAIL = "email"

    @property
    def consent_text(self) -> str:
        """Return the name of the sentence by which people decide about it."""
        return f"scope.{self.value.replace(':', '_')}"


class ScopeKind(Enum):
    """What requires a scope."""

    API = auto()
    """At least one route of the API."""
    IDENTITY = auto()
    """Who the user is: ID tokens and /userinfo. It gives no right at the API."""
    OPERATOR = auto()
    """The right of an account's administrator, which only such an account hands out."""


@dataclass(frozen=True, slots=True)
class ScopeFacts:
    """The description of a scope.

    Args:
        kind: what needs it.
        allows: what the documentation says.
        is_default: whether a key gets it when its owner names nothing: what a key of release 1.0 could do.
        is_explained: whether people are asked about it; `openid` alone tells nothing of them.
    """

    kind: ScopeKind
    allows: str
    is_default: bool = False
    is_explained: bool = True


SCOPES: Final[dict[Scope, ScopeFacts]] = {
    Scope.MODELS_READ: ScopeFacts(
        ScopeKind.API, "`GET /v1/models`, `/v1/parameters`, `/v1/providers/status`", is_default=True
    ),
    Scope.COMPLETIONS_WRITE: ScopeFacts(
        ScopeKind.API,
        "`/v1/chat/completions`, `/v1/completions`, `/v1/messages`, `/v1/responses`, `/v1/tokenize`, `/v1/files`, "
        "`/v1/batches`",
        is_default=True,
    ),
    Scope.EMBEDDINGS_WRITE: ScopeFacts(ScopeKind.API, "`POST /v1/embeddings`", is_default=True),
    Scope.USAGE_READ: ScopeFacts(
        ScopeKind.API,
        "`GET /v1/generation`, `/v1/requests`, `/v1/usage`, `/v1/organization`, `/v1/budgets`, `/v1/alerts`, "
        "`/v1/webhooks`; `/v1/reports` and their schedules, ordering and deleting them, too",
        is_default=True,
    ),
    Scope.NOTIFICATIONS_WRITE: ScopeFacts(
        ScopeKind.API, "`/v1/alerts`, `/v1/webhooks`: who is told of what was spent, and where"
    ),
    Scope.KEYS_READ: ScopeFacts(ScopeKind.API, "`GET /v1/keys`, `/v1/users/me/model-names`"),
    Scope.KEYS_WRITE: ScopeFacts(
        ScopeKind.API,
        "`/v1/keys`: making, changing, rotating and revoking them, with no more rights than one's own; setting "
        "`/v1/budgets` and `/v1/users/me/model-names`",
    ),
    Scope.PROFILE_READ: ScopeFacts(ScopeKind.API, "`GET /v1/users/me`, its `/export`, `/v1/sessions`, `/v1/grants`"),
    Scope.PROFILE_WRITE: ScopeFacts(
        ScopeKind.API,
        "changing `/v1/users/me`, ending it (with the password), `/v1/sessions` and `/v1/grants`; feedback on "
        "`/v1/usage/anomalies`, decisions on `/v1/usage/recommendations`",
    ),
    Scope.CLIENTS_WRITE: ScopeFacts(ScopeKind.API, "`/v1/clients`, with no more scopes than one's own"),
    Scope.ADMIN: ScopeFacts(
        ScopeKind.OPERATOR,
        "`/v1/admin/…`, `GET /v1/usage/ledger/check`, usage of everybody; only for administrators, and never for "
        "applications that registered themselves",
    ),
    Scope.OPENID: ScopeFacts(ScopeKind.IDENTITY, "an ID token and `/userinfo`", is_explained=False),
    Scope.PROFILE: ScopeFacts(ScopeKind.IDENTITY, "name, language and time zone there"),
    Scope.EMAIL: ScopeFacts(ScopeKind.IDENTITY, "the address there"),
}
DEFAULT_KEY_SCOPES: Final = frozenset(scope for scope, facts in SCOPES.items() if facts.is_default)
IDENTITY_SCOPES: Final = frozenset(scope for scope, facts in SCOPES.items() if facts.kind is ScopeKind.IDENTITY)
OPERATOR_SCOPES: Final = frozenset(scope for scope, facts in SCOPES.items() if facts.kind is ScopeKind.OPERATOR)


def parse_scopes(names: Iterable[str]) -> frozenset[Scope]:
    """Return the scopes of these names.

    Raises:
        InvalidRequest: a name is not a scope.
    """
    try:
        return frozenset(Scope(name) for name in names)
    except ValueError as exc:
        known = ", ".join(Scope)
        raise invalid_parameter("scopes", f"Unknown scope. Known scopes: {known}.") from exc


def known_scopes(names: Iterable[str]) -> frozenset[Scope]:
    """Return the scopes of stored names; what this release does not know gives no right."""
    by_name = Scope._value2member_map_
    return frozenset(Scope(name) for name in names if name in by_name)


def in_person(*, is_admin: bool) -> frozenset[Scope]:
    """Return what people may who are logged in at a browser: what every credential of theirs could."""
    of_api = {scope for scope, facts in SCOPES.items() if facts.kind is ScopeKind.API}
    return frozenset(of_api | OPERATOR_SCOPES if is_admin else of_api)
