"""Read and decode a JSON body: bounded, strict, and every refusal names the field."""

from __future__ import annotations

import asyncio
import json
import math
import re
from typing import Any, Final, TypeVar

import msgspec
from starlette.types import Receive, Scope

from servicekit.errors import DeadlineExceeded, ErrorReason, InvalidRequest
from services.gateway.settings import LimitSettings

T = TypeVar("T")

_KEEP: Final = b'"[]{}'
_DROP: Final = bytes(code for code in range(256) if code not in _KEEP)
_SAME_BRACKETS: Final = bytes.maketrans(b"{}", b"[]")
_AT: Final = re.compile(r" - at `(?:key in )?\$\.?(.*?)`$", re.DOTALL)
# Twice one of these and the two ends of a proxy could read two different requests.
_ONCE: Final = (b'"model"', b'"messages"', b'"prompt"', b'"input"', b'"max_tokens"', b'"stream"', b'"n"', b'"tools"')


class ClientDisconnected(Exception):
    """The caller hung up before the body was complete; there is nobody to answer."""


async def read_body(scope: Scope, receive: Receive, limits: LimitSettings) -> bytes:
    """Return the whole body.

    Raises:
        InvalidRequest: too large (also by Content-Length, before reading) or encoded.
        DeadlineExceeded: it trickles in too slowly.
    """
    limit = limits.body_mb * 1024 * 1024
    _check_headers(scope, limit)
    message = await receive()
    if not message.get("more_body", False) and message["type"] == "http.request":
        body: bytes = message["body"]
        return _within(body, limit)
    try:
        async with asyncio.timeout(limits.body_s):
            return await _read_on(message, receive, limit)
    except TimeoutError as exc:
        raise DeadlineExceeded(ErrorReason.DEADLINE_EXCEEDED, "The request body came too slowly.") from exc


def _check_headers(scope: Scope, limit: int) -> None:
    for name, value in scope["headers"]:
        if name == b"content-length" and len(value) < 20 and value.isdigit() and int(value) > limit:
            raise _too_large(limit)
        if name == b"content-encoding" and value.strip().lower() != b"identity":
            raise InvalidRequest(
                ErrorReason.UNSUPPORTED_MEDIA_TYPE,
                "Compressed request bodies are not accepted: send the JSON without Content-Encoding.",
                param="Content-Encoding",
            )


async def _read_on(message: Any, receive: Receive, limit: int) -> bytes:
    parts = bytearray()
    while True:
        if message["type"] == "http.disconnect":
            raise ClientDisconnected
        parts += message.get("body", b"")
        _within(parts, limit)
        if not message.get("more_body", False):
            return bytes(parts)
        message = await receive()


def _within(body: bytes | bytearray, limit: int) -> bytes:
    if len(body) > limit:
        raise _too_large(limit)
    return body  # type: ignore[return-value]


def _too_large(limit: int) -> InvalidRequest:
    return InvalidRequest(
        ErrorReason.PAYLOAD_TOO_LARGE, f"The request body is larger than {limit // (1024 * 1024)} MB.", param="body"
    )


def decode(decoder: msgspec.json.Decoder[T], body: bytes, *, max_depth: int) -> T:
    """Return the decoded body.

    Raises:
        InvalidRequest: not JSON, too deep, or a field is wrong; `param` is the field's path.
    """
    check_depth(body, max_depth)
    try:
        if not body.isascii():
            body.decode()
        decoded = decoder.decode(body)
    except msgspec.ValidationError as exc:
        raise wrong_field(exc) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise _malformed(body, exc) from None
    check_duplicates(body)
    return decoded


