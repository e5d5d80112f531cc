"""What the headers say of where a request comes from."""

from __future__ import annotations

from typing import Final

from starlette.types import Scope

from services.gateway.clients.oauth_views import Origin

MAX_USER_AGENT: Final = 256


def header(scope: Scope, name: bytes) -> str:
    """Return the first such header, "" when there is none."""
    return next((value.decode("latin-1") for given, value in scope["headers"] if given == name), "")


def origin_of(scope: Scope, address: str) -> Origin:
    """Return where a request came from: `address`, as far as it is known, and its user agent."""
    return Origin(address, header(scope, b"user-agent")[:MAX_USER_AGENT])
