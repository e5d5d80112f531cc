"""Which failures are tried again, where, and when it is over."""

from __future__ import annotations

from dataclasses import replace

import pytest

from servicekit.errors import ErrorReason, ServiceError
from services.router.domain.failure import (
    FINAL_DETAIL,
    Decision,
    FailureClass,
    Situation,
    Verdict,
    classify,
    counts_against_provider,
    decide,
    quota_wait_s,
)

R = ErrorReason
RETRY, NEXT, STOP = Verdict.RETRY, Verdict.NEXT, Verdict.STOP


def situation(
    *,
    attempts: int = 1,
    of_candidate: int = 1,
    has_next: bool = True,
    larger: bool = False,
    remaining: float | None = None,
) -> Situation:
    return Situation(attempts, of_candidate, has_next, larger, remaining)


def error(reason: ErrorReason, retry_after_s: float | None = None, *, final: bool = False) -> ServiceError:
    return ServiceError(reason, "x", retry_after_s=retry_after_s, details={FINAL_DETAIL: "yes"} if final else None)


FIRST, AGAIN = situation(), situation(attempts=2, of_candidate=2)
ALONE, ALONE_AGAIN = situation(has_next=False), situation(attempts=2, of_candidate=2, has_next=False)


@pytest.mark.parametrize(
    ("failed", "where", "verdict"),
    [
        # Reset, refused: once more, then the next.
        (error(R.PROVIDER_UNAVAILABLE), FIRST, RETRY),
        (error(R.PROVIDER_UNAVAILABLE), AGAIN, NEXT),
        (error(R.PROVIDER_UNAVAILABLE), ALONE_AGAIN, STOP),
        # 5xx, nonsense.
        (error(R.PROVIDER_ERROR), FIRST, RETRY),
        (error(R.PROVIDER_ERROR), AGAIN, NEXT),
        (error(R.PROVIDER_ERROR, final=True), FIRST, NEXT),
        (error(R.PROVIDER_ERROR, final=True), ALONE, STOP),
        # Limits: another model at once; alone, waits as the providers' own SDKs do, while there is time.
        (error(R.PROVIDER_RATE_LIMITED), FIRST, NEXT),
        (error(R.PROVIDER_RATE_LIMITED), ALONE, RETRY),
        (error(R.PROVIDER_RATE_LIMITED, 1.0), ALONE, RETRY),
        (error(R.PROVIDER_RATE_LIMITED, 3.0), ALONE, RETRY),
        (error(R.PROVIDER_RATE_LIMITED, 11.0), ALONE, STOP),
        (error(R.PROVIDER_RATE_LIMITED), situation(attempts=4, of_candidate=4, has_next=False), RETRY),
        (error(R.PROVIDER_RATE_LIMITED), situation(attempts=5, of_candidate=5, has_next=False), STOP),
        (error(R.PROVIDER_RATE_LIMITED, 1.0), situation(has_next=False, remaining=0.5), STOP),
        (error(R.PROVIDER_RATE_LIMITED, final=True), ALONE, STOP),
        # Our credentials, money: never the same again.
        (error(R.PROVIDER_CREDENTIALS), FIRST, NEXT),
        (error(R.PROVIDER_CREDENTIALS), ALONE, STOP),
        (error(R.PROVIDER_QUOTA_EXHAUSTED), FIRST, NEXT),
        # The provider has withdrawn the model: another one answers.
        (error(R.MODEL_NOT_FOUND), FIRST, NEXT),
        (error(R.MODEL_NOT_FOUND), ALONE, STOP),
        # Slow: the same would be slow again.
        (error(R.PROVIDER_TIMEOUT), FIRST, NEXT),
        (error(R.PROVIDER_TIMEOUT), ALONE, STOP),
        # Too long: only a larger window helps.
        (error(R.CONTEXT_LENGTH_EXCEEDED), FIRST, STOP),
        (error(R.CONTEXT_LENGTH_EXCEEDED), situation(larger=True), NEXT),
        # The caller's fault stays the caller's.
        (error(R.INVALID_PARAMETERS), FIRST, STOP),
        (error(R.UNSUPPORTED_PARAMETER), FIRST, STOP),
        (error(R.CONTENT_FILTER), FIRST, STOP),
        # Ours.
        (error(R.INTERNAL_ERROR), FIRST, STOP),
        (error(R.DEADLINE_EXCEEDED), FIRST, STOP),
        # Three tries in all.
        (error(R.PROVIDER_ERROR), situation(attempts=3), STOP),
        (error(R.PROVIDER_CREDENTIALS), situation(attempts=3), STOP),
    ],
)
def test_decides_by_class(failed: ServiceError, where: Situation, verdict: Verdict) -> None:
    """The table of reliability, row by row."""
    assert decide(failed, where, 0.5).verdict is verdict