def wrong_field(error: msgspec.ValidationError, prefix: str = "") -> InvalidRequest:
    """Return the refusal that names the field of a validation error, under `prefix`."""
    text = str(error)
    at = _AT.search(text)
    path = at[1] if at else ""
    problem = text[: at.start()] if at else text
    missing = re.search(r"missing required field `([^`]+)`", problem)
    if missing:
        path = f"{path}.{missing[1]}" if path else missing[1]
        problem = "This field is required"
    path = path.replace("[...]", "") if not prefix else _joined(prefix, path)
    where = f" (field `{path}`)" if path else ""
    return InvalidRequest(ErrorReason.INVALID_PARAMETERS, f"{problem}{where}.", param=path or "body")


def _joined(prefix: str, path: str) -> str:
    if not path:
        return prefix
    return f"{prefix}{path}" if path.startswith("[") else f"{prefix}.{path}"


def check_depth(body: bytes, max_depth: int) -> None:
    """Refuse a body nested deeper than `max_depth`, at memory speed: brackets outside strings, pairs removed by level.

    Raises:
        InvalidRequest: too deep.
    """
    if body.count(b"[") + body.count(b"{") <= max_depth:
        return
    text = body.replace(b"\\\\", b"").replace(b'\\"', b"") if b"\\" in body else body
    brackets = b"".join(text.translate(None, _DROP).split(b'"')[::2]).translate(_SAME_BRACKETS)
    for _ in range(max_depth):
        if not brackets:
            return
        before, brackets = len(brackets), brackets.replace(b"[]", b"")
        if len(brackets) == before:
            return  # unbalanced: the decoder says what is wrong, and stops at its own depth
    if brackets:
        raise InvalidRequest(
            ErrorReason.INVALID_REQUEST, f"The JSON body is nested deeper than {max_depth} levels.", param="body"
        )


def check_duplicates(body: bytes) -> None:
    """Refuse a body that says one of the keys that matter twice in one object.

    Raises:
        InvalidRequest: a key comes twice; it is named.
    """
    if any(body.count(key) > 1 for key in _ONCE) or body.count(b'"role"') != body.count(b'"content"'):
        json.loads(body, object_pairs_hook=_refuse_duplicates)


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> None:
    seen = set()
    for key, _ in pairs:
        if key in seen:
            raise InvalidRequest(
                ErrorReason.INVALID_REQUEST, f"The key `{key[:64]}` comes twice in one object.", param=key[:64]
            )
        seen.add(key)


def _malformed(body: bytes, error: Exception) -> InvalidRequest:
    """Name the field whose value is no JSON value: NaN, Infinity, invalid UTF-8, half a surrogate pair."""
    unreadable = InvalidRequest(
        ErrorReason.INVALID_REQUEST, f"The body is not valid JSON: {_detail(error)}.", param="body"
    )
    try:
        found = _find_bad(json.loads(body.decode("utf-8", "surrogateescape")), "")
    except (ValueError, RecursionError):
        return unreadable
    if found is None:
        return unreadable
    path, problem = found
    where = path.lstrip(".") or "body"
    return InvalidRequest(ErrorReason.INVALID_REQUEST, f"{problem} (field `{where}`).", param=where)


def _detail(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"invalid UTF-8 at byte {error.start}"
    if isinstance(error, RecursionError):
        return "nested too deeply"
    return str(error).removeprefix("JSON is malformed: ") or "unreadable"


def _find_bad(value: Any, path: str) -> tuple[str, str] | None:
    if isinstance(value, float) and not math.isfinite(value):
        return path, "NaN and Infinity are not JSON numbers"
    if isinstance(value, str):
        return (path, "The text is not valid UTF-8") if _has_surrogate(value) else None
    if isinstance(value, dict):
        children: Any = ((f"{path}.{_printable(key)}", item, key) for key, item in value.items())
    elif isinstance(value, list):
        children = ((f"{path}[{index}]", item, "") for index, item in enumerate(value))
    else:
        return None
    for child_path, item, key in children:
        found = (child_path, "A key is not valid UTF-8") if _has_surrogate(key) else _find_bad(item, child_path)
        if found:
            return found
    return None


def _has_surrogate(text: str) -> bool:
    return not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text)


def _printable(key: str) -> str:
    return key.encode("utf-8", "replace").decode()[:64]
