"""Query and form parameters as they came: in order, with repetitions and empty ones (RFC 6749 3.1 and 3.2)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final
from urllib.parse import unquote_to_bytes

from starlette.types import Receive, Scope

from servicekit.errors import ErrorReason, InvalidRequest, NotFound, invalid_parameter
from services.gateway.clients.oauth_views import OAuthRefused, Params
from services.gateway.edge.errors.path_hints import NOTHING
from services.gateway.edge.problems import status_of
from services.gateway.edge.reading.body import SMALL, BodyLimits, read_body
from services.gateway.edge.reading.json_body import invalid_field

MAX_PARAMS: Final = 200
LONGEST_TYPED: Final = 1024
FORM: Final = b"application/x-www-form-urlencoded"


def parse_params(raw: bytes) -> Params:
    """Return the parameters.

    Raises:
        OAuthRefused: not UTF-8, a NUL, or too many.
    """
    if raw.count(b"&") >= MAX_PARAMS:
        raise OAuthRefused("invalid_request", "There are too many parameters.")
    parts = [part for part in raw.split(b"&") if part]
    return [(_text(name), _text(value)) for name, _, value in (part.partition(b"=") for part in parts)]


def check_query(raw: bytes, lists: Collection[str] = ()) -> None:
    """Refuse a query of the API that says a name twice: two servers on the way could read two requests.

    `lists` are the names whose every value counts.

    Raises:
        InvalidRequest: it does, or it is none; the name is told.
    """
    if not raw:
        return
    try:
        names = [name for name, _ in parse_params(raw) if name not in lists]
    except OAuthRefused as exc:
        raise invalid_parameter("query", exc.description) from None
    if len(set(names)) == len(names):
        return
    name = next(name for at, name in enumerate(names) if name in names[:at])[:64]
    raise invalid_field(name, "This parameter comes twice")


def check_path(path: str) -> None:
    """Refuse a path with a NUL: no store has such a text, and nothing is called so.

    Raises:
        NotFound: it has one.
    """
    if "\0" in path:
        raise NotFound(ErrorReason.NOT_FOUND, NOTHING)


def _text(raw: bytes) -> str:
    try:
        text = unquote_to_bytes(raw.replace(b"+", b" ")).decode()
    except UnicodeDecodeError as exc:
        raise OAuthRefused("invalid_request", "A parameter is not valid UTF-8.") from exc
    if "\0" in text:
        raise OAuthRefused("invalid_request", "A parameter has a NUL character.")
    return text


async def read_form(scope: Scope, receive: Receive, limits: BodyLimits = SMALL) -> Params:
    """Return the parameters of a form body.

    Raises:
        OAuthRefused: another content type, too large, or unreadable.
    """
    if content_type(scope) != FORM:
        raise OAuthRefused("invalid_request", "The body must be application/x-www-form-urlencoded.")
    return parse_params(await read_small_body(scope, receive, limits))


def content_type(scope: Scope) -> bytes:
    """Return the media type without its parameters, "" when there is none or more than one."""
    given = [value for name, value in scope["headers"] if name == b"content-type"]
    return given[0].partition(b";")[0].strip().lower() if len(given) == 1 else b""


async def read_small_body(scope: Scope, receive: Receive, limits: BodyLimits = SMALL) -> bytes:
    """Return the body.

    Raises:
        OAuthRefused: it is larger than any honest one, encoded, or trickles in.
    """
    try:
        return await read_body(scope, receive, limits)
    except InvalidRequest as exc:
        status = status_of(exc)
        raise OAuthRefused("invalid_request", exc.message, 400 if status == 415 else status) from exc


def first(params: Params, name: str) -> str:
    """Return the first value of a field of our own forms, "" when it is absent."""
    return next((value for given, value in params if given == name), "")


def typed(params: Params, name: str) -> str:
    """Return what somebody typed into a field: as `first`, but of a longer text its first 1,024 characters."""
    return first(params, name)[:LONGEST_TYPED]


def every(params: Params, name: str) -> tuple[str, ...]:
    """Return all values of a field of our own forms that are not empty."""
    return tuple(value for given, value in params if given == name and value)


def ticked(params: Params, group: str) -> tuple[str, ...]:
    """Return which boxes of a group are ticked: fields named "<group> <what>"."""
    prefix = f"{group} "
    return tuple(name.removeprefix(prefix) for name, value in params if name.startswith(prefix) and value)
