"""A minimal OpenTelemetry collector: takes spans over OTLP/gRPC and keeps them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc


@dataclass(frozen=True, slots=True)
class ReceivedSpan:
    """What a test needs of one span."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    attributes: dict[str, str]


class SpanReceiver(trace_service_pb2_grpc.TraceServiceServicer):
    """Every span that anybody exported, and the exports as text."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spans: list[ReceivedSpan] = []
        self._texts: list[str] = []
        self.endpoint = ""

    # The name is OTLP's.
    def Export(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Take a batch."""
        found = list(_spans_of(request))
        with self._lock:
            self._spans.extend(found)
            self._texts.append(str(request))
        return trace_service_pb2.ExportTraceServiceResponse()

    def text(self) -> str:
        """Return everything that was exported, every attribute, event and status of it."""
        with self._lock:
            return "\n".join(self._texts)

    def of_trace(self, trace_id: str) -> list[ReceivedSpan]:
        """Return the spans of a trace that have arrived so far."""
        with self._lock:
            return [span for span in self._spans if span.trace_id == trace_id]

    def wait_for(
        self, trace_id: str, is_whole: Callable[[list[ReceivedSpan]], bool], *, within_s: float = 60.0
    ) -> list[ReceivedSpan]:
        """Return the spans of a trace once `is_whole` says so; exporters send in batches."""
        give_up_at = time.monotonic() + within_s
        while not is_whole(spans := self.of_trace(trace_id)):
            if time.monotonic() > give_up_at:
                raise TimeoutError(f"trace {trace_id} has only {spans}")
            time.sleep(0.05)
        return spans


def lead_to_a_provider(spans: list[ReceivedSpan]) -> bool:
    """Tell whether a request is there, and each call of a provider with the step above it, which ends after it.

    An exporter sends when its time has come, also between two ends.
    """
    ids = {span.span_id for span in spans}
    above = [span.parent_id for span in spans if span.name == "provider.call"]
    return "gateway.request" in {span.name for span in spans} and bool(above) and ids.issuperset(above)


@contextmanager
def running_span_receiver() -> Iterator[SpanReceiver]:
    """Listen on a free port for the block."""
    receiver = SpanReceiver()
    server = grpc.server(ThreadPoolExecutor(max_workers=2))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(receiver, server)
    receiver.endpoint = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield receiver
    finally:
        server.stop(grace=None)


def _spans_of(request: Any) -> Iterator[ReceivedSpan]:
    for resource in request.resource_spans:
        service = _attributes(resource.resource.attributes).get("service.name", "")
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield ReceivedSpan(
                    service,
                    span.name,
                    span.trace_id.hex(),
                    span.span_id.hex(),
                    span.parent_span_id.hex(),
                    _attributes(span.attributes),
                )


def _attributes(pairs: Any) -> dict[str, str]:
    return {pair.key: str(getattr(pair.value, pair.value.WhichOneof("value") or "string_value")) for pair in pairs}
