"""Tracing: trace contexts and spans. The exporter's libraries are loaded only when tracing is on.

Spans carry no prompt, key or token.
"""

from servicekit.tracing.spans import Span, SpanKind, TraceContext, begin_trace, is_recording, start_span

__all__ = ["Span", "SpanKind", "TraceContext", "begin_trace", "is_recording", "start_span"]
