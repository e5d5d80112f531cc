"""ErrorReason -> HTTP status, code and body. The one place.

Every error body carries both dialects: release 1.0's `error.code, message, details` and OpenAI's
`error.type, param`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from servicekit.errors import ErrorReason, ServiceError
from services.gateway.edge.header_values import quoted_value

Headers = list[tuple[bytes, bytes]]
# An error and the id of the request -> the body that says it.
ErrorForm = Callable[[ServiceError, str], bytes]


@dataclass(frozen=True, slots=True)
class Rendering:
    """How one reason looks over HTTP."""

    status: int
    type: str
    retryable: bool = False


_BAD_REQUEST: Final = "invalid_request_error"
_AUTHENTICATION: Final = "authentication_error"
_PERMISSION: Final = "permission_error"
_RATE_LIMIT: Final = "rate_limit_error"
_QUOTA: Final = "insufficient_quota"
_SERVER: Final = "server_error"

RENDERING: Final[dict[ErrorReason, Rendering]] = {
    ErrorReason.INVALID_REQUEST: Rendering(400, _BAD_REQUEST),
    ErrorReason.INVALID_PARAMETERS: Rendering(400, _BAD_REQUEST),
    ErrorReason.UNSUPPORTED_PARAMETER: Rendering(400, _BAD_REQUEST),
    ErrorReason.CONTEXT_LENGTH_EXCEEDED: Rendering(400, _BAD_REQUEST),
    # Not the conversation: a client that shortens its messages would never get through.
    ErrorReason.TOOL_TOO_LARGE: Rendering(400, _BAD_REQUEST),
    ErrorReason.CONTENT_FILTER: Rendering(400, _BAD_REQUEST),
    # 400, as OpenAI has it: clients that read it send the whole conversation instead.
    ErrorReason.PREVIOUS_RESPONSE_NOT_FOUND: Rendering(400, _BAD_REQUEST),
    ErrorReason.AUTH_REQUIRED: Rendering(401, _AUTHENTICATION),
    ErrorReason.INVALID_KEY: Rendering(401, _AUTHENTICATION),
    ErrorReason.INVALID_TOKEN: Rendering(401, _AUTHENTICATION),
    ErrorReason.TOKEN_EXPIRED: Rendering(401, _AUTHENTICATION),
    ErrorReason.INVALID_DPOP_PROOF: Rendering(401, _AUTHENTICATION),
    ErrorReason.USE_DPOP_NONCE: Rendering(401, _AUTHENTICATION),
    ErrorReason.INSUFFICIENT_USER_AUTHENTICATION: Rendering(401, _AUTHENTICATION),
    # The credential of the request is good; it is the password in its body that is not.
    ErrorReason.INVALID_CREDENTIALS: Rendering(403, _PERMISSION),
    ErrorReason.SECOND_FACTOR_REQUIRED: Rendering(403, _PERMISSION),
    ErrorReason.INSUFFICIENT_SCOPE: Rendering(403, _PERMISSION),
    ErrorReason.MODEL_NOT_ALLOWED: Rendering(403, _PERMISSION),
    ErrorReason.IP_NOT_ALLOWED: Rendering(403, _PERMISSION),
    ErrorReason.PERMISSION_DENIED: Rendering(403, _PERMISSION),
    ErrorReason.NOT_FOUND: Rendering(404, _BAD_REQUEST),
    ErrorReason.MODEL_NOT_FOUND: Rendering(404, _BAD_REQUEST),
    ErrorReason.METHOD_NOT_ALLOWED: Rendering(405, _BAD_REQUEST),
    ErrorReason.CONFLICT: Rendering(409, _BAD_REQUEST),
    ErrorReason.IDEMPOTENCY_KEY_REUSED: Rendering(409, _BAD_REQUEST),
    ErrorReason.IDEMPOTENCY_IN_PROGRESS: Rendering(409, _BAD_REQUEST, retryable=True),
    ErrorReason.IDEMPOTENCY_REPLAY_UNAVAILABLE: Rendering(409, _BAD_REQUEST),
    ErrorReason.REQUEST_TIMEOUT: Rendering(408, _BAD_REQUEST),
    ErrorReason.PAYLOAD_TOO_LARGE: Rendering(413, _BAD_REQUEST),
    ErrorReason.UNSUPPORTED_MEDIA_TYPE: Rendering(415, _BAD_REQUEST),
    ErrorReason.RATE_LIMIT_EXCEEDED: Rendering(429, _RATE_LIMIT, retryable=True),
    ErrorReason.CONCURRENT_LIMIT: Rendering(429, _RATE_LIMIT, retryable=True),
    # A spent day or budget does not come back within a client's retries.
    ErrorReason.QUOTA_EXCEEDED: Rendering(429, _QUOTA),
    ErrorReason.BUDGET_EXCEEDED: Rendering(429, _QUOTA),
    ErrorReason.INTERNAL_ERROR: Rendering(500, _SERVER, retryable=True),
    ErrorReason.PROVIDER_ERROR: Rendering(502, _SERVER, retryable=True),
    ErrorReason.PROVIDER_CREDENTIALS: Rendering(502, _SERVER),
    # 503, not 429: it is our allowance at the provider that is spent, not the caller's here.
    ErrorReason.PROVIDER_RATE_LIMITED: Rendering(503, _SERVER, retryable=True),
    ErrorReason.PROVIDER_QUOTA_EXHAUSTED: Rendering(503, _SERVER),
    ErrorReason.PROVIDER_UNAVAILABLE: Rendering(503, _SERVER, retryable=True),
    ErrorReason.NO_HEALTHY_PROVIDER: Rendering(503, _SERVER, retryable=True),
    ErrorReason.MODEL_WITHOUT_PRICE: Rendering(503, _SERVER),
    ErrorReason.SERVICE_UNAVAILABLE: Rendering(503, _SERVER, retryable=True),
    ErrorReason.DATABASE_ERROR: Rendering(503, _SERVER, retryable=True),
    ErrorReason.CACHE_ERROR: Rendering(503, _SERVER, retryable=True),
    ErrorReason.PROVIDER_TIMEOUT: Rendering(504, _SERVER, retryable=True),
    ErrorReason.DEADLINE_EXCEEDED: Rendering(504, _SERVER, retryable=True),
}

_BEARER: Final = b'Bearer realm="razvilka"'
_DPOP: Final = b'DPoP realm="razvilka"'
_ALGS: Final = b', algs="ES256 EdDSA Ed25519"'
# What a challenge says of the error, beside the scheme.
_CHALLENGE: Final = {
    ErrorReason.AUTH_REQUIRED: b"",
    ErrorReason.INVALID_KEY: b', error="invalid_token"',
    ErrorReason.INVALID_TOKEN: b', error="invalid_token"',
    ErrorReason.TOKEN_EXPIRED: b', error="invalid_token"',
    ErrorReason.INVALID_DPOP_PROOF: b', error="invalid_dpop_proof"',
    ErrorReason.USE_DPOP_NONCE: b', error="use_dpop_nonce"',
}
_OF_PROOFS: Final = frozenset({ErrorReason.INVALID_DPOP_PROOF, ErrorReason.USE_DPOP_NONCE})
# The next request may come either way. A key is no exception: nobody can tell it from a token of another server.
_EITHER_SCHEME: Final = frozenset(
    {ErrorReason.AUTH_REQUIRED, ErrorReason.INVALID_KEY, ErrorReason.INVALID_TOKEN, ErrorReason.TOKEN_EXPIRED}
)


def status_of(error: ServiceError) -> int:
    """Return the HTTP status."""
    return RENDERING[error.reason].status


def code_of(error: ServiceError) -> str:
    """Return `error.code` as clients and metrics see it."""
    return error.reason.value.lower()


def body_of(error: ServiceError, request_id: str) -> dict[str, Any]:
    """Return the error object in both dialects."""
    return {
        "error": {
            "code": code_of(error),
            "message": error.message,
            "type": RENDERING[error.reason].type,
            "param": error.param,
            "details": {**error.details, "request_id": request_id},
        }
    }


def encode_body(error: ServiceError, request_id: str) -> bytes:
    """Return `body_of` as JSON."""
    return msgspec.json.encode(body_of(error, request_id))


def retry_after(error: ServiceError) -> str:
    """Return when to try again, in whole seconds, at least one; empty: nobody knows."""
    return "" if error.retry_after_s is None else str(max(1, math.ceil(error.retry_after_s)))


def wait_headers(error: ServiceError) -> Headers:
    """Return the header that says when to try again, if anybody knows."""
    wait_s = retry_after(error)
    return [(b"retry-after", wait_s.encode())] if wait_s else []


def headers_of(error: ServiceError, *, dpop: bool = False) -> Headers:
    """Return the headers that explain the error: when to try again, how to authenticate.

    Args:
        error: what is answered.
        dpop: the request came with the scheme DPoP, and so does the challenge (RFC 9449 7.1).
    """
    rendering = RENDERING[error.reason]
    headers = wait_headers(error)
    if (rendering.status == 409 or rendering.status >= 429) and not rendering.retryable:
        # The official client retries every 409, 429 and 5xx unless it is told not to.
        headers.append((b"x-should-retry", b"false"))
    headers += [(b"www-authenticate", challenge) for challenge in _challenges(error, dpop)]
    return headers


def _challenges(error: ServiceError, dpop: bool) -> list[bytes]:
    said = _said(error)
    if said is None:
        return []
    if dpop or error.reason in _OF_PROOFS:
        return [_DPOP + said + _ALGS]
    return [_BEARER + said, _DPOP + _ALGS] if error.reason in _EITHER_SCHEME else [_BEARER + said]


def _said(error: ServiceError) -> bytes | None:
    if error.reason is ErrorReason.INSUFFICIENT_SCOPE:
        scope = error.details.get("required_scope", "")
        return b', error="insufficient_scope", scope=' + quoted_value(scope)
    if error.reason is ErrorReason.INSUFFICIENT_USER_AUTHENTICATION:
        # RFC 9470 3: the client sends the person to /authorize with this max_age.
        max_age = quoted_value(error.details.get("max_age", ""))
        return b', error="insufficient_user_authentication", max_age=' + max_age
    return _CHALLENGE.get(error.reason)
