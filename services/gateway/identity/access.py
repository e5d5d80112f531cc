"""What a route may need, and the table in which the rooms' routes say what they do need."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from starlette.routing import BaseRoute, Route

from servicekit.errors import ErrorReason, PermissionDenied, Unauthenticated
from services.gateway.clients.caller import Caller
from services.gateway.clients.catalog import Model


class Scope(StrEnum):
    """What a credential may do."""

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


class Open(StrEnum):
    """Routes that need less than a scope."""

    EVERYONE = "everyone"
    ANY_CREDENTIAL = "any credential"


@dataclass(frozen=True, slots=True)
class Proven:
    """A scope, and of a person in a session also a recent proof of who they are: an unattended screen has none."""

    scope: Scope


Need = Scope | Open | Proven

# "/path" or "GET /path" (where reading and changing are two things) -> what a route needs. Each room has its own.
Needs = Mapping[str, Need]


class AccessTable:
    """What every route needs. Deny by default: a route without a row stops the start."""

    def __init__(self, *rooms: Needs) -> None:
        """Join what the rooms declare.

        Raises:
            ValueError: two of them speak of one route.
        """
        self._needs: dict[str, Need] = {}
        for needs in rooms:
            twice = needs.keys() & self._needs.keys()
            if twice:
                raise ValueError(f"what {sorted(twice)} need is said twice")
            self._needs.update(needs)

    def need_of(self, method: str, path: str) -> Need:
        """Return what a method on a route's path needs.

        Raises:
            KeyError: no room has a row.
        """
        need = self._needs.get(path)
        return self._needs[_row(method, path)] if need is None else need

    def check_every_route(self, routes: Iterable[BaseRoute]) -> None:
        """Stop the start when a route has no row.

        Raises:
            RuntimeError: names the route.
        """
        for route in routes:
            path = route.path if isinstance(route, Route) else None
            if path is None or not self._covers(path, (route.methods if isinstance(route, Route) else None) or {""}):
                raise RuntimeError(f"no room says what the route {path or route!r} needs")

    def _covers(self, path: str, methods: Collection[str]) -> bool:
        return path in self._needs or {_row(method, path) for method in methods} <= self._needs.keys()


def _row(method: str, path: str) -> str:
    return f"{'GET' if method == 'HEAD' else method} {path}"


def scope_of(need: Need) -> Scope | None:
    """Return the scope that a route needs, if it needs one."""
    return need.scope if isinstance(need, Proven) else need if isinstance(need, Scope) else None


def check_scope(caller: Caller, need: Need) -> None:
    """Refuse a caller without the scope.

    Raises:
        PermissionDenied: the scope is missing; it is named.
    """
    scope = scope_of(need)
    if scope is not None and scope not in caller.scopes:
        raise PermissionDenied(
            ErrorReason.INSUFFICIENT_SCOPE,
            f"This credential lacks the scope `{scope.value}`.",
            details={"required_scope": scope.value},
        )


def check_proof(caller: Caller, need: Need) -> None:
    """Refuse a person in a session who has to prove once more who they are.

    Raises:
        Unauthenticated: INVALID_CREDENTIALS, as auth says it of what it looks after itself.
    """
    if isinstance(need, Proven) and not caller.is_fresh:
        raise Unauthenticated(ErrorReason.INVALID_CREDENTIALS, "Log in again to do this.", param="session_id")


def may_use(caller: Caller, model: Model) -> bool:
    """Tell whether the credential lists the model, by its id or by an alias, or lists none."""
    return not caller.models or model.id in caller.models or not caller.models.isdisjoint(model.aliases)


def check_model(caller: Caller, model: Model) -> None:
    """Refuse a model that the credential does not list.

    Raises:
        PermissionDenied: the model is not on the list.
    """
    if not may_use(caller, model):
        raise PermissionDenied(
            ErrorReason.MODEL_NOT_ALLOWED, f"This credential may not use the model `{model.id}`.", param="model"
        )
