"""Which route needs what. Deny by default: a route without a row stops the start."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from starlette.routing import BaseRoute, Route

from servicekit.errors import ErrorReason, PermissionDenied
from services.gateway.clients.caller import Caller
from services.gateway.clients.catalog import Model


class Scope(StrEnum):
    """What a credential may do."""

    MODELS_READ = "models:read"
    COMPLETIONS_WRITE = "completions:write"
    EMBEDDINGS_WRITE = "embeddings:write"
    USAGE_READ = "usage:read"
    KEYS_READ = "keys:read"
    KEYS_WRITE = "keys:write"
    PROFILE_READ = "profile:read"
    PROFILE_WRITE = "profile:write"
    CLIENTS_WRITE = "clients:write"


class Open(StrEnum):
    """Routes that need less than a scope."""

    EVERYONE = "everyone"
    ANY_CREDENTIAL = "any credential"


Need = Scope | Open

CHAT: Final = "/v1/chat/completions"
COMPLETIONS: Final = "/v1/completions"
EMBEDDINGS: Final = "/v1/embeddings"

OAUTH: Final = (
    "/authorize", "/authorize/continue", "/authorize/consent", "/token", "/revoke", "/introspect", "/userinfo",
    "/register", "/device_authorization", "/device", "/device/decide",
)  # fmt: skip
WELL_KNOWN: Final = (
    "/.well-known/oauth-authorization-server", "/.well-known/openid-configuration", "/.well-known/jwks.json",
    "/oauth/.well-known/oauth-authorization-server", "/oauth/.well-known/openid-configuration",
    "/oauth/.well-known/jwks.json",
)  # fmt: skip
PAGES: Final = (
    "/login", "/login/code", "/login/external/{provider_id}", "/login/external/{provider_id}/callback", "/logout",
    "/registration", "/verify-email", "/forgot-password", "/reset-password",
    "/console", "/console/security", "/console/password", "/console/totp", "/console/totp/confirm",
    "/console/totp/disable", "/console/sessions", "/console/applications", "/console/keys", "/console/keys/revoke",
    "/console/data", "/console/export", "/console/delete", "/console/static/{name}", "/dev/outbox",
)  # fmt: skip

NEEDS: Final[dict[str, Need]] = {
    CHAT: Scope.COMPLETIONS_WRITE,
    COMPLETIONS: Scope.COMPLETIONS_WRITE,
    EMBEDDINGS: Scope.EMBEDDINGS_WRITE,
    "/v1/models": Scope.MODELS_READ,
    "/v1/models/{model_id:path}": Scope.MODELS_READ,
    "/v1/parameters/{model_id:path}": Scope.MODELS_READ,
    "/v1/generation": Scope.USAGE_READ,
    "/v1/requests/{request_id}": Scope.USAGE_READ,
    "/v1/auth/key": Open.ANY_CREDENTIAL,
    "/v1/providers/status": Scope.MODELS_READ,
    "/health": Open.EVERYONE,
    "/health/providers": Open.EVERYONE,
    "/ready": Open.EVERYONE,
    "/docs": Open.EVERYONE,
    "/openapi.json": Open.EVERYONE,
    # Management: what may be read and what may be changed are two things, so these rows name the method.
    "GET /v1/users/me": Scope.PROFILE_READ,
    "PATCH /v1/users/me": Scope.PROFILE_WRITE,
    "DELETE /v1/users/me": Scope.PROFILE_WRITE,
    "GET /v1/users/me/export": Scope.PROFILE_READ,
    "GET /v1/sessions": Scope.PROFILE_READ,
    "DELETE /v1/sessions/{session_id}": Scope.PROFILE_WRITE,
    "GET /v1/grants": Scope.PROFILE_READ,
    "DELETE /v1/grants/{grant_id}": Scope.PROFILE_WRITE,
    "GET /v1/keys": Scope.KEYS_READ,
    "POST /v1/keys": Scope.KEYS_WRITE,
    "POST /v1/keys/{key_id}/rotate": Scope.KEYS_WRITE,
    "DELETE /v1/keys/{key_id}": Scope.KEYS_WRITE,
    "GET /v1/clients": Scope.CLIENTS_WRITE,
    "POST /v1/clients": Scope.CLIENTS_WRITE,
    "DELETE /v1/clients/{client_id}": Scope.CLIENTS_WRITE,
    # The protocol authenticates its clients itself, and pages have sessions: see the rooms `oauth` and `console`.
    **dict.fromkeys((*OAUTH, *(f"/oauth{path}" for path in OAUTH), *WELL_KNOWN, *PAGES), Open.EVERYONE),
}


def need_of(method: str, path: str) -> Need:
    """Return what a method on a route's path needs.

    Raises:
        KeyError: the table has no row.
    """
    need = NEEDS.get(path)
    return NEEDS[f"{'GET' if method == 'HEAD' else method} {path}"] if need is None else need


def check_every_route(routes: Iterable[BaseRoute]) -> None:
    """Stop the start when a route has no row.

    Raises:
        RuntimeError: names the route.
    """
    for route in routes:
        path = route.path if isinstance(route, Route) else None
        methods = (route.methods if isinstance(route, Route) else None) or {""}
        if path is None or any(path not in NEEDS and f"{method} {path}" not in NEEDS for method in methods - {"HEAD"}):
            raise RuntimeError(f"route {path or route!r} has no row in services.gateway.identity.access.NEEDS")


def check_scope(caller: Caller, need: Need) -> None:
    """Refuse a caller without the scope.

    Raises:
        PermissionDenied: the scope is missing; it is named.
    """
    if isinstance(need, Scope) and need.value not in caller.scopes:
        raise PermissionDenied(
            ErrorReason.INSUFFICIENT_SCOPE,
            f"This credential lacks the scope `{need.value}`.",
            details={"required_scope": need.value},
        )


def check_model(caller: Caller, model: Model) -> None:
    """Refuse a model that the credential does not list.

    Raises:
        PermissionDenied: the model is not on the list.
    """
    if caller.models and model.id not in caller.models and caller.models.isdisjoint(model.aliases):
        raise PermissionDenied(
            ErrorReason.MODEL_NOT_ALLOWED, f"This credential may not use the model `{model.id}`.", param="model"
        )
