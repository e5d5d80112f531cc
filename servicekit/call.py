"""A call between services: the request id and trace context it carries, and how the server handles it.

On the server, over any transport, each call gets its context, deadline, error handling, metrics and span.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

import structlog
from prometheus_client import Gauge, Histogram
from structlog.contextvars import bind_contextvars

from servicekit.errors import OF_CALLERS, DeadlineExceeded, ErrorReason, Internal, ServiceError
from servicekit.tracing import SpanKind, TraceContext, begin_trace, is_recording, start_span

log = structlog.get_logger()

# Leave 20 ms so that the caller hears *which* hop timed out before its own deadline fires.
HOP_MARGIN_S: Final = 0.020

SECONDS = Histogram(
    "razvilka_rpc_server_seconds",
    "Seconds one RPC took, by method and outcome (a stream: until its end).",
    ["method", "outcome"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120),
)
IN_FLIGHT = Gauge("razvilka_rpc_server_in_flight", "RPCs being served.", ["method"])
# Looked up once: `labels()` costs more than the counting.
_seconds = cache(SECONDS.labels)
_in_flight = cache(IN_FLIGHT.labels)

REQUEST_ID: Final = "x-request-id"
TRACEPARENT: Final = "traceparent"
TRACESTATE: Final = "tracestate"


@dataclass(frozen=True, slots=True)
class CallContext:
    """The context of one request as it passes through the services.

    `credential` is what the caller authenticated with, as "<scheme> <secret>". It is not propagated with the context,
    but sent only to the service that issued it (`rpc_client.unary`).
    """

    request_id: str
    trace: TraceContext
    credential: bytes = field(default=b"", repr=False)

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """Return the gRPC metadata (or HTTP headers) that carry this context."""
        if self.trace.is_root and is_recording():
            # Work without a request has no span of its own here: the trace begins at the server.
            return ((REQUEST_ID, self.request_id),)
        pairs = ((REQUEST_ID, self.request_id), (TRACEPARENT, self.trace.traceparent))
        return (*pairs, (TRACESTATE, self.trace.tracestate)) if self.trace.tracestate else pairs


def from_metadata(metadata: Iterable[tuple[str, str | bytes]]) -> CallContext:
    """Read the context that `CallContext.metadata` wrote; a missing trace context begins a new trace."""
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
    """Return the context of the call being served; outside of a call, a new context."""
    return _current.get() or CallContext("", begin_trace(None))


def enter_call(call: CallContext) -> None:
    """Make `call` current for this task and its child tasks; their log lines carry its ids."""
    _current.set(call)
    bind_contextvars(request_id=call.request_id, trace_id=call.trace.trace_id)


class ServedCall:
    """Async context manager around serving one call: a failure inside is sent to the caller and not raised further.

    Args:
        method: the RPC's name, a label of the metrics.
        call: the context that the caller sent.
        remaining_s: seconds until the caller gives up; None: never.
        fail: sends the error to the caller; not called when the caller cancelled.
    """

    __slots__ = ("_call", "_deadline", "_fail", "_method", "_remaining_s", "_span", "_started")

    def __init__(
        self,
        method: str,
        call: CallContext,
        *,
        remaining_s: float | None,
        fail: Callable[[ServiceError], Awaitable[None]],
    ) -> None:
        self._method = method
        self._call = call
        self._remaining_s = remaining_s
        self._fail = fail

    async def __aenter__(self) -> None:
        self._started = time.perf_counter()
        _in_flight(self._method).inc()
        self._span = start_span(self._method, self._call.trace, kind=SpanKind.SERVER)
        if self._span.context is not self._call.trace:
            self._call = CallContext(self._call.request_id, self._span.context)
        enter_call(self._call)
        remaining = self._remaining_s
        self._deadline = asyncio.timeout(None if remaining is None else remaining - HOP_MARGIN_S)
        await self._deadline.__aenter__()

    async def __aexit__(self, kind: Any, exc: BaseException | None, tb: Any) -> bool | None:
        failure = exc
        try:
            await self._deadline.__aexit__(kind, exc, tb)
        except TimeoutError as timeout:
            failure = timeout if self._deadline.expired() else exc
        if failure is None:
            self._close("OK")
            return False
        if isinstance(failure, asyncio.CancelledError | GeneratorExit):
            self._close("CANCELLED", is_ours=False)
            return False
        error = self._as_service_error(failure)
        self._close(error.reason.value, is_ours=not isinstance(error, OF_CALLERS))
        await self._fail(error)
        return True

    def _close(self, outcome: str, *, is_ours: bool = False) -> None:
        if outcome != "OK":
            self._span.fail(outcome, is_ours=is_ours)
        self._span.__exit__(None, None, None)
        _in_flight(self._method).dec()
        _seconds(self._method, outcome).observe(time.perf_counter() - self._started)

    def _as_service_error(self, failure: BaseException) -> ServiceError:
        if isinstance(failure, ServiceError):
            return failure
        if isinstance(failure, TimeoutError) and self._deadline.expired():
            return DeadlineExceeded(ErrorReason.DEADLINE_EXCEEDED, f"{self._method} ran out of time.")
        log.error("rpc.failed", method=self._method, request_id=self._call.request_id, exc_info=failure)
        return Internal()
