"""A listener of its own for /v1/admin: what reaches the API's port can then not even ask."""

from __future__ import annotations

from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

ADMIN_PATHS: Final = "/v1/admin/"
# Set by the listener in the scopes of its requests; nothing that a caller sends can set it.
_MARK: Final = "razvilka.admin_listener"


def marked(app: ASGIApp) -> ASGIApp:
    """Return the application as the administrators' listener serves it."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        scope[_MARK] = True
        await app(scope, receive, send)

    return serve


def is_elsewhere(scope: Scope, route: str) -> bool:
    """Tell whether a route is served by the administrators' listener only, and this request came by another."""
    return route.startswith(ADMIN_PATHS) and _MARK not in scope
