"""Spans sent to an OpenTelemetry collector. Imported only where one is named: its libraries take 13 MB."""

from __future__ import annotations

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import NonRecordingSpan, SpanContext, Status, StatusCode, TraceFlags
from opentelemetry.trace import SpanKind as OtlpKind

from servicekit.tracing.spans import Attributes, SpanKind, TraceContext


class OtlpSpan:
    """One span that is recorded."""

    __slots__ = ("_span", "span_id")

    def __init__(self, span: trace.Span) -> None:
        self._span = span
        self.span_id = format(span.get_span_context().span_id, "016x")

    def set(self, key: str, value: str | int | float | bool) -> None:
        """Add an attribute."""
        self._span.set_attribute(key, value)

    def fail(self, reason: str) -> None:
        """Mark the step as failed."""
        self._span.set_attribute("error.type", reason)
        self._span.set_status(Status(StatusCode.ERROR, reason))

    def end(self) -> None:
        """Take the time and send it."""
        self._span.end()


class OtlpRecorder:
    """Records spans and sends them in batches from a thread of its own."""

    def __init__(self, service: str, endpoint: str, sample_ratio: float) -> None:
        self.sample_ratio = sample_ratio
        exporter = OTLPSpanExporter(endpoint=endpoint, insecure=not endpoint.startswith("https://"))
        self._provider = TracerProvider(resource=Resource.create({"service.name": f"razvilka-{service}"}))
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("razvilka")

    def start(self, name: str, parent: TraceContext, kind: SpanKind, attributes: Attributes | None) -> OtlpSpan:
        """Begin a step under `parent`."""
        remote = SpanContext(int(parent.trace_id, 16), int(parent.span_id, 16), True, TraceFlags(TraceFlags.SAMPLED))
        context = trace.set_span_in_context(NonRecordingSpan(remote))
        return OtlpSpan(
            self._tracer.start_span(name, context=context, kind=OtlpKind[kind.value], attributes=attributes)
        )

    def shutdown(self) -> None:
        """Send what is left. Blocking, bounded by the exporter's own timeout."""
        self._provider.shutdown()
