"""Every gRPC server is born here: errors, deadlines, logs, metrics, traces, health, graceful stop.

A service author writes handlers only.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, cast

import grpc
import structlog
from google.protobuf.message import DecodeError
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from opentelemetry.trace import SpanKind
from prometheus_client import Gauge, Histogram

from servicekit import lifecycle
from servicekit.call import CallContext, enter_call, from_metadata
from servicekit.errors import DeadlineExceeded, ErrorReason, Internal, InvalidRequest, ServiceError
from servicekit.rpc_errors import encode
from servicekit.settings import GrpcSettings, TlsSettings
from servicekit.telemetry import start_span
from servicekit.trust.callers import CallPolicy, RegisteredMethods, names_of
from servicekit.trust.certificate_files import CertificateFiles, Material

log = structlog.get_logger()

# Leave 20 ms so that the caller hears *which* hop timed out before its own deadline fires.
HOP_MARGIN_S: Final = 0.020
HEALTH_EVERY_S: Final = 1.0
METADATA_BYTES: Final = 16 * 1024
NO_TLS: Final = TlsSettings()

SECONDS = Histogram(
    "razvilka_rpc_server_seconds",
    "Seconds one RPC took, by method and outcome (a stream: until its end).",
    ["method", "outcome"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120),
)
IN_FLIGHT = Gauge("razvilka_rpc_server_in_flight", "RPCs being served.", ["method"])

Register = Callable[[grpc.aio.Server], None]
Ready = Callable[[], Awaitable[bool]]


@asynccontextmanager
async def running_server(
    settings: GrpcSettings, register: Register, ready: Ready, policy: CallPolicy, tls: TlsSettings = NO_TLS
) -> AsyncIterator[int]:
    """Serve until the block is left; yield the port. Calls under way get `grace_s` to end.

    Args:
        settings: where to listen.
        register: adds the servicers.
        ready: tells whether the service can do its work; polled for `grpc.health.v1`.
        policy: who may call what.
        tls: our certificate, and whose we believe; none: plaintext, and callers are not told apart.

    Raises:
        MissingRow: an RPC has no row in the policy.
    """
    server = grpc.aio.server(interceptors=[_Interceptor(policy if tls.dir else None)], options=_options(settings))
    noted = RegisteredMethods(server)
    register(cast("grpc.aio.Server", noted))
    policy.check_complete(noted.methods)
    checks = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    port = _add_port(server, f"{settings.host}:{settings.port}", tls)
    await checks.set("", health_pb2.HealthCheckResponse.NOT_SERVING)
    await server.start()
    log.info("rpc.listening", host=settings.host, port=port)
    async with lifecycle.background() as tasks:
        tasks.start(_poll_health(checks, ready), name="health")
        try:
            yield port
        finally:
            await checks.enter_graceful_shutdown()
            await server.stop(settings.grace_s)


def _add_port(server: grpc.aio.Server, address: str, tls: TlsSettings) -> int:
    if tls.dir is None:
        return server.add_insecure_port(address)
    files = CertificateFiles(tls.dir)
    # gRPC asks before each handshake: a replaced certificate serves the next connection.
    credentials = grpc.dynamic_ssl_server_credentials(
        _configured(files.read()), lambda: _configured_if(files.read_if_changed()), require_client_authentication=True
    )
    return server.add_secure_port(address, credentials)


def _configured_if(material: Material | None) -> Any:
    return None if material is None else _configured(material)


def _configured(material: Material) -> Any:
    return grpc.ssl_server_certificate_configuration(
        [(material.key, material.certificate)], root_certificates=material.authority
    )


def _options(settings: GrpcSettings) -> list[tuple[str, Any]]:
    limit = settings.max_message_mb * 1024 * 1024
    return [
        ("grpc.max_receive_message_length", limit),
        ("grpc.max_send_message_length", limit),
        # One connection may not take all of the service; a gateway has some hundreds of calls under way.
        ("grpc.max_concurrent_streams", settings.max_streams),
        ("grpc.max_metadata_size", METADATA_BYTES),
        ("grpc.so_reuseport", 0),
        ("grpc.http2.min_ping_interval_without_data_ms", 5000),
        ("grpc.keepalive_permit_without_calls", 1),
    ]


async def _poll_health(checks: health.aio.HealthServicer, ready: Ready) -> None:
    while True:
        try:
            serving = await asyncio.wait_for(ready(), timeout=5.0)
        except Exception:
            log.exception("health.failed")
            serving = False
        status = health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING
        await checks.set("", status)
        await asyncio.sleep(HEALTH_EVERY_S)


class _Interceptor(grpc.aio.ServerInterceptor):
    """Wraps each handler once; the wrapped handler is kept by method name."""

    def __init__(self, policy: CallPolicy | None) -> None:
        self._policy = policy
        self._wrapped: dict[str, Any] = {}

    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        """Return the wrapped handler of the method called."""
        wrapped = self._wrapped.get(details.method)
        if wrapped is None:
            handler = await continuation(details)
            if handler is None or details.method.startswith("/grpc.health."):
                return handler
            wrapped = self._wrapped[details.method] = _wrap(handler, details.method, self._policy)
        return wrapped


def _wrap(handler: Any, method: str, policy: CallPolicy | None) -> Any:
    # Requests are decoded inside: strangers are refused before a byte of theirs is read, and one that cannot be read is
    # the caller's fault (gRPC itself would call it INTERNAL).
    parse, serialize = handler.request_deserializer, handler.response_serializer
    if handler.response_streaming:
        serve_stream = handler.unary_stream

        async def stream(request: bytes, context: grpc.aio.ServicerContext[Any, Any]) -> AsyncIterator[Any]:
            async with _Served(method, context, policy):
                async for message in serve_stream(_decoded(parse, request), context):
                    yield message

        return grpc.unary_stream_rpc_method_handler(stream, None, serialize)
    serve_unary = handler.unary_unary

    async def unary(request: bytes, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        async with _Served(method, context, policy):
            return await serve_unary(_decoded(parse, request), context)

    return grpc.unary_unary_rpc_method_handler(unary, None, serialize)


def _decoded(parse: Callable[[bytes], Any], request: bytes) -> Any:
    try:
        return parse(request)
    except (DecodeError, ValueError) as exc:
        raise InvalidRequest(ErrorReason.INVALID_REQUEST, "The message cannot be decoded.") from exc


class _Served:
    """Around one call: context in, deadline, error translation, metrics and span out."""

    __slots__ = ("_call", "_context", "_deadline", "_method", "_path", "_policy", "_span", "_started")

    def __init__(self, path: str, context: grpc.aio.ServicerContext[Any, Any], policy: CallPolicy | None) -> None:
        self._path = path
        self._method = path.rpartition("/")[2]
        self._context = context
        self._policy = policy

    async def __aenter__(self) -> None:
        self._started = time.perf_counter()
        IN_FLIGHT.labels(self._method).inc()
        call = from_metadata(self._context.invocation_metadata() or ())
        self._span = start_span(self._method, call.trace, kind=SpanKind.SERVER)
        self._call = CallContext(call.request_id, self._span.context)
        enter_call(self._call)
        remaining = self._context.time_remaining()
        self._deadline = asyncio.timeout(None if remaining is None else max(0.0, remaining - HOP_MARGIN_S))
        await self._deadline.__aenter__()
        await self._refuse_strangers()

    async def _refuse_strangers(self) -> None:
        if self._policy is None:
            return
        try:
            self._policy.check(self._path, self._context)
        except ServiceError as refusal:
            log.warning("rpc.caller_refused", method=self._path, caller=sorted(names_of(self._context)))
            await self.__aexit__(type(refusal), refusal, None)

    async def __aexit__(self, kind: Any, exc: BaseException | None, tb: Any) -> None:
        failure = exc
        try:
            await self._deadline.__aexit__(kind, exc, tb)
        except TimeoutError as timeout:
            failure = timeout if self._deadline.expired() else exc
        if failure is None:
            self._close("OK")
        elif isinstance(failure, asyncio.CancelledError | GeneratorExit):
            self._close("CANCELLED")
        else:
            error = self._as_service_error(failure)
            self._close(error.reason.value)
            await self._context.abort(*encode(error))

    def _close(self, outcome: str) -> None:
        if outcome != "OK":
            self._span.fail(outcome)
        self._span.__exit__(None, None, None)
        IN_FLIGHT.labels(self._method).dec()
        SECONDS.labels(self._method, outcome).observe(time.perf_counter() - self._started)

    def _as_service_error(self, failure: BaseException) -> ServiceError:
        if isinstance(failure, ServiceError):
            return failure
        if isinstance(failure, TimeoutError) and self._deadline.expired():
            return DeadlineExceeded(ErrorReason.DEADLINE_EXCEEDED, f"{self._method} ran out of time.")
        log.error("rpc.failed", method=self._method, request_id=self._call.request_id, exc_info=failure)
        return Internal()
