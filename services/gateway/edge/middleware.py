"""The outermost layer, plain ASGI: an id, a trace, security headers, errors as bodies, one log line, metrics.

(Starlette's BaseHTTPMiddleware would cost more than the whole rest of the gateway.)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from servicekit.errors import Internal, ServiceError
from services.gateway import metrics
from services.gateway.edge import access_log
from services.gateway.edge.body import ClientLeft
from services.gateway.edge.problems import Headers, code_of, encode_body, headers_of, status_of
from services.gateway.edge.request_context import CLIENT_LEFT_STATUS, KEY, Exchange
from services.gateway.edge.respond import send_json

log = structlog.get_logger()

SECURITY: Final[Headers] = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
]
_API_POLICY: Final = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'")
_HSTS: Final = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")
# The page of FastAPI loads Swagger UI from a CDN; it exists in development only.
_PAGES: Final = frozenset(("/docs",))
_METHODS: Final = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
_UNKNOWN: Final = "unknown"


class Edge:
    """Wraps the whole application. The hot endpoints are reached from here, past every layer of the framework."""

    def __init__(self, app: ASGIApp, hot: Mapping[str, ASGIApp], *, hsts: bool) -> None:
        self._app = app
        self._hot = hot
        self._fixed = [*SECURITY, _HSTS] if hsts else SECURITY

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = scope[KEY] = Exchange(scope)
        metrics.IN_FLIGHT.inc()
        try:
            with exchange.span:
                await self._serve(exchange, receive, self._outward(exchange, send))
                _describe(exchange)
        finally:
            metrics.IN_FLIGHT.dec()
            _close(exchange)

    def _outward(self, exchange: Exchange, send: Send) -> Send:
        async def outward(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                message["headers"] = [
                    *message["headers"],
                    *exchange.headers,
                    *self._fixed,
                    (b"cache-control", exchange.cache_control),
                    (b"x-request-id", exchange.request_id.encode()),
                ]
                if exchange.policy:
                    message["headers"].append((b"content-security-policy", exchange.policy))
                elif exchange.scope["path"] not in _PAGES:
                    message["headers"].append(_API_POLICY)
            await send(message)

        return outward

    async def _serve(self, exchange: Exchange, receive: Receive, send: Send) -> None:
        app = self._hot.get(exchange.scope["path"], self._app) if exchange.method == "POST" else self._app
        try:
            await app(exchange.scope, receive, send)
        except ServiceError as exc:
            await refuse(exchange, exc, send)
        except ClientLeft:
            exchange.status = CLIENT_LEFT_STATUS
        except Exception:
            log.exception("gateway.failed", request_id=exchange.request_id, trace_id=exchange.call.trace.trace_id)
            await refuse(exchange, Internal(), send)


async def refuse(exchange: Exchange, error: ServiceError, send: Send) -> None:
    """Send the error, unless something was sent already: then the connection ends without an end of the body."""
    exchange.error_code = code_of(error)
    if exchange.status:
        return
    headers = headers_of(error)
    if any(name == b"retry-after" for name, _ in exchange.headers):
        headers = [header for header in headers if header[0] != b"retry-after"]
    if status_of(error) == 413:
        # The rest of the body is still on its way; nobody wants to read it.
        headers.append((b"connection", b"close"))
    await send_json(send, status_of(error), encode_body(error, exchange.request_id), headers)


def _describe(exchange: Exchange) -> None:
    """Say in the span what the log line says."""
    # Nothing was sent: the caller left before.
    exchange.status = exchange.status or CLIENT_LEFT_STATUS
    exchange.route = _route_of(exchange)
    span = exchange.span
    span.set("http.route", exchange.route)
    span.set("http.response.status_code", exchange.status)
    if exchange.model:
        span.set("gen_ai.request.model", exchange.requested_model)
        span.set("gen_ai.response.model", exchange.resolved_model)
        span.set("gen_ai.usage.input_tokens", exchange.tokens_in)
        span.set("gen_ai.usage.output_tokens", exchange.tokens_out)
    if exchange.status >= 500:
        span.fail(exchange.error_code or str(exchange.status))


def _close(exchange: Exchange) -> None:
    seconds = exchange.elapsed_s
    route = exchange.route or _UNKNOWN
    method = exchange.method if exchange.method in _METHODS else _UNKNOWN
    metrics.requests(route, method, exchange.status).inc()
    metrics.seconds(route).observe(seconds)
    if exchange.error_code:
        metrics.ERRORS.labels(route, exchange.error_code).inc()
    access_log.write(exchange, seconds)


def _route_of(exchange: Exchange) -> str:
    """Return the template of the path, never the path itself: labels are a closed set."""
    route = exchange.scope.get("route")
    return getattr(route, "path", None) or exchange.route or _UNKNOWN
