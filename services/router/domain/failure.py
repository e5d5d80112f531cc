"""What a provider's failure means: try the same model again, the next one, or stop?"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from servicekit.errors import ErrorReason, ServiceError

MAX_ATTEMPTS: Final = 3
# A longer Retry-After is not worth holding the caller's connection for.
LONGEST_WAIT_S: Final = 2.0
BACKOFF_S: Final = 0.1
# A quota is ours to wait for, not the caller's to feel: as often and as long as the providers' own SDKs do, until the
# deadline. A longer wish is told to the caller.
QUOTA_ATTEMPTS: Final = 5
QUOTA_WAIT_S: Final = 1.0
QUOTA_GROWTH: Final = 1.5
LONGEST_QUOTA_WAIT_S: Final = 10.0
# Set in an error's details by an adapter that knows that the same call fails again (501, a bad address).
FINAL_DETAIL: Final = "final"
# Which limit is reached: the provider's of `concurrency` or `rate`, or that of our own line for it.
LIMIT_DETAIL: Final = "limit"
OUR_QUEUE: Final = "queue"


class FailureClass(Enum):
    """Classes of failures that are handled alike."""

    TRANSIENT = "transient"
    """Refused, reset, DNS, TLS: probably not executed."""
    CAPACITY = "capacity"
    """A limit of ours at the provider is reached."""
    CREDENTIAL = "credential"
    """Our key, rights or money: another provider may still answer."""
    SERVER = "server"
    """The provider failed or spoke nonsense."""
    SLOW = "slow"
    """The provider did not answer in time."""
    UNKNOWN_MODEL = "unknown_model"
    """The provider does not know what the catalogue calls the model: another model may still answer."""
    TOO_LONG = "too_long"
    """The prompt does not fit the model."""
    CLIENT = "client"
    """The caller must change the request."""
    OURS = "ours"
    """Our own fault or deadline."""


_CLASS_OF: Final[dict[ErrorReason, FailureClass]] = {
    ErrorReason.PROVIDER_UNAVAILABLE: FailureClass.TRANSIENT,
    ErrorReason.PROVIDER_RATE_LIMITED: FailureClass.CAPACITY,
    ErrorReason.PROVIDER_CREDENTIALS: FailureClass.CREDENTIAL,
    ErrorReason.PROVIDER_QUOTA_EXHAUSTED: FailureClass.CREDENTIAL,
    ErrorReason.PROVIDER_ERROR: FailureClass.SERVER,
    ErrorReason.PROVIDER_TIMEOUT: FailureClass.SLOW,
    ErrorReason.MODEL_NOT_FOUND: FailureClass.UNKNOWN_MODEL,
    ErrorReason.CONTEXT_LENGTH_EXCEEDED: FailureClass.TOO_LONG,
    ErrorReason.INVALID_REQUEST: FailureClass.CLIENT,
    ErrorReason.INVALID_PARAMETERS: FailureClass.CLIENT,
    ErrorReason.UNSUPPORTED_PARAMETER: FailureClass.CLIENT,
    ErrorReason.PAYLOAD_TOO_LARGE: FailureClass.CLIENT,
    ErrorReason.TOOL_TOO_LARGE: FailureClass.CLIENT,
    ErrorReason.CONTENT_FILTER: FailureClass.CLIENT,
}

_RETRY_SAME: Final = frozenset({FailureClass.TRANSIENT, FailureClass.SERVER, FailureClass.CAPACITY})
_OF_ONE_CREDENTIAL: Final = frozenset({FailureClass.CAPACITY, FailureClass.CREDENTIAL})
_TRY_NEXT: Final = frozenset(
    {
        FailureClass.TRANSIENT,
        FailureClass.SERVER,
        FailureClass.CAPACITY,
        FailureClass.CREDENTIAL,
        FailureClass.SLOW,
        FailureClass.UNKNOWN_MODEL,
        FailureClass.TOO_LONG,
    }
)


# What passes by itself: whoever asks again later may be answered.
_PASSES: Final = frozenset({FailureClass.TRANSIENT, FailureClass.CAPACITY, FailureClass.SERVER, FailureClass.SLOW})


class Verdict(Enum):
    """What to do after a failure."""

    RETRY = "retry"
    NEXT = "next"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict, and how long to wait before acting on it."""

    verdict: Verdict
    wait_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Situation:
    """The state of a request when an attempt failed."""

    attempts: int
    """Tries so far, over all candidates, the failed one included."""
    attempts_of_candidate: int
    """Tries of the failed candidate."""
    has_next: bool
    """Whether another candidate is left that can take the request."""
    has_larger: bool
    """Whether one that is left has a larger context window."""
    remaining_s: float | None
    """Seconds until the caller's deadline; None: no deadline."""
    may_retry: bool = True
    """Whether the provider's retry budget has room. A quota that is waited for is no retry in this sense."""
    has_other_credential: bool = False
    """Whether the failed candidate can be asked under another credential, as the failed one cannot."""


