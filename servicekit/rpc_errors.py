"""ServiceError <-> gRPC status. The only file that names `grpc.StatusCode` for errors.

On the wire an error is the status code of its kind, its message, and one trailer
`razvilka-error-bin` with the rest as JSON. (google.rpc.Status details would carry the same at ten times
the cost of building three nested protobuf messages on a path that overload makes hot.)
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import grpc
import structlog

from servicekit.errors import (
    KINDS,
    Conflict,
    DeadlineExceeded,
    ErrorReason,
    Internal,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    ProviderFailed,
    QuotaExceeded,
    ServiceError,
    Unauthenticated,
    Unavailable,
)

TRAILER: Final = "razvilka-error-bin"

log = structlog.get_logger()

STATUS_OF_KIND: Final[dict[type[ServiceError], grpc.StatusCode]] = {
    InvalidRequest: grpc.StatusCode.INVALID_ARGUMENT,
    Unauthenticated: grpc.StatusCode.UNAUTHENTICATED,
    PermissionDenied: grpc.StatusCode.PERMISSION_DENIED,
    NotFound: grpc.StatusCode.NOT_FOUND,
    Conflict: grpc.StatusCode.ALREADY_EXISTS,
    QuotaExceeded: grpc.StatusCode.RESOURCE_EXHAUSTED,
    ProviderFailed: grpc.StatusCode.ABORTED,
    Unavailable: grpc.StatusCode.UNAVAILABLE,
    DeadlineExceeded: grpc.StatusCode.DEADLINE_EXCEEDED,
    Internal: grpc.StatusCode.INTERNAL,
}


# What stands for a reason that only the version on the other side knows: its kind says what the caller can do.
REASON_OF_KIND: Final[dict[type[ServiceError], ErrorReason]] = {
    InvalidRequest: ErrorReason.INVALID_REQUEST,
    Unauthenticated: ErrorReason.AUTH_REQUIRED,
    PermissionDenied: ErrorReason.PERMISSION_DENIED,
    NotFound: ErrorReason.NOT_FOUND,
    Conflict: ErrorReason.CONFLICT,
    QuotaExceeded: ErrorReason.QUOTA_EXCEEDED,
    ProviderFailed: ErrorReason.PROVIDER_ERROR,
    Unavailable: ErrorReason.SERVICE_UNAVAILABLE,
    DeadlineExceeded: ErrorReason.DEADLINE_EXCEEDED,
    Internal: ErrorReason.INTERNAL_ERROR,
}


# Every error of a server of ours has a trailer, so without one these are what gRPC makes of a server that went away.
_GONE: Final = frozenset((grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED, grpc.StatusCode.UNKNOWN))


def encode(error: ServiceError) -> tuple[grpc.StatusCode, str, tuple[tuple[str, str | bytes], ...]]:
    """Return the status code, message and trailing metadata that carry `error`."""
    body = fields(error)
    message = body.pop("message")
    return STATUS_OF_KIND[type(error)], message, ((TRAILER, json.dumps(body).encode()),)


def fields(error: ServiceError) -> dict[str, Any]:
    """Return the fields of `error` that are sent: kind, reason, message, param, retry_after_s, details."""
    return {
        "kind": error.kind,
        "reason": error.reason.value,
        "message": error.message,
        "param": error.param,
        "retry_after_s": error.retry_after_s,
        "details": error.details,
    }


def from_fields(body: Mapping[str, Any]) -> ServiceError:
    """Rebuild the error of `fields`; a kind that this version does not know is Internal."""
    try:
        kind = KINDS[body["kind"]]
        reason = _reason(body["reason"], kind)
        message = body["message"]
    except (KeyError, TypeError):
        return Internal()
    if kind is Internal:
        return Internal(message)
    return kind(
        reason, message, param=body.get("param"), retry_after_s=body.get("retry_after_s"), details=body.get("details")
    )


def _reason(name: Any, kind: type[ServiceError]) -> ErrorReason:
    try:
        return ErrorReason(name)
    except ValueError:
        return REASON_OF_KIND[kind]


def decode(error: grpc.aio.AioRpcError) -> ServiceError:
    """Rebuild the ServiceError that `encode` carried, or name the transport's own failure."""
    for key, value in error.trailing_metadata() or ():
        if key == TRAILER:
            return _from_trailer(bytes(value) if not isinstance(value, str) else value.encode(), error.details() or "")
    return _transport_failure(error)


def _from_trailer(trailer: bytes, message: str) -> ServiceError:
    try:
        return from_fields({**json.loads(trailer), "message": message})
    except (ValueError, TypeError):
        return Internal()


def unavailable() -> ServiceError:
    """Return the error for a service that is down or overloaded."""
    return Unavailable(
        ErrorReason.SERVICE_UNAVAILABLE, "A part of the service is unavailable. Try again.", retry_after_s=1.0
    )


def deadline_exceeded() -> ServiceError:
    """Return the error for a call whose deadline has passed."""
    return DeadlineExceeded(ErrorReason.DEADLINE_EXCEEDED, "The time for this request ran out.")


def too_large() -> ServiceError:
    """Return the error for a message above the size limit."""
    return InvalidRequest(ErrorReason.PAYLOAD_TOO_LARGE, "The request or its answer is too large.")


def _transport_failure(error: grpc.aio.AioRpcError) -> ServiceError:
    code = error.code()
    if code == grpc.StatusCode.DEADLINE_EXCEEDED:
        return deadline_exceeded()
    if code in _GONE or _was_reset(error):
        return unavailable()
    if code == grpc.StatusCode.RESOURCE_EXHAUSTED:
        return too_large()
    log.warning("rpc.transport_failed", code=code.name, details=error.details())
    if code == grpc.StatusCode.UNIMPLEMENTED:
        # A server of the release before, beside us for as long as the rollout takes.
        return unavailable()
    return Internal()


def _was_reset(error: grpc.aio.AioRpcError) -> bool:
    # A server that dies in the middle of a call: sometimes its connection ends first, sometimes the call.
    return error.code() == grpc.StatusCode.INTERNAL and "RST_STREAM" in (error.details() or "")
