"""Traces: where a request is in one, and its timed steps. What records and sends them is loaded only when it is used.

It never decides what a trace is for, and its spans carry no prompt, key or token.
"""

from servicekit.tracing.spans import Span, SpanKind, TraceContext, begin_trace, is_recording, start_span

__all__ = ["Span", "SpanKind", "TraceContext", "begin_trace", "is_recording", "start_span"]
