"""Who may call an operation: a key or a token, and the scope it needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from services.gateway.identity.access import Need, Open, scope_of
from services.gateway.reference.glossary import SCOPES
from services.gateway.reference.operations import Whole, operations_of

KEY: Final = "key"
OAUTH: Final = "oauth"
NeedOf = Callable[[str, str], Need]
# Parts of paths in which a slash is no end of the part: the description has them as any other.
WITH_SLASHES: Final = ("model_id", "user_id")


def declare_security(whole: Whole, need_of: NeedOf) -> None:
    """Say of every operation which credential and which scope it needs."""
    whole["components"]["securitySchemes"] = schemes()
    for method, path, operation in operations_of(whole):
        if "oauth" in operation["tags"]:
            continue
        need = need_of(method, as_route(path))
        if need is Open.EVERYONE:
            continue
        scope = scope_of(need)
        scopes = [scope.value] if scope else []
        operation["security"] = [{KEY: scopes}, {OAUTH: scopes}]
        operation["description"] += f"\n\nScope: `{scopes[0]}`." if scopes else "\n\nAny credential may."


def as_route(path: str) -> str:
    """Return the route of a path of the description."""
    for name in WITH_SLASHES:
        path = path.replace(f"{{{name}}}", f"{{{name}:path}}")
    return path


def schemes() -> dict[str, Any]:
    """Return how callers prove who they are."""
    scopes = dict(SCOPES)
    return {
        KEY: {
            "type": "http",
            "scheme": "bearer",
            "description": "An API key: `Authorization: Bearer rz_live_…`. Scopes are chosen when it is made.",
        },
        OAUTH: {
            "type": "oauth2",
            "description": "An access token that a person, or an application in its own name, was given.",
            "flows": {
                "authorizationCode": {
                    "authorizationUrl": "/authorize",
                    "tokenUrl": "/token",
                    "refreshUrl": "/token",
                    "scopes": scopes,
                },
                "clientCredentials": {"tokenUrl": "/token", "scopes": scopes},
            },
        },
    }
