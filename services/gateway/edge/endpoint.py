"""A route that FastAPI does not serve: the protocol, the pages, their files. What all of them share is here.

Methods, CORS, the limit of an address and the translation of errors. What an answer and an error look like, each kind
of endpoint says by its `Responder`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from starlette.types import Receive, Scope, Send

from servicekit.errors import ServiceError
from services.gateway.clients.oauth_views import OAuthRefused
from services.gateway.edge.errors.json_errors import HANG_UP
from services.gateway.edge.header_values import plain_value
from services.gateway.edge.origin import header
from services.gateway.edge.problems import Headers, code_of
from services.gateway.edge.request_context import RequestContext, context_of
from services.gateway.edge.respond import Answer, Handover, send_answer

# What a page of another site reads of an answer beside its body.
EXPOSED: Final = (b"access-control-expose-headers", b"www-authenticate, dpop-nonce, retry-after")


class Responder(Protocol):
    """What answers one request."""

    async def answer(self, receive: Receive) -> Answer | Handover:
        """Return the answer, or who gives it.

        Raises:
            OAuthRefused: what was sent will not do.
            ServiceError: it cannot be answered.
        """
        ...

    def failed(self, error: OAuthRefused | ServiceError, headers: Headers) -> Answer:
        """Return the error in this kind's form; `headers` explain it."""
        ...


class RequestLimit(Protocol):
    """How many requests an address may make."""

    async def count(self, scope: Scope) -> None:
        """Count a request.

        Raises:
            OAuthRefused: there were too many.
        """
        ...


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
            return [(b"access-control-allow-origin", plain_value(origin)), (b"vary", b"origin")]
        return [(b"vary", b"origin")] if self.origins else []


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One route, as an ASGI application. It authenticates whom it serves by itself.

    Args:
        path: of the route.
        methods: that it takes, in the order in which they are named to whoever used another one.
        responder: makes what answers one request.
        limit: of an address; None where answering costs nothing.
        cors: None where pages of other sites have no business.
    """

    path: str
    methods: tuple[str, ...]
    responder: Callable[[Scope, RequestContext], Responder]
    limit: RequestLimit | None = None
    cors: Cors | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        context = context_of(scope)
        context.route = self.path
        if self.cors and scope["method"] == "OPTIONS" and header(scope, b"access-control-request-method"):
            await send_answer(send, self._preflight(self.cors.headers(scope)))
            return
        answer = await self._answer(scope, receive, context)
        if isinstance(answer, Handover):
            await answer.serve(send)
            return
        if self.cors:
            answer.headers.extend([*self.cors.headers(scope), EXPOSED])
        await send_answer(send, answer)

    async def _answer(self, scope: Scope, receive: Receive, context: RequestContext) -> Answer | Handover:
        responder = self.responder(scope, context)
        try:
            if scope["method"] not in self.methods:
                raise OAuthRefused("invalid_request", "This method is not allowed here.", 405)
            if self.limit is not None:
                await self.limit.count(scope)
            return await responder.answer(receive)
        except OAuthRefused as exc:
            context.error_code = exc.error
            return responder.failed(exc, self._explained(exc))
        except ServiceError as exc:
            context.error_code = code_of(exc)
            return responder.failed(exc, [])

    def _explained(self, refused: OAuthRefused) -> Headers:
        headers: Headers = []
        if refused.retry_after_s:
            headers.append((b"retry-after", str(refused.retry_after_s).encode()))
        if refused.dpop_nonce:
            headers.append((b"dpop-nonce", plain_value(refused.dpop_nonce)))
        if refused.status == 405:
            headers.append((b"allow", ", ".join(self.methods).encode()))
        if refused.status == 413:
            headers.append(HANG_UP)
        return headers

    def _preflight(self, shared: Headers) -> Answer:
        headers: Headers = [
            (b"access-control-allow-methods", ", ".join(self.methods).encode()),
            (b"access-control-allow-headers", b"authorization, content-type, dpop"),
            (b"access-control-max-age", b"600"),
            *shared,
        ]
        return Answer(204, headers, b"")
