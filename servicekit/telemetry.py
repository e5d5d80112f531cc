"""Configures logs and traces, serves metrics, and measures the lag of the event loop.

Metrics are declared by each service and served by `serve_metrics`.
"""

from __future__ import annotations

import asyncio
import io
import logging
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import msgspec
import structlog
from prometheus_client import Histogram, disable_created_metrics, start_http_server

from servicekit.lifecycle import CannotListenError
from servicekit.settings import MetricsSettings, TelemetrySettings
from servicekit.tracing.spans import record_with

if TYPE_CHECKING:
    from servicekit.tracing.otlp import OtlpRecorder

_encoder: Final = msgspec.json.Encoder(enc_hook=repr)
_recorder: OtlpRecorder | None = None

LOOK_EVERY_S: Final = 0.1
LOOP_LAG: Final = Histogram(
    "razvilka_event_loop_lag_seconds",
    "Seconds that the event loop was late for a task that slept.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)


def configure(service: str, settings: TelemetrySettings) -> None:
    """Set up logs and, when an OTLP endpoint is given, traces. Call once, in `__main__`."""
    _configure_logs(service, settings)
    _configure_traces(service, settings)


def shutdown() -> None:
    """Send the remaining spans. Blocking, bounded by the exporter's own timeout."""
    if _recorder is not None:
        _recorder.shutdown()


def serve_metrics(settings: MetricsSettings) -> None:
    """Serve `/metrics` from its own thread, so that a scrape never blocks the event loop.

    Raises:
        CannotListenError: the address or the port cannot be used.
    """
    if settings.port:
        # The time at which each series began is a series more for each: nobody asks for it.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # its library has no types here
        try:
            start_http_server(settings.port, addr=settings.host)
        except OSError as exc:
            why = f"cannot listen on {settings.host}:{settings.port}: {exc.strerror or exc}"
            raise CannotListenError("METRICS", why) from exc


async def watch_loop() -> None:
    """Keep measuring how late the event loop wakes sleeping tasks: the first sign of an overloaded process."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + LOOK_EVERY_S
        await asyncio.sleep(LOOK_EVERY_S)
        LOOP_LAG.observe(max(0.0, loop.time() - due))


def _configure_traces(service: str, settings: TelemetrySettings) -> None:
    global _recorder
    if not settings.otlp_endpoint:
        return
    # Not at the top: its libraries take 13 MB.
    from servicekit.tracing.otlp import OtlpRecorder

    _recorder = OtlpRecorder(service, settings.otlp_endpoint, settings.sample_ratio, slow_s=settings.slow_s)
    record_with(_recorder)


class _Output(io.TextIOBase):
    """Standard output that may be a file on a full disk: lines that cannot be written are lost without an error."""

    def write(self, text: str) -> int:
        try:
            return sys.stdout.write(text)
        except OSError:
            return len(text)

    def flush(self) -> None:
        try:
            sys.stdout.flush()
        except OSError:
            return


def _to_json(_: object, __: str, event: structlog.typing.EventDict) -> str:
    # A third of the time that json.dumps takes; one line a request makes it count.
    return _encoder.encode(event).decode()


def _configure_logs(service: str, settings: TelemetrySettings) -> None:
    console = settings.log_format == "console" or (settings.log_format == "auto" and sys.stdout.isatty())
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback) if console else _to_json
    )

    def finish(logger: object, level: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event["level"] = level
        event["service"] = service
        event["timestamp"] = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        return structlog.processors.format_exc_info(logger, level, event) if "exc_info" in event else event

    output = _Output()
    structlog.configure(
        # One processor for what structlog has four of.
        processors=[structlog.contextvars.merge_contextvars, finish, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[settings.log_level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(output),  # type: ignore[arg-type]  # it writes and flushes
        cache_logger_on_first_use=True,
    )
    # Libraries that log by the standard way: only what needs a person.
    logging.basicConfig(
        level=logging.WARNING,
        stream=output,
        format='{"level":"%(levelname)s","logger":"%(name)s","event":%(message)r}',
    )