def test_waits_as_the_provider_wishes() -> None:
    """Retry-After counts; without it there is full jitter."""
    assert decide(error(R.PROVIDER_RATE_LIMITED, 1.5), ALONE, 0.9) == Decision(RETRY, 1.5)
    assert decide(error(R.PROVIDER_ERROR), FIRST, 0.5) == Decision(RETRY, 0.1)
    assert decide(error(R.PROVIDER_ERROR), FIRST, 0.0) == Decision(RETRY, 0.0)


@pytest.mark.parametrize(
    ("reason", "decision"), [(R.PROVIDER_UNAVAILABLE, Decision(RETRY, 0.1)), (R.PROVIDER_ERROR, Decision(NEXT))]
)
def test_nobody_waits_for_a_failed_provider_while_another_model_is_left(
    reason: ErrorReason, decision: Decision
) -> None:
    """Callers of a dead provider stood a second each before its stand-in was asked."""
    failed = error(reason, 1.0)

    assert decide(failed, FIRST, 0.5) == decision
    assert decide(failed, ALONE, 0.5) == Decision(RETRY, 1.0)


def test_waits_for_a_quota_longer_each_time_and_apart() -> None:
    """1 s, half as much again each time, 10 s at most; callers that were refused together come back apart."""
    refused = error(R.PROVIDER_RATE_LIMITED)

    assert [quota_wait_s(refused, tries) for tries in (1, 2, 3, 20)] == [1.0, 1.5, 2.25, 10.0]
    assert quota_wait_s(refused, 1, 0.0) == 0.5
    assert decide(refused, ALONE, 0.0) == Decision(RETRY, 0.5)
    assert decide(refused, situation(attempts=4, of_candidate=4, has_next=False, remaining=1.0), 0.5).verdict is STOP


def test_every_provider_reason_has_a_class() -> None:
    """A new reason about providers without a row would never be retried."""
    for reason in ErrorReason:
        if reason.value.startswith("PROVIDER_"):
            assert classify(error(reason)) is not FailureClass.OURS, reason


@pytest.mark.parametrize("reason", [R.INVALID_PARAMETERS, R.CONTEXT_LENGTH_EXCEEDED, R.INTERNAL_ERROR])
def test_a_bad_request_says_nothing_about_the_provider(reason: ErrorReason) -> None:
    """Callers cannot make a provider look ill."""
    assert not counts_against_provider(error(reason))


@pytest.mark.parametrize("reason", [R.PROVIDER_CREDENTIALS, R.PROVIDER_QUOTA_EXHAUSTED, R.PROVIDER_RATE_LIMITED])
def test_what_one_credential_is_refused_is_asked_under_another_one_at_once(reason: ErrorReason) -> None:
    """Before another model is, and within the three calls of a request."""
    assert decide(error(reason), replace(FIRST, has_other_credential=True), 0.5) == Decision(RETRY)
    third = replace(situation(attempts=3, of_candidate=3), has_other_credential=True)
    assert decide(error(reason), third, 0.5).verdict is not RETRY


def test_a_provider_that_fails_is_not_asked_again_for_having_other_credentials() -> None:
    """They lead to the same machines."""
    assert decide(error(R.PROVIDER_ERROR), replace(AGAIN, has_other_credential=True), 0.5).verdict is NEXT
