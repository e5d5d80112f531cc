"""Traces that chance left out: sent when they failed or were slow, forgotten otherwise."""

from __future__ import annotations

import secrets

import pytest

from servicekit.tracing.held import MOST_STEPS, HeldSpan, HeldTraces
from servicekit.tracing.spans import SpanKind, TraceContext


def left_out() -> TraceContext:
    """Return the context of a trace that is not sampled."""
    return TraceContext(secrets.token_hex(16), secrets.token_hex(8), sampled=False)


def served(held: HeldTraces, trace: TraceContext, *, failed: str = "", is_ours: bool = True) -> None:
    """Serve a call with one step below it, which may fail."""
    call = held.start("rpc", trace, SpanKind.SERVER, None)
    step = held.start("provider.call", TraceContext(trace.trace_id, call.span_id, False), SpanKind.CLIENT, {"a": 1})
    if failed:
        step.fail(failed, is_ours=is_ours)
    step.end()
    call.end()


def test_a_trace_that_failed_is_sent_whole() -> None:
    """The step that failed, and those around it that did not, each under its own."""
    sent: list[HeldSpan] = []
    held, trace = HeldTraces(sent.append, slow_s=30), left_out()

    served(held, trace, failed="PROVIDER_ERROR")

    step, call = sent
    assert (step.failed, step.attributes, step.parent.span_id) == ("PROVIDER_ERROR", {"a": 1}, call.span_id)
    assert (call.failed, call.parent.span_id) == ("", trace.span_id)
    assert call.began_ns <= step.began_ns <= step.ended_ns <= call.ended_ns
    assert step.is_sent


@pytest.mark.parametrize(("failed", "is_ours"), [("", True), ("CANCELLED", False), ("INVALID_KEY", False)])
def test_a_trace_that_went_well_or_failed_by_its_caller_is_forgotten(failed: str, is_ours: bool) -> None:
    """Else anybody could have any number of traces stored, by wrong keys."""
    sent: list[HeldSpan] = []
    held = HeldTraces(sent.append, slow_s=30)

    served(held, left_out(), failed=failed, is_ours=is_ours)

    assert sent == []
    assert len(held) == 0


def test_a_slow_trace_is_sent_though_nothing_failed() -> None:
    """Its slowest step decides."""
    sent: list[HeldSpan] = []
    held = HeldTraces(sent.append, slow_s=1e-9)

    served(held, left_out())

    assert [span.name for span in sent] == ["provider.call", "rpc"]


def test_traces_side_by_side_are_decided_apart() -> None:
    """One that fails does not send the other."""
    sent: list[HeldSpan] = []
    held, good, bad = HeldTraces(sent.append, slow_s=30), left_out(), left_out()
    waiting = held.start("rpc", good, SpanKind.SERVER, None)
    served(held, bad, failed="PROVIDER_TIMEOUT")
    waiting.end()

    assert {span.parent.trace_id for span in sent} == {bad.trace_id}
    assert len({span.span_id for span in sent}) == 2


def test_a_trace_that_never_ends_is_decided_piece_by_piece() -> None:
    """Of a caller that gives all its requests one trace, and always has one under way: nothing is kept for ever."""
    sent: list[HeldSpan] = []
    held, trace = HeldTraces(sent.append, slow_s=30), left_out()
    held.start("rpc", trace, SpanKind.SERVER, None)

    for _ in range(2 * MOST_STEPS):
        served(held, trace)
    [part] = held._parts.values()
    kept, unsent = len(part.ended), len(sent)
    served(held, trace, failed="PROVIDER_ERROR")
    for _ in range(MOST_STEPS):
        served(held, trace)

    assert kept < MOST_STEPS
    assert (unsent, [span.failed for span in sent if span.failed]) == (0, ["PROVIDER_ERROR"])
