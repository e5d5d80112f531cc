"""The errors of all services: each has a kind, a reason and a message that is safe to show.

    ServiceError
     ├── InvalidRequest       the caller must change the request
     ├── Unauthenticated      who are you?
     ├── PermissionDenied     known, but not allowed
     ├── NotFound             absent, or someone else's
     ├── Conflict             it clashes with what exists
     ├── QuotaExceeded        a limit, quota or budget is spent
     ├── ProviderFailed       an upstream answered wrongly
     ├── Unavailable          try again later
     ├── DeadlineExceeded     time ran out
     └── Internal             our fault; details stay in the log

Domain and use cases raise these; `servicekit.rpc_errors` carries them over gRPC; the gateway's
`problems` renders them over HTTP. Nothing else maps errors.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar, Final, Self


class ErrorReason(StrEnum):
    """Why a request failed. Values are stable: clients see them as `error.code` in lower case."""

    INVALID_REQUEST = "INVALID_REQUEST"
    INVALID_PARAMETERS = "INVALID_PARAMETERS"
    UNSUPPORTED_PARAMETER = "UNSUPPORTED_PARAMETER"
    CONTEXT_LENGTH_EXCEEDED = "CONTEXT_LENGTH_EXCEEDED"
    REQUEST_TIMEOUT = "REQUEST_TIMEOUT"
    PAYLOAD_TOO_LARGE = "PAYLOAD_TOO_LARGE"
    TOOL_TOO_LARGE = "TOOL_TOO_LARGE"
    UNSUPPORTED_MEDIA_TYPE = "UNSUPPORTED_MEDIA_TYPE"
    METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED"
    AUTH_REQUIRED = "AUTH_REQUIRED"
    INVALID_KEY = "INVALID_KEY"
    INVALID_TOKEN = "INVALID_TOKEN"
    TOKEN_EXPIRED = "TOKEN_EXPIRED"
    INVALID_CREDENTIALS = "INVALID_CREDENTIALS"
    SECOND_FACTOR_REQUIRED = "SECOND_FACTOR_REQUIRED"
    INVALID_DPOP_PROOF = "INVALID_DPOP_PROOF"
    USE_DPOP_NONCE = "USE_DPOP_NONCE"
    INSUFFICIENT_USER_AUTHENTICATION = "INSUFFICIENT_USER_AUTHENTICATION"
    INSUFFICIENT_SCOPE = "INSUFFICIENT_SCOPE"
    MODEL_NOT_ALLOWED = "MODEL_NOT_ALLOWED"
    IP_NOT_ALLOWED = "IP_NOT_ALLOWED"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    NOT_FOUND = "NOT_FOUND"
    MODEL_NOT_FOUND = "MODEL_NOT_FOUND"
    CONFLICT = "CONFLICT"
    IDEMPOTENCY_KEY_REUSED = "IDEMPOTENCY_KEY_REUSED"
    IDEMPOTENCY_IN_PROGRESS = "IDEMPOTENCY_IN_PROGRESS"
    IDEMPOTENCY_REPLAY_UNAVAILABLE = "IDEMPOTENCY_REPLAY_UNAVAILABLE"
    RATE_LIMIT_EXCEEDED = "RATE_LIMIT_EXCEEDED"
    QUOTA_EXCEEDED = "QUOTA_EXCEEDED"
    CONCURRENT_LIMIT = "CONCURRENT_LIMIT"
    BUDGET_EXCEEDED = "BUDGET_EXCEEDED"
    CONTENT_FILTER = "CONTENT_FILTER"
    PREVIOUS_RESPONSE_NOT_FOUND = "PREVIOUS_RESPONSE_NOT_FOUND"
    PROVIDER_ERROR = "PROVIDER_ERROR"
    PROVIDER_RATE_LIMITED = "PROVIDER_RATE_LIMITED"
    PROVIDER_CREDENTIALS = "PROVIDER_CREDENTIALS"
    PROVIDER_QUOTA_EXHAUSTED = "PROVIDER_QUOTA_EXHAUSTED"
    PROVIDER_TIMEOUT = "PROVIDER_TIMEOUT"
    PROVIDER_UNAVAILABLE = "PROVIDER_UNAVAILABLE"
    NO_HEALTHY_PROVIDER = "NO_HEALTHY_PROVIDER"
    MODEL_WITHOUT_PRICE = "MODEL_WITHOUT_PRICE"
    SERVICE_UNAVAILABLE = "SERVICE_UNAVAILABLE"
    DATABASE_ERROR = "DATABASE_ERROR"
    CACHE_ERROR = "CACHE_ERROR"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    INTERNAL_ERROR = "INTERNAL_ERROR"


class ServiceError(Exception):
    """A failure that is told to the caller, over gRPC and HTTP.

    Args:
        reason: the stable code.
        message: a sentence for the caller; never a secret, a prompt or a stack trace.
        param: the field at fault, as the caller wrote it ("messages[0].content").
        retry_after_s: when trying again can help.
        details: further facts for the caller, all strings.
    """

    kind: ClassVar[str] = "internal"

    def __init__(
        self,
        reason: ErrorReason,
        message: str,
        *,
        param: str | None = None,
        retry_after_s: float | None = None,
        details: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.param = param
        self.retry_after_s = retry_after_s
        self.details = details or {}

    def anew(self) -> Self:
        """Return a copy for another caller: each adds details of its own, which the others must not get."""
        made = type(self).__new__(type(self), *self.args)
        made.__dict__.update(self.__dict__)
        made.details = dict(self.details)
        return made

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.reason.value}: {self.message})"


class InvalidRequest(ServiceError):
    """The caller must change the request."""

    kind = "invalid_request"


class Unauthenticated(ServiceError):
    """The caller is unknown, or the credential is no longer valid."""

    kind = "unauthenticated"


class PermissionDenied(ServiceError):
    """Known, but not allowed to do this."""

    kind = "permission_denied"


class NotFound(ServiceError):
    """Absent, or someone else's: the caller cannot tell which."""

    kind = "not_found"


