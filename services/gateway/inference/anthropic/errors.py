"""Errors in the form of the Messages API, with our code beside its type."""

from __future__ import annotations

from typing import Final

import msgspec

from servicekit.errors import ErrorReason, ServiceError
from services.gateway.edge.problems import code_of, status_of

_TYPES: Final = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    502: "api_error",
    503: "overloaded_error",
    504: "timeout_error",
}
# A spent budget does not come back by waiting: what Anthropic says when the credit is spent.
_SPENT: Final = frozenset((ErrorReason.BUDGET_EXCEEDED, ErrorReason.QUOTA_EXCEEDED))


def error_type(error: ServiceError) -> str:
    """Return the type that Anthropic's clients know an error by."""
    return "billing_error" if error.reason in _SPENT else _TYPES.get(status_of(error), "invalid_request_error")


def error_body(error: ServiceError, request_id: str) -> bytes:
    """Return the body of an error."""
    message = error.message
    if error.reason is ErrorReason.CONTEXT_LENGTH_EXCEEDED:
        # The words by which its clients know that the conversation must be shortened.
        message = f"prompt is too long: {message}"
    return msgspec.json.encode(
        {
            "type": "error",
            "error": {
                "type": error_type(error),
                "message": message,
                "code": code_of(error),
                "param": error.param,
                "details": error.details,
            },
            "request_id": request_id,
        }
    )
