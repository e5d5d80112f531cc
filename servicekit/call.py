"""What travels with every call between services: request id, trace context, deadline."""

from __future__ import annotations

from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

from structlog.contextvars import bind_contextvars

from servicekit.telemetry import TraceContext, begin_trace

REQUEST_ID: Final = "x-request-id"
TRACEPARENT: Final = "traceparent"
TRACESTATE: Final = "tracestate"


@dataclass(frozen=True, slots=True)
class CallContext:
    """One request on its way through the services."""

    request_id: str
    trace: TraceContext

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """Return the gRPC metadata (or HTTP headers) that carry this context."""
        pairs = ((REQUEST_ID, self.request_id), (TRACEPARENT, self.trace.traceparent))
        return (*pairs, (TRACESTATE, self.trace.tracestate)) if self.trace.tracestate else pairs


def from_metadata(metadata: Iterable[tuple[str, str | bytes]]) -> CallContext:
    """Read the context that `CallContext.metadata` wrote; absent parts begin anew."""
    request_id = traceparent = tracestate = ""
    for key, value in metadata:
        if key == REQUEST_ID and isinstance(value, str):
            request_id = value
        elif key == TRACEPARENT and isinstance(value, str):
            traceparent = value
        elif key == TRACESTATE and isinstance(value, str):
            tracestate = value
    return CallContext(request_id, begin_trace(traceparent, tracestate))


_current: ContextVar[CallContext | None] = ContextVar("razvilka_call", default=None)


def current_call() -> CallContext:
    """Return the context of the call being served; outside of one, a fresh context."""
    return _current.get() or CallContext("", begin_trace(None))


def enter_call(call: CallContext) -> None:
    """Make `call` the current one for this task and what it starts; their log lines name it."""
    _current.set(call)
    bind_contextvars(request_id=call.request_id, trace_id=call.trace.trace_id)
