"""Endpoints of the protocol for programs: JSON answers, nothing stored on the way, errors in the protocol's form."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from starlette.types import Receive, Scope

from servicekit.errors import ServiceError
from services.gateway.clients.oauth_views import OAuthRefused, Origin
from services.gateway.edge.endpoint import Cors, Endpoint
from services.gateway.edge.errors.json_errors import protocol_error
from services.gateway.edge.origin import origin_of
from services.gateway.edge.problems import Headers
from services.gateway.edge.request_context import RequestContext
from services.gateway.edge.respond import Answer, json_answer
from services.gateway.identity.address_limit import OAuthLimit

# Status and JSON body.
JsonAnswer = tuple[int, bytes]
# Scope, receive, context, origin -> the answer.
Handle = Callable[[Scope, Receive, RequestContext, Origin], Awaitable[JsonAnswer]]
_NO_STORE: Final = (b"pragma", b"no-cache")


def protocol_endpoint(
    path: str,
    handle: Handle,
    limit: OAuthLimit | None,
    methods: tuple[str, ...] = ("POST",),
    cors: Cors | None = None,
    cache: bytes = b"",
) -> Endpoint:
    """Return an endpoint. `cache`: how long a good answer may be kept; without it, never."""

    def responder(scope: Scope, context: RequestContext) -> ProtocolResponder:
        origin = limit.origin(scope) if limit else origin_of(scope, "")
        return ProtocolResponder(scope, context, handle, origin, cache)

    return Endpoint(path, methods, responder, limit, cors)


@dataclass(frozen=True, slots=True)
class ProtocolResponder:
    """Answers one request of a program."""

    scope: Scope
    context: RequestContext
    handle: Handle
    origin: Origin
    cache: bytes

    async def answer(self, receive: Receive) -> Answer:
        """Return what the handler says."""
        status, body = await self.handle(self.scope, receive, self.context, self.origin)
        if not self.cache or status != 200:
            return self._json(status, body, [_NO_STORE])
        self.context.cache_control = self.cache
        return self._json(status, body, [])

    def failed(self, error: OAuthRefused | ServiceError, headers: Headers) -> Answer:
        """Return the error in the form of the protocol."""
        status, body, explained = protocol_error(error, self.context.authorization)
        return self._json(status, body, [*headers, *explained, _NO_STORE])

    def _json(self, status: int, body: bytes, headers: Headers) -> Answer:
        return json_answer(status, b"" if self.scope["method"] == "HEAD" else body, headers)
