"""Spans sent to an OpenTelemetry collector. Imported only where one is named: its libraries take 13 MB."""

from __future__ import annotations

from typing import Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import NonRecordingSpan, SpanContext, Status, StatusCode, TraceFlags
from opentelemetry.trace import SpanKind as OtlpKind

from servicekit.tracing.held import HeldSpan, HeldTraces
from servicekit.tracing.spans import Attributes, SpanKind, TraceContext

SCOPE: Final = "razvilka"


class OtlpSpan:
    """One span that is recorded."""

    __slots__ = ("_span", "is_sent", "span_id")

    def __init__(self, span: trace.Span) -> None:
        self._span = span
        self.is_sent = True
        self.span_id = format(span.get_span_context().span_id, "016x")

    def set(self, key: str, value: str | int | float | bool) -> None:
        """Add an attribute."""
        self._span.set_attribute(key, value)

    def fail(self, reason: str, *, is_ours: bool = True) -> None:
        """Mark the step as failed."""
        del is_ours
        self._span.set_attribute("error.type", reason)
        self._span.set_status(Status(StatusCode.ERROR, reason))

    def end(self) -> None:
        """Take the time and send it."""
        self._span.end()


class _Ids(RandomIdGenerator):
    """Gives a new trace the trace id that its request already has."""

    trace_id = 0

    def generate_trace_id(self) -> int:
        return self.trace_id


class OtlpRecorder:
    """Records spans and sends them in batches from its own thread."""

    def __init__(self, service: str, endpoint: str, sample_ratio: float, *, slow_s: float) -> None:
        self.sample_ratio = sample_ratio
        exporter = OTLPSpanExporter(endpoint=endpoint, insecure=not endpoint.startswith("https://"))
        self._resource = Resource.create({"service.name": f"razvilka-{service}"})
        self._ids = _Ids()
        # What is to be recorded is decided before it comes here.
        self._provider = TracerProvider(sampler=ALWAYS_ON, resource=self._resource, id_generator=self._ids)
        self._processor = BatchSpanProcessor(exporter)
        self._provider.add_span_processor(self._processor)
        self._tracer = self._provider.get_tracer(SCOPE)
        self._held = HeldTraces(self._send, slow_s=slow_s)

    def start(self, name: str, parent: TraceContext, kind: SpanKind, attributes: Attributes | None) -> OtlpSpan:
        """Begin a step under `parent`."""
        self._ids.trace_id = int(parent.trace_id, 16)
        above = _above(parent)
        context = Context() if above is None else trace.set_span_in_context(NonRecordingSpan(above), Context())
        return OtlpSpan(
            self._tracer.start_span(name, context=context, kind=OtlpKind[kind.value], attributes=attributes)
        )

    def hold(self, name: str, parent: TraceContext, kind: SpanKind, attributes: Attributes | None) -> HeldSpan:
        """Begin a step under `parent` that is sent if its trace fails or is slow."""
        return self._held.start(name, parent, kind, attributes)

    def _send(self, span: HeldSpan) -> None:
        trace_id, flags = int(span.parent.trace_id, 16), TraceFlags(TraceFlags.SAMPLED)
        attributes = {**span.attributes, "razvilka.held": True}
        if span.failed:
            attributes["error.type"] = span.failed
        self._processor.on_end(
            ReadableSpan(
                span.name,
                context=SpanContext(trace_id, int(span.span_id, 16), is_remote=False, trace_flags=flags),
                parent=_above(span.parent),
                resource=self._resource,
                attributes=attributes,
                kind=OtlpKind[span.kind.value],
                status=Status(StatusCode.ERROR, span.failed) if span.failed else Status(),
                start_time=span.began_ns,
                end_time=span.ended_ns,
                instrumentation_scope=InstrumentationScope(SCOPE),
            )
        )

    def shutdown(self) -> None:
        """Send what is left. Blocking, bounded by the exporter's own timeout."""
        self._provider.shutdown()


def _above(parent: TraceContext) -> SpanContext | None:
    """Return the parent span's context; None for the root of a trace, whose parent would never arrive."""
    if parent.is_root:
        return None
    return SpanContext(int(parent.trace_id, 16), int(parent.span_id, 16), True, TraceFlags(TraceFlags.SAMPLED))
