"""Orders at the API that cost nothing: one that comes again with its key is carried out once, and has one answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Final

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from servicekit.errors import ServiceError, Unavailable
from services.gateway.edge.middleware import refuse
from services.gateway.edge.reading.body import SMALL, read_body
from services.gateway.edge.request_context import RequestContext, context_of
from services.gateway.inference.keeping.idempotency import Idempotency

log = structlog.get_logger()

# A file is taken piece by piece, so that it may be larger than memory: nothing of it can be kept.
UNKEPT: Final = frozenset({"/v1/files"})
# A request -> the template of its path, when somebody known has to make it; refuses whoever may not.
Admit = Callable[[Scope], Awaitable[str | None]]


class KeptOrders:
    """Stands before the framework, for every POST that has a key and needs a caller; `paid` routes have their own."""

    def __init__(self, idempotency: Idempotency, admit: Admit, paid: Iterable[str]) -> None:
        self._idempotency = idempotency
        self._admit = admit
        self._others = UNKEPT.union(paid)

    def concerns(self, scope: Scope) -> bool:
        """Tell whether a request may be such an order."""
        is_order = scope["method"] == "POST" and scope["path"] not in self._others
        return is_order and context_of(scope).idempotency_key is not None

    async def serve(self, scope: Scope, receive: Receive, send: Send, app: ASGIApp) -> None:
        """Serve it by `app`, or as it was served before. What was refused is forgotten, and may be mended."""
        context = context_of(scope)
        try:
            route = await self._admit(scope)
            if route is None:
                await app(scope, receive, send)
                return
            context.route = route
            body = await read_body(scope, receive, SMALL)
            # One key is for one thing: the path says of which.
            said = scope["path"].encode() + b"\n" + body
            sent: list[Message] = []
            await self._idempotency.answer(context, said, send, lambda: _first(scope, _again(body, receive), sent, app))
            # The key of what was refused is free by now: whoever hears of it may mend it at once.
            for message in sent:
                await send(message)
        except ServiceError as exc:
            await refuse(context, exc, send)


async def _first(scope: Scope, receive: Receive, sent: list[Message], app: ASGIApp) -> None:
    """Carry the order out, and keep its answer."""

    async def gather(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, gather)
    await _keep(context_of(scope), sent)


async def _keep(context: RequestContext, sent: list[Message]) -> None:
    status = next((message["status"] for message in sent if message["type"] == "http.response.start"), 500)
    if status < 300 and context.keeper is not None:
        body = b"".join(message.get("body", b"") for message in sent)
        try:
            await context.keeper.keep(status, body, b"")
        except Unavailable as exc:
            # It is done, and cannot be undone: whoever ordered it hears so, and has the secret that is told once.
            log.warning("idempotency.order_not_kept", route=context.route, reason=exc.reason.value)


def _again(body: bytes, receive: Receive) -> Receive:
    """Return what gives the body that was read, and then whatever comes."""
    given = False

    async def give() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return give
