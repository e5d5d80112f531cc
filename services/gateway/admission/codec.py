"""Requests to script arguments, script answers to reports and refusals."""

from __future__ import annotations

from services.gateway.admission.dimensions import ROWS, Dimension, DimensionRow, Rule, Unit
from services.gateway.admission.keys import seconds_left
from services.gateway.admission.periods import BudgetPeriod, id_time_ms
from services.gateway.admission.request import AdmissionRefused, AdmissionRequest, Figure, LimitReport
from services.gateway.admission.wire import (
    AdmitAnswer,
    AdmitCall,
    BudgetWire,
    FigureWire,
    Mode,
    SettleCall,
    SubjectWire,
    pack,
)
from services.gateway.metering.hold import Ticket, encode_facts


def subjects_of(request: AdmissionRequest) -> list[SubjectWire]:
    """Return who is limited, as the script takes it; subjects without limits are left out."""
    limits, found = request.limits, []
    if limits.user.by_name:
        found.append(SubjectWire("user", limits.user.by_name))
    if limits.key.by_name:
        found.append(SubjectWire(f"key:{request.key_id}", limits.key.by_name))
    if limits.model.by_name:
        found.append(SubjectWire(f"model:{request.model}", limits.model.by_name))
    return found


def admit_payload(request: AdmissionRequest, *, mode: Mode, lease_us: int) -> bytes:
    """Pack the argument of `admit.lua`."""
    call = AdmitCall(
        request_id=request.request_id,
        mode=mode,
        lease_us=lease_us,
        tokens=request.estimated_tokens,
        hold=request.hold_micro_rub,
        subjects=subjects_of(request),
        budgets=[
            BudgetWire(budget.subject, key, budget.limit_micro_rub, budget.period is BudgetPeriod.TOTAL)
            for budget, key in zip(request.budgets, request.budget_keys, strict=True)
        ],
        facts=encode_facts(request.facts),
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


def report_of(answer: AdmitAnswer) -> LimitReport:
    """Read the figures of an answer of `admit.lua`."""
    return LimitReport(tuple(map(_figure, answer.figures)))


def _figure(told: FigureWire) -> Figure:
    return Figure(Dimension(told.dimension), told.limit, max(0, told.remaining), told.reset_us / 1e6)


def refusal_of(request: AdmissionRequest, answer: AdmitAnswer) -> AdmissionRefused:
    """Turn a refusal of `admit.lua` into the error the caller sees."""
    violated = answer.violated
    if violated is None:
        raise ValueError("a refusal names no limit")
    retry_after_s: float | None = int(violated.retry_us) / 1e6
    if violated.budget_key:
        # Waiting helps when a whole budget would cover the request.
        fits = request.least_hold_micro_rub <= violated.limit
        retry_after_s = seconds_left(violated.budget_key, answer.now_us) if fits else None
    row, figures = ROWS[Dimension(violated.dimension)], report_of(answer).figures
    refused = refusal(row, violated.subject, violated.limit, retry_after_s, figures, request)
    if violated.budget_key:
        refused.budget_left_micro_rub, refused.budget_unspent_micro_rub = violated.left, violated.unspent
    return refused


def refusal(
    row: DimensionRow,
    subject: str,
    limit: int,
    retry_after_s: float | None,
    figures: tuple[Figure, ...],
    request: AdmissionRequest,
) -> AdmissionRefused:
    """Build the error: which limit of whom ("user", "key:<id>", ...), and when trying again helps."""
    scope = subject.partition(":")[0]
    return AdmissionRefused(
        row.reason,
        row.text.format(subject=scope, limit=limit),
        LimitReport(figures, retry_after_s, row.name),
        retry_after_s=retry_after_s,
        details={"dimension": row.name.value, "subject": scope, "limit": str(limit)} | _more(row, limit, request),
    )


def _more(row: DimensionRow, limit: int, request: AdmissionRequest) -> dict[str, str]:
    if row.rule is Rule.BUDGET:
        return {"estimated_cost_micro_rub": str(request.hold_micro_rub)}
    if row.unit is Unit.TOKENS and request.estimated_tokens > limit:
        note = "The request may use more than a minute's tokens: it waits for all of them. Lower max_tokens."
        return {"estimated_tokens": str(request.estimated_tokens), "note": note}
    return {}
