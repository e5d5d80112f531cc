"""Which pages of other sites may call the API from a browser: those listed; never with cookies, for it takes none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from starlette.types import Scope

from services.gateway.edge.endpoint import Cors
from services.gateway.edge.origin import header
from services.gateway.edge.problems import Headers
from services.gateway.edge.respond import Answer

API: Final = "/v1/"
# What a script may read beside the body: the id, the limits, when to come again, what answered and what it cost.
_LIMITS: Final = [
    f"x-ratelimit-{figure}{unit}" for figure in ("limit", "remaining", "reset") for unit in ("", "-requests", "-tokens")
]
_SAID: Final = (
    "x-request-id",
    "request-id",
    "www-authenticate",
    "dpop-nonce",
    "retry-after",
    "x-should-retry",
    "ratelimit",
    "ratelimit-policy",
    "deprecation",
    "sunset",
    "link",
    "server-timing",
    "content-disposition",
    "idempotent-replayed",
    "x-razvilka-original-request-id",
    "x-razvilka-cache-status",
    "x-razvilka-queue-ms",
    "x-razvilka-model",
    "x-razvilka-provider",
    "x-razvilka-dropped-params",
    "x-razvilka-cost-micro-rub",
    "x-razvilka-limit",
    "x-razvilka-max-tokens-lowered",
)
_EXPOSED: Final = ", ".join((*_SAID, *_LIMITS)).encode()


@dataclass(frozen=True, slots=True)
class ApiCors:
    """The rule of one gateway; without origins it says nothing."""

    cors: Cors

    def concerns(self, scope: Scope) -> bool:
        """Tell whether a request may come from another site's page."""
        path: str = scope["path"]
        return bool(self.cors.origins) and path.startswith(API)

    def headers(self, scope: Scope) -> Headers:
        """Return what goes out with every answer of the API."""
        return [*self.cors.headers(scope), (b"access-control-expose-headers", _EXPOSED)]

    def preflight(self, scope: Scope) -> Answer | None:
        """Return the answer to a browser that asks before it calls; None: it is another request."""
        if scope["method"] != "OPTIONS" or not header(scope, b"access-control-request-method"):
            return None
        headers: Headers = [
            (b"access-control-allow-methods", b"GET, POST, PUT, PATCH, DELETE"),
            # Authorization is in no wildcard (Fetch 4.9).
            (b"access-control-allow-headers", b"authorization, *"),
            (b"access-control-max-age", b"600"),
        ]
        return Answer(204, headers, b"")
