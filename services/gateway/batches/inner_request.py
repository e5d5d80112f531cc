"""A request that no connection brought: it is answered, logged and counted as every other one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog
from starlette.types import Message, Send

from servicekit.errors import Internal, ServiceError
from services.gateway.edge.middleware import close, describe_served, refuse
from services.gateway.edge.request_context import KEY, RequestContext

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class InnerAnswer:
    """What was answered; `error`: because this failed."""

    status: int
    body: bytes
    error: ServiceError | None


async def answered(context: RequestContext, serve: Callable[[Send], Awaitable[None]]) -> InnerAnswer:
    """Return what `serve` sends, or the error that it raises, as its caller would have seen it."""
    context.scope[KEY] = context
    parts: list[bytes] = []

    async def keep(message: Message) -> None:
        if message["type"] == "http.response.start":
            context.status = message["status"]
        else:
            parts.append(message.get("body", b""))

    try:
        with context.span:
            try:
                error = await _served(context, serve, keep)
            finally:
                describe_served(context)
    finally:
        close(context)
    return InnerAnswer(context.status, b"".join(parts), error)


async def _served(context: RequestContext, serve: Callable[[Send], Awaitable[None]], keep: Send) -> ServiceError | None:
    try:
        await serve(keep)
    except ServiceError as exc:
        await refuse(context, exc, keep)
        return exc
    except Exception:
        log.exception("gateway.failed", request_id=context.request_id, trace_id=context.call.trace.trace_id)
        failed = Internal()
        await refuse(context, failed, keep)
        return failed
    return None
