"""Requests to script arguments, script answers to reports."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from servicekit.errors import ErrorReason
from services.gateway.admission.periods import seconds_left
from services.gateway.admission.request import (
    AdmissionRefused,
    AdmissionRequest,
    Dimension,
    Figure,
    LimitReport,
    Limits,
)
from services.gateway.metering.hold import Ticket, encode_facts

REFUSED, ADMITTED, COLD, LATE = 0, 1, 2, 3
DECIDE, RESTORE = 0, 1

DIMENSIONS: Final = tuple(Dimension)
REASONS: Final = {
    Dimension.REQUESTS_PER_MINUTE: ErrorReason.RATE_LIMIT_EXCEEDED,
    Dimension.REQUESTS_PER_DAY: ErrorReason.QUOTA_EXCEEDED,
    Dimension.TOKENS_PER_MINUTE: ErrorReason.RATE_LIMIT_EXCEEDED,
    Dimension.CONCURRENCY: ErrorReason.CONCURRENT_LIMIT,
    Dimension.BUDGET: ErrorReason.BUDGET_EXCEEDED,
}
MESSAGES: Final = {
    Dimension.REQUESTS_PER_MINUTE: "Too many requests a minute for this {subject}: the limit is {limit}.",
    Dimension.REQUESTS_PER_DAY: "The daily quota of this {subject} is used up: the limit is {limit} requests.",
    Dimension.TOKENS_PER_MINUTE: "Too many tokens a minute for this {subject}: the limit is {limit}.",
    Dimension.CONCURRENCY: "Too many requests at once for this {subject}: the limit is {limit}.",
    Dimension.BUDGET: "The budget of this {subject} does not cover the request.",
}

_pack = msgspec.msgpack.Encoder().encode

Subject = tuple[str, int, int, int, int]


def subjects_of(request: AdmissionRequest) -> list[Subject]:
    """Return who is limited, as the script takes it; subjects without limits are left out."""
    found: list[Subject] = []
    for name, limits in (
        ("user", request.user_limits),
        (f"key:{request.key_id}", request.key_limits),
        (f"model:{request.model}", request.model_limits),
    ):
        if not limits.is_empty:
            found.append(_subject(name, limits))
    return found


def _subject(name: str, limits: Limits) -> Subject:
    return (
        name,
        limits.requests_per_minute,
        limits.requests_per_day,
        limits.tokens_per_minute,
        limits.concurrent_requests,
    )


def admit_payload(request: AdmissionRequest, *, mode: int, deadline_us: int, lease_us: int) -> bytes:
    """Pack the argument of `admit.lua`."""
    return _pack(
        (
            request.request_id,
            mode,
            deadline_us,
            lease_us,
            request.estimated_tokens,
            request.hold_micro_rub,
            subjects_of(request),
            [(budget.subject, budget.period, budget.limit_micro_rub) for budget in request.budgets],
            encode_facts(request.facts),
        )
    )


def settle_payload(ticket: Ticket, tokens: int, cost_micro_rub: int, settled_at_us: int) -> bytes:
    """Pack the argument of `settle.lua`."""
    return _pack((ticket.request_id, tokens, cost_micro_rub, settled_at_us, ticket.admitted_at_us, ticket.budget_keys))


def pack(value: Any) -> bytes:
    """Pack the argument of one of the small scripts."""
    return _pack(value)


def report_of(answer: list[int]) -> LimitReport:
    """Read the figures of an answer of `admit.lua`."""
    figures = []
    for at in range(4):
        limit = answer[2 + at * 3]
        if limit >= 0:
            figures.append(Figure(DIMENSIONS[at], limit, max(0, answer[3 + at * 3]), answer[4 + at * 3] / 1e6))
    return LimitReport(tuple(figures))


def refusal_of(request: AdmissionRequest, answer: list[int]) -> AdmissionRefused:
    """Turn a refusal of `admit.lua` into the error the caller sees."""
    dimension = DIMENSIONS[answer[14] - 1]
    if dimension is Dimension.BUDGET:
        budget = request.budgets[answer[15] - 1]
        subject, limit = budget.subject.partition(":")[0], budget.limit_micro_rub
        retry_after_s = seconds_left(budget.period, answer[1])
    else:
        name, *limits = subjects_of(request)[answer[15] - 1]
        subject, limit = name.partition(":")[0], limits[answer[14] - 1]
        retry_after_s = answer[16] / 1e6
    return refusal(dimension, subject, limit, retry_after_s, report_of(answer).figures, request)


def refusal(
    dimension: Dimension,
    subject: str,
    limit: int,
    retry_after_s: float | None,
    figures: tuple[Figure, ...],
    request: AdmissionRequest,
) -> AdmissionRefused:
    """Build the error: which limit of whom, and when trying again helps."""
    details = {"dimension": str(dimension), "subject": subject, "limit": str(limit)}
    if dimension is Dimension.TOKENS_PER_MINUTE and request.estimated_tokens > limit:
        details["estimated_tokens"] = str(request.estimated_tokens)
        details["note"] = "The request may use more than a minute's tokens: it waits for all of them. Lower max_tokens."
    if dimension is Dimension.BUDGET:
        details["estimated_cost_micro_rub"] = str(request.hold_micro_rub)
    return AdmissionRefused(
        REASONS[dimension],
        MESSAGES[dimension].format(subject=subject, limit=limit),
        LimitReport(figures, retry_after_s, dimension),
        retry_after_s=retry_after_s,
        details=details,
    )