_STOP: Final = Decision(Verdict.STOP)


def classify(error: ServiceError) -> FailureClass:
    """Return the class of `error`; what has no row is our own."""
    return _CLASS_OF.get(error.reason, FailureClass.OURS)


def went_out(error: ServiceError | None) -> bool:
    """Tell whether a call reached its provider, as far as its failure says: our line or the adapter may refuse it."""
    if error is None:
        return True
    return error.reason is not ErrorReason.UNSUPPORTED_PARAMETER and error.details.get(LIMIT_DETAIL) != OUR_QUEUE


def counts_against_provider(error: ServiceError) -> bool:
    """Tell whether `error` says something about the provider's health (and not about the request)."""
    if not went_out(error):
        return False
    return classify(error) in (
        FailureClass.TRANSIENT,
        FailureClass.SERVER,
        FailureClass.SLOW,
        FailureClass.CAPACITY,
        FailureClass.CREDENTIAL,
        FailureClass.UNKNOWN_MODEL,
    )


def more_useful(before: ServiceError | None, latest: ServiceError) -> ServiceError:
    """Return the failure to tell of a request that several models have failed.

    The latest, unless a model before it failed of something that passes and this one did not: that a stand-in has a
    smaller window, or sees no images, or that we have no key for it, is no reason to change the request or give up.
    """
    return before if before is not None and _passes(before) and not _passes(latest) else latest


def _passes(error: ServiceError) -> bool:
    failure = classify(error)
    return failure in _PASSES and not (failure is FailureClass.SERVER and FINAL_DETAIL in error.details)


def decide(error: ServiceError, situation: Situation, chance: float) -> Decision:
    """Return what to do after an attempt failed before its first content.

    Args:
        error: how it failed.
        situation: what was tried and what is left.
        chance: a number in [0, 1) for the jitter.
    """
    failure = classify(error)
    if failure in _OF_ONE_CREDENTIAL and situation.has_other_credential and situation.attempts < MAX_ATTEMPTS:
        return Decision(Verdict.RETRY)
    if failure is FailureClass.CAPACITY and not situation.has_next:
        return _for_quota(error, situation, chance)
    if situation.attempts >= MAX_ATTEMPTS:
        return _STOP
    goes_on = failure in _TRY_NEXT and situation.has_next
    if situation.remaining_s is not None and situation.remaining_s <= 0:
        return _STOP
    if failure is FailureClass.TOO_LONG:
        return Decision(Verdict.NEXT) if goes_on and situation.has_larger else _STOP
    if failure is FailureClass.CAPACITY and goes_on:
        return Decision(Verdict.NEXT)
    may_retry = situation.may_retry and situation.attempts_of_candidate == 1 and FINAL_DETAIL not in error.details
    # Whoever says when it will be back is not asked before, and not waited for while another model is left.
    asks_for_pause = failure is FailureClass.SERVER and error.retry_after_s is not None and goes_on
    if failure in _RETRY_SAME and may_retry and not asks_for_pause:
        wait_s = _wait(error, situation, chance)
        if wait_s <= LONGEST_WAIT_S and (situation.remaining_s is None or wait_s < situation.remaining_s):
            return Decision(Verdict.RETRY, wait_s)
    return Decision(Verdict.NEXT) if goes_on else _STOP


def _for_quota(error: ServiceError, situation: Situation, chance: float) -> Decision:
    """Return whether to wait for a quota of ours while no other model is left to ask."""
    if FINAL_DETAIL in error.details or situation.attempts >= QUOTA_ATTEMPTS:
        return _STOP
    wait_s = quota_wait_s(error, situation.attempts_of_candidate, chance)
    in_time = situation.remaining_s is None or wait_s < situation.remaining_s
    return Decision(Verdict.RETRY, wait_s) if wait_s <= LONGEST_QUOTA_WAIT_S and in_time else _STOP


def quota_wait_s(error: ServiceError, tries: int, chance: float = 1.0) -> float:
    """Return how long to wait for a quota after so many tries: as the provider wishes, else longer each time.

    Args:
        error: the refusal.
        tries: so far, at least one.
        chance: a number in [0, 1]: callers that were refused together come back apart, after half of it to all.
    """
    if error.retry_after_s is not None:
        return max(0.0, error.retry_after_s)
    longest = min(LONGEST_QUOTA_WAIT_S, QUOTA_WAIT_S * QUOTA_GROWTH ** (tries - 1))
    return longest * (1 + chance) / 2


def _wait(error: ServiceError, situation: Situation, chance: float) -> float:
    """Return the wish that comes with the error if nobody else is left, else full jitter.

    That begins with 100 ms, is doubled each try, and 2 s at most.
    """
    if error.retry_after_s is not None and not situation.has_next:
        return max(0.0, error.retry_after_s)
    return min(LONGEST_WAIT_S, BACKOFF_S * 2.0**situation.attempts) * chance