class Conflict(ServiceError):
    """It clashes with what exists."""

    kind = "conflict"


class QuotaExceeded(ServiceError):
    """A limit, quota or budget is spent."""

    kind = "quota_exceeded"


class ProviderFailed(ServiceError):
    """An upstream answered wrongly or refused us."""

    kind = "provider_failed"


class Unavailable(ServiceError):
    """Something we need is down; trying again later can help."""

    kind = "unavailable"


class DeadlineExceeded(ServiceError):
    """Time ran out before the answer came."""

    kind = "deadline_exceeded"


class Internal(ServiceError):
    """Our fault. The message is fixed; the cause is in the log."""

    kind = "internal"

    def __init__(self, message: str = "Internal error.") -> None:
        super().__init__(ErrorReason.INTERNAL_ERROR, message)


def invalid_parameter(param: str, message: str) -> InvalidRequest:
    """Return the refusal of the value of one field, named as the caller wrote it."""
    return InvalidRequest(ErrorReason.INVALID_PARAMETERS, message, param=param)


KINDS: dict[str, type[ServiceError]] = {
    kind.kind: kind
    for kind in (
        InvalidRequest,
        Unauthenticated,
        PermissionDenied,
        NotFound,
        Conflict,
        QuotaExceeded,
        ProviderFailed,
        Unavailable,
        DeadlineExceeded,
        Internal,
    )
}

# What is wrong with a request is no failure of ours: anybody could send us any number of them.
OF_CALLERS: Final = (InvalidRequest, Unauthenticated, PermissionDenied, NotFound, Conflict, QuotaExceeded)


def name_of(error: BaseException) -> str:
    """Return what log lines call a failure: the reason of one of ours ("DATABASE_ERROR"), of any other its class."""
    return error.reason.value if isinstance(error, ServiceError) else type(error).__name__


def cause_of(error: BaseException) -> dict[str, str]:
    """Return what a failure was made of, as fields of a log line: {} when it is nobody else's error."""
    cause = error.__cause__
    return {} if cause is None else {"cause": type(cause).__name__, "error": str(cause)[:200]}
