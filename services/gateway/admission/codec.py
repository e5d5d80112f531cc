"""Requests to script arguments, script answers to reports and refusals."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from services.gateway.admission.caps import QUOTA_SUBJECT, Budget, CapMode, Counter, Quota
from services.gateway.admission.dimensions import ROWS, Dimension, DimensionRow, Rule, Scope, Unit
from services.gateway.admission.keys import details_key, end_of, parse_budget_key
from services.gateway.admission.periods import id_time_ms
from services.gateway.admission.request import AdmissionRefused, AdmissionRequest, Figure, LimitReport, ReachedCap
from services.gateway.admission.wire import (
    NEVER_US,
    AdmitAnswer,
    AdmitCall,
    BudgetWire,
    Mode,
    SettleCall,
    ShadowWire,
    Violation,
    pack,
)
from services.gateway.metering.hold import Ticket, encode_facts


def budget_of(counter: Counter, user_id: str, least_hold_micro_rub: int) -> BudgetWire:
    """Return a counter with its budgets as the script of this owner takes it; waiting helps what they cover whole."""
    shadow = [ShadowWire(budget.id, budget.limit_micro_rub) for budget in counter.watching]
    owner = counter.owner
    subject = counter.budgets[0].subject
    shared = "" if owner == user_id else details_key(owner)
    ends_s = end_of(counter.key) if least_hold_micro_rub <= counter.limit else 0
    return BudgetWire(subject, counter.key, counter.limit, counter.is_endless, shadow, shared, ends_s)


def admit_payload(request: AdmissionRequest, *, mode: Mode, lease_us: int) -> bytes:
    """Pack the argument of `admit.lua`."""
    call = AdmitCall(
        request_id=request.request_id,
        mode=mode,
        lease_us=lease_us,
        tokens=request.estimated_tokens,
        hold=request.hold_micro_rub,
        subjects=request.subjects,
        budgets=[budget_of(counter, request.user_id, request.least_hold_micro_rub) for counter in request.counters],
        facts=encode_facts(request.facts),
        tally=request.tally,
    )
    return pack(call)


def settle_payload(
    ticket: Ticket,
    tokens: int,
    cost_micro_rub: int,
    settled_at_us: int,
    *,
    explanation: str = "",
    explained_ms: int = 0,
) -> bytes:
    """Pack the argument of `settle.lua`; a text that explains the request is kept for `explained_ms`."""
    call = SettleCall(
        request_id=ticket.request_id,
        made_ms=id_time_ms(ticket.request_id),
        tokens=tokens,
        cost=cost_micro_rub,
        settled_us=settled_at_us,
        admitted_us=ticket.admitted_at_us,
        budget_keys=ticket.budget_keys,
        explanation=explanation if explained_ms else "",
        explained_ms=explained_ms if explanation else 0,
    )
    return pack(call)


def report_of(answer: AdmitAnswer, request: AdmissionRequest | None = None) -> LimitReport:
    """Read the figures of an answer of `admit.lua`, and which caps of the request it ran into without being refused."""
    reached = told_caps(request, answer) if request is not None and (request.counters or request.quotas) else ()
    figures = [
        Figure(told.dimension, told.limit, max(0, told.remaining), told.reset_us / 1e6) for told in answer.figures
    ]
    return LimitReport(tuple(figures), reached=reached)


def refusal_of(request: AdmissionRequest, answer: AdmitAnswer) -> AdmissionRefused:
    """Turn a refusal of `admit.lua` into the error the caller sees."""
    violated = answer.violated
    if violated is None:
        raise ValueError("a refusal names no limit")
    retry_after_s = None if violated.retry_us >= NEVER_US else int(violated.retry_us) / 1e6
    row, figures = ROWS[violated.dimension], report_of(answer).figures
    resets_at_s = None if retry_after_s is None else answer.now_us / 1e6 + retry_after_s
    cap = refusing_cap(request, violated, resets_at_s)
    refused = refusal(row, cap, retry_after_s, figures, request)
    if violated.budget_key:
        refused.budget_left_micro_rub, refused.budget_unspent_micro_rub = violated.left, violated.unspent
        refused.least_hold_micro_rub = request.least_hold_micro_rub
    return refused


def refusal(
    row: DimensionRow,
    cap: ReachedCap,
    retry_after_s: float | None,
    figures: tuple[Figure, ...],
    request: AdmissionRequest,
) -> AdmissionRefused:
    """Build the error: which cap of whom, and when trying again helps."""
    return AdmissionRefused(
        row.reason,
        row.text.format(subject=cap.subject, limit=cap.amount),
        LimitReport(figures, retry_after_s, row.name, (cap,)),
        retry_after_s=retry_after_s,
        details=details_of(cap) | _more(row, cap.amount, request),
    )


def _more(row: DimensionRow, limit: int, request: AdmissionRequest) -> dict[str, str]:
    if row.rule is Rule.BUDGET:
        return {"estimated_cost_micro_rub": str(request.hold_micro_rub)}
    if row.unit is Unit.TOKENS and request.estimated_tokens > limit:
        note = "The request may use more than a minute's tokens: it waits for all of them. Lower max_tokens."
        return {"estimated_tokens": str(request.estimated_tokens), "note": note}
    return {}


def refusing_cap(request: AdmissionRequest, violated: Violation, resets_at_s: float | None) -> ReachedCap:
    """Return what refused a request; `resets_at_s` is when a limit that is no budget has room again."""
    for counter in request.counters:
        if counter.key == violated.budget_key and counter.hard is not None:
            return budget_cap(counter.hard, counter, violated.used)
    return limit_cap(request, violated.subject, violated.dimension, violated.limit, resets_at_s)


def limit_cap(
    request: AdmissionRequest, subject: str, dimension: Dimension, limit: int, resets_at_s: float | None
) -> ReachedCap:
    """Return a limit, or a quota, that is used up; the subject is as the scripts name it: "user", "quota:<id>", ..."""
    if subject.startswith(QUOTA_SUBJECT):
        for quota in request.quotas:
            if quota.name == subject:
                return quota_cap(quota, resets_at_s)
    kind, _, name = subject.partition(":")
    models = name if kind == "model" else ""
    owner_id = request.key_id if kind == Scope.KEY else name if kind == Scope.GRANT else request.user_id
    return ReachedCap(dimension, limit, kind, owner_id=owner_id, models=models, resets_at_s=_whole(resets_at_s))


def quota_cap(quota: Quota, resets_at_s: float | None = None) -> ReachedCap:
    """Return a quota that is used up."""
    kind, _, owner_id = quota.subject.partition(":")
    return ReachedCap(
        quota.dimension,
        quota.limit,
        kind,
        mode=quota.mode,
        id=quota.id,
        owner_id=owner_id,
        models=quota.models,
        resets_at_s=_whole(resets_at_s),
    )


def budget_cap(budget: Budget, counter: Counter, used: int | None) -> ReachedCap:
    """Return a budget that a request did not fit into; `used` of it, what runs included."""
    kind, _, owner_id = budget.subject.partition(":")
    until = parse_budget_key(counter.key).until
    return ReachedCap(
        Dimension.BUDGET,
        budget.limit_micro_rub,
        kind,
        mode=budget.mode,
        id=budget.id,
        owner_id=owner_id,
        period=budget.period.label,
        used=used,
        resets_at_s=None if until is None else int(until.timestamp()),
    )


def told_caps(request: AdmissionRequest, answer: AdmitAnswer) -> tuple[ReachedCap, ...]:
    """Return the soft and the watching caps that an admitted request ran into."""
    found: list[ReachedCap] = []
    for counter, left in zip(request.counters, answer.budget_left, strict=False):
        counted = counter.limit - left
        for budget in counter.budgets:
            is_soft = budget.mode is CapMode.SOFT and counted > budget.limit_micro_rub
            if is_soft or (budget.mode is CapMode.SHADOW and budget.id in answer.shadowed):
                found.append(budget_cap(budget, counter, counted - request.hold_micro_rub))
    found += [quota_cap(quota) for quota in request.quotas if quota.id in answer.shadowed]
    return tuple(found)


def details_of(cap: ReachedCap) -> dict[str, str]:
    """Return what a refusal says of the cap, field by field; what is not known is left out."""
    resets_at = None if cap.resets_at_s is None else datetime.fromtimestamp(cap.resets_at_s, UTC).isoformat()
    known = {
        "limit_id": cap.id,
        "owner_id": cap.owner_id,
        "period": cap.period,
        "models": cap.models,
        "used": "" if cap.used is None else str(cap.used),
        "resets_at": resets_at or "",
    }
    always = {
        "dimension": cap.dimension.value,
        "subject": cap.subject,
        "owner": cap.owner,
        "limit": str(cap.amount),
        "unit": ROWS[cap.dimension].amounts,
    }
    return always | {name: value for name, value in known.items() if value}


def _whole(unix_s: float | None) -> int | None:
    return None if unix_s is None else math.ceil(unix_s)
