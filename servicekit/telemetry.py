"""Logs and traces, configured once. Metrics are declared by each service and served by `serve_metrics`.

Traces cost nothing when they are off: a span object is made only when an exporter is configured and the
trace is sampled (W3C Trace Context; the caller's decision is kept). Auto-instrumentation is not used: on
the hot path it costs more than the request itself.
"""

from __future__ import annotations

import logging
import random
import re
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Final

import msgspec
import structlog
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from prometheus_client import start_http_server

from servicekit.settings import MetricsSettings, TelemetrySettings

TRACEPARENT: Final = re.compile(r"^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$")

_encoder: Final = msgspec.json.Encoder(enc_hook=repr)
_tracer: trace.Tracer | None = None
_provider: TracerProvider | None = None
_sample_ratio: float = 1.0


@dataclass(frozen=True, slots=True)
class TraceContext:
    """Where we are in a trace (W3C Trace Context)."""

    trace_id: str
    span_id: str
    sampled: bool
    tracestate: str = ""

    @property
    def traceparent(self) -> str:
        """The header's value."""
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.sampled else '00'}"


def begin_trace(traceparent: str | None, tracestate: str | None = None) -> TraceContext:
    """Continue the caller's trace, or begin one when the header is absent or malformed."""
    match = TRACEPARENT.match(traceparent) if traceparent else None
    if match and match[1] != "0" * 32 and match[2] != "0" * 16:
        return TraceContext(match[1], match[2], bool(int(match[3], 16) & 1), tracestate or "")
    # Chance decides sampling only; ids need no secrecy, but must not collide across forked workers.
    sampled = _tracer is not None and random.random() < _sample_ratio  # noqa: S311
    return TraceContext(secrets.token_hex(16), secrets.token_hex(8), sampled)


class Span:
    """One timed step; a context manager. Does nothing but carry the context when it is not recorded."""

    __slots__ = ("_span", "context")

    def __init__(self, span: trace.Span | None, context: TraceContext) -> None:
        self._span = span
        self.context = context

    def set(self, key: str, value: str | int | float | bool) -> None:
        """Add an attribute (OpenTelemetry semantic conventions; never a prompt, key or token)."""
        if self._span is not None:
            self._span.set_attribute(key, value)

    def fail(self, reason: str) -> None:
        """Mark the step as failed for `reason`, a code."""
        if self._span is not None:
            self._span.set_attribute("error.type", reason)
            self._span.set_status(Status(StatusCode.ERROR, reason))

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
    attributes: Mapping[str, str | int | float | bool] | None = None,
) -> Span:
    """Begin a step under `parent`; pass `span.context` on to what it calls."""
    if _tracer is None or not parent.sampled:
        return Span(None, parent)
    remote = SpanContext(int(parent.trace_id, 16), int(parent.span_id, 16), True, TraceFlags(TraceFlags.SAMPLED))
    context = trace.set_span_in_context(NonRecordingSpan(remote))
    span = _tracer.start_span(name, context=context, kind=kind, attributes=attributes)
    return Span(span, replace(parent, span_id=format(span.get_span_context().span_id, "016x")))


def configure(service: str, settings: TelemetrySettings) -> None:
    """Set up logs and, when an OTLP endpoint is given, traces. Call once, in `__main__`."""
    _configure_logs(service, settings)
    _configure_traces(service, settings)


def shutdown() -> None:
    """Send what is left of the traces. Blocking, bounded by the exporter's own timeout."""
    if _provider is not None:
        _provider.shutdown()


def serve_metrics(settings: MetricsSettings) -> None:
    """Serve `/metrics` from a thread of its own, so that a scrape never holds the event loop."""
    if settings.port:
        start_http_server(settings.port, addr=settings.host)


def _configure_traces(service: str, settings: TelemetrySettings) -> None:
    global _tracer, _provider, _sample_ratio
    if not settings.otlp_endpoint:
        return
    _sample_ratio = settings.sample_ratio
    endpoint = settings.otlp_endpoint
    exporter = OTLPSpanExporter(endpoint=endpoint, insecure=not endpoint.startswith("https://"))
    _provider = TracerProvider(resource=Resource.create({"service.name": f"razvilka-{service}"}))
    _provider.add_span_processor(BatchSpanProcessor(exporter))
    _tracer = _provider.get_tracer("razvilka")


def _to_json(event: structlog.typing.EventDict, **_: object) -> str:
    # A third of the time that json.dumps takes; one line a request makes it count.
    return _encoder.encode(event).decode()


def _configure_logs(service: str, settings: TelemetrySettings) -> None:
    console = settings.log_format == "console" or (settings.log_format == "auto" and sys.stdout.isatty())
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if console
        else structlog.processors.JSONRenderer(serializer=_to_json)
    )

    def add_service(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event["service"] = service
        return event

    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            add_service,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[settings.log_level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )
    # Libraries that log by the standard way: only what needs a person.
    logging.basicConfig(
        level=logging.WARNING,
        stream=sys.stdout,
        format='{"level":"%(levelname)s","logger":"%(name)s","event":%(message)r}',
    )
