"""What all OAuth endpoints for programs share: methods, limits, CORS, and errors in the form of the protocol."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from starlette.types import Receive, Scope, Send

from servicekit.errors import (
    DeadlineExceeded,
    Internal,
    InvalidRequest,
    PermissionDenied,
    QuotaExceeded,
    ServiceError,
    Unauthenticated,
    Unavailable,
)
from services.gateway.clients.oauth_views import OAuthRefused, Origin
from services.gateway.edge.problems import Headers, headers_of
from services.gateway.edge.request_context import RequestContext, context_of
from services.gateway.edge.respond import send_json
from services.gateway.identity.address_limit import OAuthLimit

Answer = tuple[int, bytes]
# Scope, receive, context, origin -> status and JSON body.
Handle = Callable[[Scope, Receive, RequestContext, Origin], Awaitable[Answer]]
MAX_USER_AGENT: Final = 256
_NO_STORE: Final[Headers] = [(b"pragma", b"no-cache")]
_ERRORS: Final[dict[type[ServiceError], tuple[int, str]]] = {
    InvalidRequest: (400, "invalid_request"),
    Unauthenticated: (401, "invalid_token"),
    PermissionDenied: (403, "insufficient_scope"),
    QuotaExceeded: (429, "temporarily_unavailable"),
    Unavailable: (503, "temporarily_unavailable"),
    DeadlineExceeded: (503, "temporarily_unavailable"),
    Internal: (500, "server_error"),
}


@dataclass(frozen=True, slots=True)
class Cors:
    """Which pages of other sites may read the answers: all ("*"), those listed, or none. Never with credentials."""

    origins: tuple[str, ...]

    def headers(self, scope: Scope) -> Headers:
        """Return the headers for one request."""
        if "*" in self.origins:
            return [(b"access-control-allow-origin", b"*")]
        origin = header(scope, b"origin")
        if origin and origin in self.origins:
            return [(b"access-control-allow-origin", origin.encode("latin-1")), (b"vary", b"origin")]
        return [(b"vary", b"origin")] if self.origins else []


@dataclass(frozen=True, slots=True)
class OAuthEndpoint:
    """One endpoint, as an ASGI application. `cors` is None where pages of other sites have no business."""

    path: str
    handle: Handle
    limit: OAuthLimit | None
    methods: tuple[str, ...] = ("POST",)
    cors: Cors | None = None
    cache: bytes = b""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        context = context_of(scope)
        context.route = self.path
        shared = self.cors.headers(scope) if self.cors else []
        if scope["method"] == "OPTIONS" and self.cors and header(scope, b"access-control-request-method"):
            await _preflight(send, self.methods, shared)
            return
        try:
            if scope["method"] not in self.methods:
                raise _not_allowed()
            if self.limit is not None:
                await self.limit.count(scope)
            status, body = await self.handle(scope, receive, context, origin_of(scope, self.limit))
        except OAuthRefused as exc:
            status, body, headers = exc.status, error_body(exc.error, exc.description), self._explain(exc)
            context.error_code = exc.error
        except ServiceError as exc:
            status, body, headers = _translated(exc)
            context.error_code = exc.reason.value.lower()
        else:
            headers = []
        if self.cache and status == 200:
            context.cache_control = self.cache
        else:
            headers = [*headers, *_NO_STORE]
        await send_json(send, status, b"" if scope["method"] == "HEAD" else body, [*headers, *shared])

    def _explain(self, refused: OAuthRefused) -> Headers:
        headers: Headers = []
        if refused.retry_after_s:
            headers.append((b"retry-after", str(refused.retry_after_s).encode()))
        if refused.challenge_basic:
            headers.append((b"www-authenticate", b'Basic realm="razvilka", charset="UTF-8"'))
        if refused.status == 405:
            headers.append((b"allow", ", ".join(self.methods).encode()))
        if refused.status == 413:
            headers.append((b"connection", b"close"))
        return headers


def _not_allowed() -> OAuthRefused:
    return OAuthRefused("invalid_request", "This method is not allowed here.", 405)


def _translated(error: ServiceError) -> tuple[int, bytes, Headers]:
    status, code = _ERRORS.get(type(error), (400, "invalid_request"))
    return status, error_body(code, error.message), headers_of(error)


def error_body(error: str, description: str) -> bytes:
    """Return the body of a protocol error; the description has only what RFC 6749 5.2 allows."""
    body: dict[str, Any] = {"error": error}
    allowed = "".join(char for char in description if " " <= char <= "~" and char not in '"\\')
    if allowed:
        body["error_description"] = allowed
    return msgspec.json.encode(body)


async def _preflight(send: Send, methods: tuple[str, ...], shared: Headers) -> None:
    headers: Headers = [
        (b"access-control-allow-methods", ", ".join(methods).encode()),
        (b"access-control-allow-headers", b"authorization, content-type"),
        (b"access-control-max-age", b"600"),
        *shared,
    ]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def origin_of(scope: Scope, limit: OAuthLimit | None) -> Origin:
    """Return where a request came from."""
    return Origin(limit.address(scope) if limit else "", header(scope, b"user-agent")[:MAX_USER_AGENT])


def header(scope: Scope, name: bytes) -> str:
    """Return the first such header, "" when there is none."""
    return next((value.decode("latin-1") for given, value in scope["headers"] if given == name), "")
