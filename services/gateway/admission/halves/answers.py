"""What two halves were told, as if one script had looked at both."""

from __future__ import annotations

from collections.abc import Sequence

from services.gateway.admission.request import AdmissionRequest
from services.gateway.admission.wire import AdmitAnswer, Verdict, Violation


def merged(request: AdmissionRequest, told: dict[str, AdmitAnswer]) -> AdmitAnswer:
    """Return the answer to a request from those that its owners' halves got.

    What has to be rebuilt is rebuilt before anybody is refused, as by the script itself. `unspent` of a refusal is of
    the half that refused.
    """
    own, answers = told[request.user_id], list(told.values())
    at_us = max((answer.now_us for owner, answer in told.items() if owner != request.user_id), default=0)
    cold = tuple(key for answer in answers for key in answer.cold)
    if cold:
        return AdmitAnswer(Verdict.COLD, own.now_us, cold=cold)
    if any(answer.verdict is Verdict.LATE for answer in answers):
        return AdmitAnswer(Verdict.LATE, own.now_us)
    if any(answer.verdict is Verdict.REFUSED for answer in answers):
        violated = _worst(request, [answer.violated for answer in answers if answer.violated is not None])
        return AdmitAnswer(Verdict.REFUSED, own.now_us, own.figures, violated=violated)
    left, epochs = _in_order(request, told)
    shadowed = tuple(id for answer in answers for id in answer.shadowed)
    return AdmitAnswer(Verdict.ADMITTED, own.now_us, own.figures, left, epochs, shadowed=shadowed, shared_now_us=at_us)


def _worst(request: AdmissionRequest, found: Sequence[Violation]) -> Violation:
    """Return what refuses for the longest; of budgets the first that the request has."""
    order = {key: number for number, key in enumerate(request.budget_keys)}
    return min(found, key=lambda each: (-each.retry_us, order.get(each.budget_key, -1)))


def _in_order(request: AdmissionRequest, told: dict[str, AdmitAnswer]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return what each counter has left and its epoch, in the order of the request's counters."""
    parts = {owner: zip(answer.budget_left, answer.budget_epochs, strict=True) for owner, answer in told.items()}
    figures = [next(parts[counter.owner]) for counter in request.counters]
    return tuple(left for left, _ in figures), tuple(epoch for _, epoch in figures)
