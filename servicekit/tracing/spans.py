"""Trace contexts and spans; they cost nothing while tracing is off.

A span object is made only when an exporter is configured. A trace that is not sampled (W3C Trace Context; the caller's
decision is kept) is sent all the same when it failed or was slow (`held`). Auto-instrumentation is not used: on the hot
path it costs more than the request itself.
"""

from __future__ import annotations

import os
import random
import re
from collections.abc import Mapping
from enum import Enum
from types import TracebackType
from typing import Final, Protocol

from msgspec import Struct, structs

Attributes = Mapping[str, str | int | float | bool]

_TRACE_ID_BYTES: Final = 16
_SPAN_ID_BYTES: Final = 8
TRACEPARENT: Final = re.compile(r"^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$")
# What the standard allows in it, and gRPC in metadata: with anything else no call could be made.
_TRACESTATE: Final = re.compile(r"[ -~]{0,512}")


class TraceContext(Struct, frozen=True):
    """A position in a trace (W3C Trace Context).

    `is_root`: the trace begins here and has no span yet; `span_id` only fills the header and is no span's parent.
    """

    trace_id: str
    span_id: str
    sampled: bool
    tracestate: str = ""
    is_root: bool = False

    @property
    def traceparent(self) -> str:
        """The header's value."""
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.sampled else '00'}"


class SpanKind(Enum):
    """The kind of a span, by OpenTelemetry's names."""

    INTERNAL = "INTERNAL"
    SERVER = "SERVER"
    CLIENT = "CLIENT"


class RecordedSpan(Protocol):
    """One span that is sent when it ends."""

    span_id: str
    is_sent: bool
    """Whether it is sent, or was: of a step that is held nobody knows before it ends."""

    def set(self, key: str, value: str | int | float | bool) -> None:
        """Add an attribute."""
        ...

    def fail(self, reason: str, *, is_ours: bool = True) -> None:
        """Mark the step as failed; `is_ours`: it is no doing of the caller's."""
        ...

    def end(self) -> None:
        """Take the time and send it."""
        ...


class Recorder(Protocol):
    """Records spans and sends them somewhere."""

    sample_ratio: float

    def start(self, name: str, parent: TraceContext, kind: SpanKind, attributes: Attributes | None) -> RecordedSpan:
        """Begin a step under `parent`, which is sampled."""
        ...

    def hold(self, name: str, parent: TraceContext, kind: SpanKind, attributes: Attributes | None) -> RecordedSpan:
        """Begin a step under `parent`, which is not: it is sent if its trace turns out to be worth it."""
        ...


_recorder: Recorder | None = None


def record_with(recorder: Recorder) -> None:
    """Record sampled spans from now on."""
    global _recorder
    _recorder = recorder


def begin_trace(traceparent: str | None, tracestate: str | None = None) -> TraceContext:
    """Continue the caller's trace, or begin one when the header is absent or malformed.

    A malformed `tracestate` alone is left out: the trace goes on.
    """
    match = TRACEPARENT.match(traceparent) if traceparent else None
    if match and match[1] != "0" * 32 and match[2] != "0" * 16:
        state = tracestate if tracestate and _TRACESTATE.fullmatch(tracestate) else ""
        return TraceContext(match[1], match[2], bool(int(match[3], 16) & 1), state)
    # Chance decides sampling only; ids need no secrecy, but must not collide across forked workers.
    sampled = _recorder is not None and random.random() < _recorder.sample_ratio  # noqa: S311
    ids = os.urandom(_TRACE_ID_BYTES + _SPAN_ID_BYTES).hex()
    return TraceContext(ids[: 2 * _TRACE_ID_BYTES], ids[2 * _TRACE_ID_BYTES :], sampled, is_root=True)


class Span:
    """One span, as a context manager; without a recorder it only carries the context."""

    __slots__ = ("_span", "context")

    def __init__(self, span: RecordedSpan | None, context: TraceContext) -> None:
        self._span = span
        self.context = context

    @property
    def is_recorded(self) -> bool:
        """Whether the span is recorded, so that attributes are worth setting."""
        return self._span is not None

    @property
    def exemplar(self) -> dict[str, str] | None:
        """What a histogram keeps beside a measurement, so that a slow bucket leads to a trace; None: there is none."""
        return {"trace_id": self.context.trace_id} if self._span is not None and self._span.is_sent else None

    def set(self, key: str, value: str | int | float | bool) -> None:
        """Add an attribute (OpenTelemetry semantic conventions; never a prompt, key or token)."""
        if self._span is not None:
            self._span.set(key, value)

    def fail(self, reason: str, *, is_ours: bool = True) -> None:
        """Mark the step as failed for `reason`, a code; what is the caller's own doing is not sent for that alone."""
        if self._span is not None:
            self._span.fail(reason, is_ours=is_ours)

    def __enter__(self) -> Span:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        if self._span is not None:
            if kind is not None:
                self.fail(kind.__name__)
            self._span.end()


def start_span(
    name: str,
    parent: TraceContext,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    attributes: Attributes | None = None,
) -> Span:
    """Begin a span under `parent`; pass `span.context` on to what it calls."""
    if _recorder is None:
        return Span(None, parent)
    begin = _recorder.start if parent.sampled else _recorder.hold
    span = begin(name, parent, kind, attributes)
    return Span(span, structs.replace(parent, span_id=span.span_id, is_root=False))


def is_recording() -> bool:
    """Tell whether spans are recorded in this process."""
    return _recorder is not None
