"""Errors for callers who get no slot in time, always with Retry-After."""

from __future__ import annotations

from typing import Final

from servicekit.errors import ErrorReason, ServiceError, Unavailable
from services.router.domain.failure import FINAL_DETAIL, LIMIT_DETAIL, OUR_QUEUE

# A shorter pause than a second cannot be said in Retry-After.
_LEAST_S: Final = 1.0


def _refusal(message: str, retry_after_s: float) -> ServiceError:
    return Unavailable(
        ErrorReason.PROVIDER_RATE_LIMITED,
        message,
        retry_after_s=max(_LEAST_S, retry_after_s),
        # Not to be tried again here: the wait was the attempt.
        details={LIMIT_DETAIL: OUR_QUEUE, FINAL_DETAIL: "yes"},
    )


def too_long(wait_s: float, left_s: float) -> ServiceError:
    """Refuse at once: the wait would be longer than the caller's."""
    text = f"The line for the provider is {wait_s:.0f} s long, and {max(0.0, left_s):.0f} s are left. Try again later."
    return _refusal(text, wait_s - left_s)


def too_late(retry_after_s: float) -> ServiceError:
    """The caller's time ran out in the line."""
    return _refusal("No slot of the provider became free in time. Try again later.", retry_after_s)


def full(retry_after_s: float) -> ServiceError:
    """The line is full."""
    return _refusal("The line for the provider is full. Try again later.", retry_after_s)


def in_vain() -> ServiceError:
    """The model was found to hang while the caller stood in the line."""
    return _refusal("The model stopped answering while its line was waited in. Try again later.", _LEAST_S)
