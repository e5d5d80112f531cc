"""Read a body: bounded in bytes and seconds, never encoded. Who may not call is refused before, unread."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from starlette.types import Receive, Scope

from servicekit.errors import ErrorReason, InvalidRequest
from services.gateway.settings import LimitSettings


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """What a body may be.

    Args:
        size: bytes.
        seconds: from the moment somebody wants it to its last byte.
        depth: levels of nesting in JSON.
        elements: values in lists and objects of JSON, counted by commas and opening brackets.
    """

    size: int
    seconds: float
    depth: int
    elements: int


# Forms and orders of the management API: far more than any honest one.
SMALL: Final = BodyLimits(size=56 * 1024, seconds=10.0, depth=16, elements=2000)


def paid_limits(limits: LimitSettings) -> BodyLimits:
    """Return the limits of the paid routes."""
    return BodyLimits(limits.body_mb * 1024 * 1024, limits.body_s, limits.json_depth, limits.json_elements)


# In the scope once the server has the whole body: nobody waits for it any more.
IS_WHOLE: Final = "razvilka.body_is_whole"


class ClientDisconnected(Exception):
    """The caller hung up before the body was complete; there is nobody to answer."""


async def read_body(scope: Scope, receive: Receive, limits: BodyLimits) -> bytes:
    """Return the whole body.

    Raises:
        InvalidRequest: too large (also by Content-Length, before reading), encoded, or too slow.
        ClientDisconnected: the caller left.
    """
    _check_headers(scope, limits.size)
    if IS_WHOLE in scope:
        return await _read(receive, limits.size)
    try:
        async with asyncio.timeout(limits.seconds):
            return await _read(receive, limits.size)
    except TimeoutError as exc:
        raise _too_slow() from exc


async def feed_body(
    scope: Scope, receive: Receive, limits: BodyLimits, take: Callable[[bytes], Awaitable[None]]
) -> None:
    """Have a body taken piece by piece, so that it may be larger than memory.

    Raises:
        InvalidRequest: as `read_body`.
        ClientDisconnected: the caller left.
    """
    _check_headers(scope, limits.size)
    try:
        async with asyncio.timeout(limits.seconds):
            await _feed(receive, limits.size, take)
    except TimeoutError as exc:
        raise _too_slow() from exc


async def _feed(receive: Receive, limit: int, take: Callable[[bytes], Awaitable[None]]) -> None:
    size, is_last = 0, False
    while not is_last:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnected
        part, is_last = message.get("body", b""), not message.get("more_body", False)
        size += len(part)
        if size > limit:
            raise _too_large(limit)
        await take(part)


def _check_headers(scope: Scope, limit: int) -> None:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit() and (len(value) > 18 or int(value) > limit):
            raise _too_large(limit)
        if name == b"content-encoding" and value.strip().lower() != b"identity":
            raise InvalidRequest(
                ErrorReason.UNSUPPORTED_MEDIA_TYPE,
                "Compressed request bodies are not accepted: send them without Content-Encoding.",
                param="Content-Encoding",
            )


async def _read(receive: Receive, limit: int) -> bytes:
    parts = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnected
        part: bytes = message.get("body", b"")
        if len(parts) + len(part) > limit:
            raise _too_large(limit)
        if not message.get("more_body", False):
            return bytes(parts + part) if parts else part
        parts += part


def _too_slow() -> InvalidRequest:
    return InvalidRequest(ErrorReason.REQUEST_TIMEOUT, "The request body came too slowly.", param="body")


def _too_large(limit: int) -> InvalidRequest:
    size = f"{limit // (1024 * 1024)} MB" if limit >= 1024 * 1024 else f"{limit // 1024} KB"
    return InvalidRequest(ErrorReason.PAYLOAD_TOO_LARGE, f"The request body is larger than {size}.", param="body")
