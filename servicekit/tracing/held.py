"""Tail sampling: spans of unsampled traces are held until it is known whether the trace failed or was slow.

Head sampling decides when a trace begins, before its end is known. So each process holds the spans of an unsampled
trace while one is open here, at the cost of a small object for each, and decides when the last one ends. Each process
decides for its own part, and all use the same rule: a failure or delay in a child shows in its parents as well.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Final

from servicekit.tracing.spans import Attributes, SpanKind, TraceContext

# Ended steps of one trace: hundreds of times what a request has. More have those who give all their requests one trace.
MOST_STEPS: Final = 1000


class HeldSpan:
    """One span of an unsampled trace; times in nanoseconds since 1970."""

    __slots__ = (
        "_end", "attributes", "began_ns", "ended_ns", "failed", "is_sent", "is_worth", "kind", "name", "parent",
        "span_id",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        parent: TraceContext,
        kind: SpanKind,
        attributes: Attributes | None,
        end: Callable[[HeldSpan], None],
    ) -> None:
        self.name = name
        self.parent = parent
        self.kind = kind
        self.attributes: dict[str, str | int | float | bool] = dict(attributes or ())
        # No secret: it only must not be another span's, and not 0.
        self.span_id = f"{random.getrandbits(64) | 1:016x}"
        self.began_ns = time.time_ns()
        self.ended_ns = 0
        self.failed = ""
        self.is_worth = False
        self.is_sent = False
        self._end = end

    def set(self, key: str, value: str | int | float | bool) -> None:
        """Add an attribute."""
        self.attributes[key] = value

    def fail(self, reason: str, *, is_ours: bool = True) -> None:
        """Mark the step as failed; what is the caller's own doing is no reason to send it."""
        self.failed = reason
        self.is_worth = self.is_worth or is_ours

    def end(self) -> None:
        """Take the time; the last one of its trace here decides about all."""
        self.ended_ns = time.time_ns()
        self._end(self)


class _Part:
    """The spans of one trace in this process."""

    __slots__ = ("ended", "open")

    def __init__(self) -> None:
        self.open = 0
        self.ended: list[HeldSpan] = []


class HeldTraces:
    """The unsampled traces that have open spans in this process."""

    def __init__(self, send: Callable[[HeldSpan], None], *, slow_s: float) -> None:
        self._send = send
        self._slow_ns = slow_s * 1e9
        self._parts: dict[str, _Part] = {}

    def __len__(self) -> int:
        """Return how many are under way."""
        return len(self._parts)

    def start(self, name: str, parent: TraceContext, kind: SpanKind, attributes: Attributes | None) -> HeldSpan:
        """Begin a step under `parent`."""
        part = self._parts.setdefault(parent.trace_id, _Part())
        part.open += 1
        return HeldSpan(name, parent, kind, attributes, self._ended)

    def _ended(self, span: HeldSpan) -> None:
        part = self._parts[span.parent.trace_id]
        part.ended.append(span)
        part.open -= 1
        if not part.open:
            del self._parts[span.parent.trace_id]
        elif len(part.ended) < MOST_STEPS:
            return
        self._decide(part)

    def _decide(self, part: _Part) -> None:
        ended, part.ended = part.ended, []
        if any(each.is_worth or each.ended_ns - each.began_ns >= self._slow_ns for each in ended):
            for each in ended:
                each.is_sent = True
                self._send(each)
