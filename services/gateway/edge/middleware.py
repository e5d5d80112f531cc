"""The outermost layer, plain ASGI: an id, a trace, security headers, errors as bodies, one log line, metrics.

(Starlette's BaseHTTPMiddleware would cost more than the whole rest of the gateway.)
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from servicekit.errors import Internal, ServiceError
from servicekit.tracing import Span
from services.gateway.edge import access_log, metrics
from services.gateway.edge.api_cors import ApiCors
from services.gateway.edge.cancellation import SHUTDOWN
from services.gateway.edge.errors.json_errors import api_error
from services.gateway.edge.problems import Headers
from services.gateway.edge.reading.body import ClientDisconnected
from services.gateway.edge.request_context import CLIENT_CLOSED_REQUEST, KEY, TOLD, RequestContext
from services.gateway.edge.respond import send_answer

log = structlog.get_logger()

SECURITY: Final[Headers] = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
]
_API_POLICY: Final = (
    b"content-security-policy",
    b"default-src 'none'; object-src 'none'; frame-ancestors 'none'; base-uri 'none'",
)
_HSTS: Final = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")
_METHODS: Final = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
_UNKNOWN: Final = "unknown"
# By the semantic conventions of OpenTelemetry; all others chat.
_OPERATIONS: Final = {"/v1/completions": "text_completion", "/v1/embeddings": "embeddings"}


class Edge:
    """Wraps the whole application. The hot endpoints are reached from here, past every layer of the framework."""

    def __init__(
        self,
        app: ASGIApp,
        hot: Mapping[str, ASGIApp],
        *,
        hsts: bool,
        cors: ApiCors,
        note_refusal: Callable[[RequestContext], None],
    ) -> None:
        self._app = app
        self._hot = hot
        self._fixed = [*SECURITY, _HSTS] if hsts else SECURITY
        self._cors = cors
        self._note_refusal = note_refusal
        self._in_flight = 0
        # Looked at when somebody asks: a gauge that goes up and down costs more than what it counts.
        metrics.IN_FLIGHT.set_function(lambda: self._in_flight)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        method = scope["method"]
        scope = as_routed(scope)
        context = scope[KEY] = RequestContext(scope)
        context.method = method
        send = self._outward(context, send)
        self._in_flight += 1
        try:
            with context.span:
                try:
                    await self._serving(context, receive, send)
                except Exception as exc:
                    await _fail(context, exc, send)
                finally:
                    # Also of one that is cancelled: its line, its counters and its span say whose it was.
                    describe_served(context)
        finally:
            self._in_flight -= 1
            close(context)
            if context.error_code and 400 <= context.status < CLIENT_CLOSED_REQUEST:
                self._note_refusal(context)

    def _outward(self, context: RequestContext, send: Send) -> Send:
        def outward(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                context.status = message["status"]
                message["headers"] = self._headers(context, message["headers"])
            return send(message)

        return outward

    def _headers(self, context: RequestContext, own: Headers) -> Headers:
        headers = [
            *own,
            *context.headers,
            *self._fixed,
            (b"cache-control", context.cache_control),
            (b"x-request-id", context.request_id.encode()),
            (b"content-security-policy", context.policy) if context.policy else _API_POLICY,
        ]
        if context.caller is not None:
            # Whoever is not known yet learns nothing of how long a credential was looked at.
            headers.append(context.timing.header(context.elapsed_s))
        if self._cors.concerns(context.scope):
            headers += self._cors.headers(context.scope)
        return headers

    def _serving(self, context: RequestContext, receive: Receive, send: Send) -> Awaitable[None]:
        if self._cors.concerns(context.scope) and (answer := self._cors.preflight(context.scope)):
            return send_answer(send, answer)
        app = self._hot.get(context.scope["path"], self._app) if context.method == "POST" else self._app
        return app(context.scope, receive, send)


async def _fail(context: RequestContext, exc: Exception, send: Send) -> None:
    if isinstance(exc, ClientDisconnected):
        context.status = CLIENT_CLOSED_REQUEST
        return
    if not isinstance(exc, ServiceError):
        log.exception("gateway.failed", request_id=context.request_id, trace_id=context.call.trace.trace_id)
        exc = Internal()
    await refuse(context, exc, send)


def as_routed(scope: Scope) -> Scope:
    """Return the request as the routes see it: HEAD asks what GET does, and a slash at the end says nothing.

    The server knows that it was HEAD, and sends no body (RFC 9110 9.3.2).
    """
    path: str = scope["path"]
    if scope["method"] == "HEAD":
        scope = {**scope, "method": "GET"}
    if len(path) > 1 and path[-1] == "/":
        scope["path"] = path[:-1]
    return scope


async def refuse(context: RequestContext, error: ServiceError, send: Send) -> None:
    """Send the error, unless something was sent already: then the connection ends without an end of the body."""
    answer = api_error(context, error)
    if not context.status:
        await send_answer(send, answer)


def describe_served(context: RequestContext) -> None:
    """Say in the span what the log line says."""
    if (told := context.scope.get(TOLD)) is not None:
        # Not by the application, to which the caller looked as if it had left.
        context.request_id, context.status, context.error_code = told
    # Nothing was sent: the caller left before.
    context.status = context.status or CLIENT_CLOSED_REQUEST
    context.route = _route_of(context)
    if context.span.is_recorded:
        _describe(context, context.span)


def _describe(context: RequestContext, span: Span) -> None:
    span.set("http.route", context.route)
    span.set("razvilka.request_id", context.request_id)
    span.set("http.response.status_code", context.status)
    if context.model:
        span.set("gen_ai.operation.name", _OPERATIONS.get(context.route, "chat"))
        span.set("gen_ai.provider.name", context.provider)
        span.set("gen_ai.request.model", context.requested_model)
        span.set("gen_ai.response.model", context.resolved_model)
        span.set("gen_ai.usage.input_tokens", context.tokens_in)
        span.set("gen_ai.usage.output_tokens", context.tokens_out)
    if context.status >= 500 or _broke_off(context):
        span.fail(context.error_code or str(context.status))


def _broke_off(context: RequestContext) -> bool:
    """Tell whether an answer that had begun ended with an error that is not its reader's doing."""
    return context.status < 400 and bool(context.error_code) and context.cut in ("", SHUTDOWN)


def close(context: RequestContext) -> None:
    """Count and log a request that has ended."""
    seconds = context.elapsed_s
    route = context.route or _UNKNOWN
    method = context.method if context.method in _METHODS else _UNKNOWN
    metrics.requests(route, method, context.status).inc()
    metrics.seconds(route).observe(seconds, context.span.exemplar)
    # What only the line and the row give as the reason of an end, nobody was there to be told.
    if context.error_code and context.error_code != context.cut:
        metrics.ERRORS.labels(route, context.error_code).inc()
    access_log.write(context, seconds)


def refused(request_id: str, status: int, code: str, problem: str) -> None:
    """Count and log what the server refused before it was a request: its caller has an id to complain with."""
    metrics.requests(_UNKNOWN, _UNKNOWN, status).inc()
    metrics.ERRORS.labels(_UNKNOWN, code).inc()
    access_log.write_refused(request_id, status=status, error=code, problem=problem)


def _route_of(context: RequestContext) -> str:
    """Return the template of the path, never the path itself: labels are a closed set."""
    route = context.scope.get("route")
    return getattr(route, "path", None) or context.route or _UNKNOWN
