"""Every reason has one rendering, and none of them leaks."""

from __future__ import annotations

import json

import pytest

from servicekit.errors import ErrorReason, Internal, PermissionDenied, QuotaExceeded, ServiceError, Unavailable
from services.gateway.edge.problems import RENDERING, body_of, code_of, encode_body, headers_of, status_of

# Release 1.0's codes that still exist; clients may depend on each.
CODES_OF_1_0 = {
    "auth_required",
    "invalid_token",
    "token_expired",
    "invalid_key",
    "rate_limit_exceeded",
    "quota_exceeded",
    "concurrent_limit",
    "provider_error",
    "provider_timeout",
    "provider_unavailable",
    "model_not_found",
    "invalid_request",
    "invalid_parameters",
    "content_filter",
    "internal_error",
    "service_unavailable",
    "database_error",
    "cache_error",
}


@pytest.mark.parametrize("reason", ErrorReason)
def test_every_reason_is_rendered(reason: ErrorReason) -> None:
    """Both dialects, a 4xx or 5xx, details an object of texts with the request id."""
    error = ServiceError(reason, "Something.", param="model", details={"a": "b"})

    body = body_of(error, "id-1")["error"]

    assert 400 <= status_of(error) <= 599
    assert body == {
        "code": reason.value.lower(),
        "message": "Something.",
        "type": RENDERING[reason].type,
        "param": "model",
        "details": {"a": "b", "request_id": "id-1"},
    }


def test_codes_of_release_1_0_are_kept() -> None:
    """No code that a 1.0 client knows has changed its name."""
    assert {code_of(ServiceError(reason, "")) for reason in ErrorReason} >= CODES_OF_1_0


@pytest.mark.parametrize("reason", ErrorReason)
def test_only_hopeless_errors_forbid_a_retry(reason: ErrorReason) -> None:
    """The official client retries every 409, 429 and 5xx; `x-should-retry: false` stops it where it cannot help."""
    headers = dict(headers_of(ServiceError(reason, "")))
    rendering = RENDERING[reason]

    is_tried_again = rendering.status == 409 or rendering.status >= 429
    assert (b"x-should-retry" in headers) == (is_tried_again and not rendering.retryable)


def test_retry_after_is_whole_seconds_rounded_up() -> None:
    """Never earlier than it helps."""
    error = Unavailable(ErrorReason.SERVICE_UNAVAILABLE, "", retry_after_s=1.2)

    assert dict(headers_of(error))[b"retry-after"] == b"2"


def test_every_401_has_a_challenge() -> None:
    """RFC 9110 asks for it."""
    for reason in ErrorReason:
        error = ServiceError(reason, "")
        if status_of(error) == 401:
            assert dict(headers_of(error))[b"www-authenticate"].startswith((b"Bearer ", b"DPoP "))


@pytest.mark.parametrize("reason", ErrorReason)
def test_a_request_by_dpop_gets_challenges_of_dpop_alone(reason: ErrorReason) -> None:
    """With the algorithms of a proof (RFC 9449 7.1); who gets no challenge otherwise gets none then."""
    otherwise, by_dpop = (
        [value for name, value in headers_of(ServiceError(reason, ""), dpop=dpop) if name == b"www-authenticate"]
        for dpop in (False, True)
    )

    assert bool(by_dpop) == bool(otherwise)
    assert all(value.startswith(b"DPoP ") and b', algs="' in value for value in by_dpop)


def test_a_scope_in_a_challenge_cannot_break_the_header() -> None:
    """What is not ASCII does not get into headers."""
    error = PermissionDenied(ErrorReason.INSUFFICIENT_SCOPE, "", details={"required_scope": "я"})

    assert dict(headers_of(error))[b"www-authenticate"].endswith(b'scope="?"')


def test_internal_errors_say_nothing() -> None:
    """The message is fixed; the cause is in the log."""
    body = json.loads(encode_body(Internal(), "id-1"))["error"]

    assert (body["code"], body["message"]) == ("internal_error", "Internal error.")


def test_a_spent_budget_is_insufficient_quota() -> None:
    """OpenAI's type for money, so that clients tell it from a rate limit."""
    body = body_of(QuotaExceeded(ErrorReason.BUDGET_EXCEEDED, "Spent."), "id-1")["error"]

    assert body["type"] == "insufficient_quota"
