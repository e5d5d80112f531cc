"""Query and form parameters as they came: in order, with repetitions and empty ones (RFC 6749 3.1 and 3.2)."""

from __future__ import annotations

import asyncio
from typing import Final
from urllib.parse import unquote_to_bytes

from starlette.types import Receive, Scope

from services.gateway.clients.oauth_views import OAuthRefused, Params
from services.gateway.edge.body import ClientDisconnected

MAX_BODY: Final = 56 * 1024
MAX_PARAMS: Final = 200
BODY_S: Final = 10.0
FORM: Final = b"application/x-www-form-urlencoded"


def parse_params(raw: bytes) -> Params:
    """Return the parameters.

    Raises:
        OAuthRefused: not UTF-8, a NUL, or too many.
    """
    parts = [part for part in raw.split(b"&") if part]
    if len(parts) > MAX_PARAMS:
        raise OAuthRefused("invalid_request", "There are too many parameters.")
    return [(_text(name), _text(value)) for name, _, value in (part.partition(b"=") for part in parts)]


def _text(raw: bytes) -> str:
    try:
        text = unquote_to_bytes(raw.replace(b"+", b" ")).decode()
    except UnicodeDecodeError as exc:
        raise OAuthRefused("invalid_request", "A parameter is not valid UTF-8.") from exc
    if "\0" in text:
        raise OAuthRefused("invalid_request", "A parameter has a NUL character.")
    return text


async def read_form(scope: Scope, receive: Receive) -> Params:
    """Return the parameters of a form body.

    Raises:
        OAuthRefused: another content type, too large, or unreadable.
    """
    if content_type(scope) != FORM:
        raise OAuthRefused("invalid_request", "The body must be application/x-www-form-urlencoded.")
    return parse_params(await read_small_body(scope, receive))


def content_type(scope: Scope) -> bytes:
    """Return the media type without its parameters, "" when there is none or more than one."""
    given = [value for name, value in scope["headers"] if name == b"content-type"]
    return given[0].partition(b";")[0].strip().lower() if len(given) == 1 else b""


async def read_small_body(scope: Scope, receive: Receive) -> bytes:
    """Return the body.

    Raises:
        OAuthRefused: it is larger than any honest one, encoded, or trickles in.
    """
    for name, value in scope["headers"]:
        if name == b"content-encoding" and value.strip().lower() != b"identity":
            raise OAuthRefused("invalid_request", "Compressed bodies are not accepted.")
        if name == b"content-length" and value.isdigit() and (len(value) > 9 or int(value) > MAX_BODY):
            raise _too_large()
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnected
                body += message.get("body", b"")
                if len(body) > MAX_BODY:
                    raise _too_large()
                if not message.get("more_body", False):
                    return bytes(body)
    except TimeoutError as exc:
        raise OAuthRefused("invalid_request", "The body came too slowly.", 408) from exc


def _too_large() -> OAuthRefused:
    return OAuthRefused("invalid_request", "The body is too large.", 413)


def first(params: Params, name: str) -> str:
    """Return the first value of a field of our own forms, "" when it is absent."""
    return next((value for given, value in params if given == name), "")


def every(params: Params, name: str) -> tuple[str, ...]:
    """Return all values of a field of our own forms that are not empty."""
    return tuple(value for given, value in params if given == name and value)


def ticked(params: Params, group: str) -> tuple[str, ...]:
    """Return which boxes of a group are ticked: fields named "<group> <what>"."""
    prefix = f"{group} "
    return tuple(name.removeprefix(prefix) for name, value in params if name.startswith(prefix) and value)
