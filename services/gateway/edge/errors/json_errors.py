"""Errors as JSON: in the form that the route speaks (the API's own, mostly), and in that of OAuth (RFC 6749 5.2)."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from servicekit.errors import (
    DeadlineExceeded,
    ErrorReason,
    Internal,
    InvalidRequest,
    PermissionDenied,
    QuotaExceeded,
    ServiceError,
    Unauthenticated,
    Unavailable,
)
from services.gateway.clients.oauth_views import OAuthRefused
from services.gateway.edge.problems import Headers, code_of, headers_of, status_of
from services.gateway.edge.request_context import RequestContext, is_dpop
from services.gateway.edge.respond import Answer, json_answer

# The rest of the body is still on its way; nobody wants to read it.
HANG_UP: Final = (b"connection", b"close")
_PROTOCOL: Final[dict[type[ServiceError], tuple[int, str]]] = {
    InvalidRequest: (400, "invalid_request"),
    Unauthenticated: (401, "invalid_token"),
    PermissionDenied: (403, "insufficient_scope"),
    QuotaExceeded: (429, "temporarily_unavailable"),
    Unavailable: (503, "temporarily_unavailable"),
    DeadlineExceeded: (503, "temporarily_unavailable"),
    Internal: (500, "server_error"),
}

# What the protocol has codes of its own for.
_PROOF: Final = frozenset({ErrorReason.INVALID_DPOP_PROOF, ErrorReason.USE_DPOP_NONCE})


def api_error(context: RequestContext, error: ServiceError, headers: Headers | None = None) -> Answer:
    """Return an error in the form of its route and note its code. `headers`: further ones."""
    context.error_code = code_of(error)
    name_field(context, error)
    dpop = is_dpop(context.authorization)
    status, explained = status_of(error), headers_of(error, dpop=dpop)
    if any(name == b"retry-after" for name, _ in context.headers):
        explained = [header for header in explained if header[0] != b"retry-after"]
    if status == 413:
        explained.append(HANG_UP)
    return json_answer(status, context.error_form(error, context.request_id), [*explained, *(headers or [])])


def name_field(context: RequestContext, error: ServiceError) -> None:
    """Have an error name the field that it is about as the caller wrote it, in place; once."""
    if error.param is None:
        return
    name = context.field_name(error.param)
    # Only where the sentence names it: `stop` is a part of other words too.
    for quote in "`'":
        error.message = error.message.replace(f"{quote}{error.param}{quote}", f"{quote}{name}{quote}")
    error.param = name


def protocol_error(error: OAuthRefused | ServiceError, authorization: bytes = b"") -> tuple[int, bytes, Headers]:
    """Return status, body and explaining headers of an error in the form of the protocol.

    `authorization`: that header of the request; challenges are of its scheme.
    """
    if isinstance(error, OAuthRefused):
        basic = (b"www-authenticate", b'Basic realm="razvilka", charset="UTF-8"')
        challenge = [basic] if error.challenge_basic else []
        return error.status, _protocol_body(error.error, error.description), challenge
    status, code = _PROTOCOL.get(type(error), (400, "invalid_request"))
    if error.reason in _PROOF:
        code = code_of(error)
    return status, _protocol_body(code, error.message), headers_of(error, dpop=is_dpop(authorization))


def _protocol_body(error: str, description: str) -> bytes:
    """The description has only what RFC 6749 5.2 allows."""
    body: dict[str, Any] = {"error": error}
    allowed = "".join(char for char in description if " " <= char <= "~" and char not in '"\\')
    if allowed:
        body["error_description"] = allowed
    return msgspec.json.encode(body)
