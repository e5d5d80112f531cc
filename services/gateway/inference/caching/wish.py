"""What a caller says of the cache, and which requests are the same."""

from __future__ import annotations

from typing import Final, TypeVar

import msgspec

from servicekit.errors import ErrorReason, InvalidRequest
from services.gateway.edge.origin import header
from services.gateway.edge.request_context import CacheWish, RequestContext
from services.gateway.inference.keeping.sealing import digest
from services.gateway.settings import CacheSettings

HEADER: Final = "x-razvilka-cache"
TTL_HEADER: Final = "x-razvilka-cache-ttl"
# How an answer is sent is no part of what is asked.
_FORM: Final = ("stream", "stream_options")

Body = TypeVar("Body", bound=msgspec.Struct)

_encode: Final = msgspec.json.Encoder().encode


def wish_of(context: RequestContext, request: msgspec.Struct, settings: CacheSettings) -> CacheWish | None:
    """Return what the caller wants of the cache; None: nothing. A header counts before what its key says.

    Raises:
        InvalidRequest: a header says what it cannot.
    """
    of_key = context.known_caller.cache_ttl_s
    asked = context.asked_cache.decode("latin-1").strip().lower() or ("off" if of_key is None else "on")
    if asked == "off":
        return None
    if asked != "on":
        raise _wrong(HEADER, "must be `on` or `off`")
    usual_s = min(of_key or settings.ttl_s, settings.most_ttl_s)
    ttl_s = _ttl_s(header(context.scope, TTL_HEADER.encode()), usual_s, settings)
    return CacheWish(digest("same", context.route, _encode(_without_form(request))), ttl_s)


def _ttl_s(given: str, usual_s: int, settings: CacheSettings) -> int:
    if not given:
        return usual_s
    if not given.isascii() or not given.isdecimal() or len(given) > 9 or not 1 <= int(given) <= settings.most_ttl_s:
        raise _wrong(TTL_HEADER, f"must be a number of seconds from 1 to {settings.most_ttl_s}")
    return int(given)


def _without_form(request: Body) -> Body:
    return msgspec.structs.replace(request, **{name: None for name in _FORM if name in request.__struct_fields__})


def _wrong(name: str, problem: str) -> InvalidRequest:
    return InvalidRequest(ErrorReason.INVALID_REQUEST, f"The header {name} {problem}.", param=name)
