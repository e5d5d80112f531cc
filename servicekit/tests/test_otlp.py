"""What is sent to a collector: trees that have a root."""

from __future__ import annotations

import contextvars
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

from servicekit.call import CallContext, current_call, from_metadata
from servicekit.tracing import SpanKind, begin_trace, spans, start_span
from servicekit.tracing.otlp import OtlpRecorder

TRACE, CALLERS = "ab" * 16, "cd" * 8


class Kept(SpanProcessor):
    """Keeps what would be sent."""

    def __init__(self) -> None:
        self.spans: list[Any] = []

    def on_end(self, span: ReadableSpan) -> None:
        """Keep a span."""
        self.spans.append(span)


@pytest.fixture(params=[1.0, 0.0], ids=["sampled", "held"])
def sent(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return what a recorder sends, of a process that samples all or nothing and finds everything slow."""
    recorder, kept = OtlpRecorder("test", "http://127.0.0.1:1", request.param, slow_s=0.0), Kept()
    recorder._processor.shutdown()
    recorder._processor = kept  # type: ignore[assignment]
    recorder._provider._active_span_processor._span_processors = (kept,)
    monkeypatch.setattr(spans, "_recorder", recorder)
    return kept.spans


def test_a_trace_that_begins_here_has_a_root(sent: list[Any]) -> None:
    """Its first step is under nobody: under an id that nobody recorded, stores wait for its root for ever."""
    context = begin_trace(None)
    with start_span("gateway.request", context, kind=SpanKind.SERVER) as outer, start_span("below", outer.context):
        pass

    below, root = sent
    assert root.parent is None
    assert (f"{root.context.trace_id:032x}", f"{below.context.trace_id:032x}") == (context.trace_id,) * 2
    assert below.parent.span_id == root.context.span_id


@pytest.mark.parametrize("flag", ["01", "00"])
def test_the_trace_of_a_caller_goes_on_under_its_step(sent: list[Any], flag: str) -> None:
    """Whether it samples or not."""
    with start_span("gateway.request", begin_trace(f"00-{TRACE}-{CALLERS}-{flag}")):
        pass

    [step] = sent
    assert (f"{step.parent.span_id:016x}", f"{step.context.trace_id:032x}") == (CALLERS, TRACE)


def test_work_that_no_request_brought_begins_its_trace_where_it_is_served(sent: list[Any]) -> None:
    """The process that asks has no step of it."""
    # Not within what another test has begun.
    carried = contextvars.Context().run(current_call).metadata()
    with start_span("Record", from_metadata(carried).trace, kind=SpanKind.SERVER):
        pass
    with start_span("gateway.request", begin_trace(None)) as request:
        of_request = dict(CallContext("id", request.context).metadata())

    assert carried == (("x-request-id", ""),)
    assert sent[0].parent is None
    assert of_request["traceparent"] == request.context.traceparent
