"""Which route needs what. Deny by default: a route without a row stops the start."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from starlette.routing import BaseRoute, Route

from servicekit.errors import ErrorReason, PermissionDenied
from services.gateway.caller import Caller
from services.gateway.catalog import Model


class Scope(StrEnum):
    """What a credential may do."""

    MODELS_READ = "models:read"
    COMPLETIONS_WRITE = "completions:write"
    EMBEDDINGS_WRITE = "embeddings:write"
    USAGE_READ = "usage:read"


class Open(StrEnum):
    """Routes that need less than a scope."""

    EVERYONE = "everyone"
    ANY_CREDENTIAL = "any credential"


Need = Scope | Open

CHAT: Final = "/v1/chat/completions"
COMPLETIONS: Final = "/v1/completions"
EMBEDDINGS: Final = "/v1/embeddings"

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
}


def check_every_route(routes: Iterable[BaseRoute]) -> None:
    """Stop the start when a route has no row.

    Raises:
        RuntimeError: names the route.
    """
    for route in routes:
        path = route.path if isinstance(route, Route) else None
        if path is None or path not in NEEDS:
            raise RuntimeError(f"route {path or route!r} has no row in services.gateway.access.NEEDS")


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
