"""What every paid route does before its own work: find the context, authenticate, read and decode the body.

These are bare ASGI endpoints, the hot way to write a route: FastAPI's own body parsing would cost as much as
everything here. All other routes are FastAPI's.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

import msgspec
from starlette.types import Receive, Scope, Send

from servicekit.errors import ErrorReason, InvalidRequest
from services.gateway.clients.router.client import RouterClient
from services.gateway.edge.reading.body import paid_limits, read_body
from services.gateway.edge.reading.json_body import decode, invalid_field
from services.gateway.edge.request_context import RequestContext, context_of
from services.gateway.identity.authentication import Authenticator
from services.gateway.inference.answers import Answers
from services.gateway.inference.caching.wish import wish_of
from services.gateway.inference.keeping.idempotency import Idempotency
from services.gateway.inference.marking.tags import tags_of
from services.gateway.inference.pricing import Pricing
from services.gateway.inference.routes.needs import NEEDS
from services.gateway.inference.tokens.free_call import FreeCalls
from services.gateway.settings import CacheSettings, LimitSettings

Body = TypeVar("Body", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class InferenceDependencies:
    """What the paid routes share."""

    authenticator: Authenticator
    limits: LimitSettings
    pricing: Pricing
    router: RouterClient
    answers: Answers
    free_calls: FreeCalls
    idempotency: Idempotency
    cache: CacheSettings


class PaidRoute(ABC, Generic[Body]):
    """POST on one path. A route says what its body looks like, what that asks for, and how the answer is rendered."""

    # What costs nothing may be repeated as it is.
    is_billed: ClassVar = True

    def __init__(self, path: str, body: type[Body], inference: InferenceDependencies) -> None:
        self.path = path
        self.need = NEEDS[path]
        self._decoder = msgspec.json.Decoder(body)
        self._known = frozenset(field.encode_name for field in msgspec.structs.fields(body))
        self._limits = paid_limits(inference.limits)
        self._authenticator = inference.authenticator
        self.inference = inference

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        context = context_of(scope)
        context.route = self.path
        self.enter(context)
        await self._authenticator.enter(context, self.need)
        await self.serve(context, await read_body(scope, receive, self._limits), send)

    async def serve(self, context: RequestContext, body: bytes, send: Send) -> None:
        """Answer a body of a caller that is known.

        Raises:
            ServiceError: it is refused, or failed.
        """
        context.route = self.path
        request, given = await decode(self._decoder, body, self._limits)
        context.ignored_params = [name for name in given if name not in self._known]
        if self.is_billed:
            self._note_wishes(context, request)
        if context.idempotency_key is None or not self.is_billed:
            await self.answer(context, request, send)
            return
        idempotency = self.inference.idempotency
        await idempotency.answer(context, body, send, lambda: self.answer(context, request, send))

    def _note_wishes(self, context: RequestContext, request: Body) -> None:
        given = self.metadata_of(request)
        if given or context.asked_tags:
            context.metadata = tags_of(context.asked_tags, given)
        if context.asked_cache or context.known_caller.cache_ttl_s is not None:
            context.cache = wish_of(context, request, self.inference.cache)

    def metadata_of(self, request: Body) -> Mapping[str, str] | None:
        """Return the caller's tags, of a body that may have some."""
        return None

    async def check(self, body: bytes) -> None:
        """Look whether a body can be asked here without anybody waiting for the answer.

        Raises:
            InvalidRequest: a field is wrong; it is named.
        """
        if len(body) > self._limits.size:
            text = f"The body is larger than {self._limits.size} bytes."
            raise InvalidRequest(ErrorReason.PAYLOAD_TOO_LARGE, text, param="body")
        request, _ = await decode(self._decoder, body, self._limits)
        if getattr(request, "stream", None):
            raise invalid_field("stream", "Nobody is there to read a stream: leave it out")

    def enter(self, context: RequestContext) -> None:
        """Say what is special to the route before it is known who calls: where the key is, the form of errors."""

    @abstractmethod
    def answer(self, context: RequestContext, request: Body, send: Send) -> Awaitable[None]:
        """Check and price the request, and return the sending of its answer, to be awaited.

        Raises:
            ServiceError: the request is refused.
        """
