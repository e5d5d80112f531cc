"""Runs every gRPC server: errors, deadlines, logs, metrics, traces, health checks, graceful stop.

Services provide handlers only.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, cast

import grpc
import structlog
from google.protobuf.message import DecodeError
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from prometheus_client import Gauge

from servicekit import lifecycle
from servicekit.call import ServedCall, from_metadata
from servicekit.errors import ErrorReason, InvalidRequest, PermissionDenied, ServiceError
from servicekit.rpc_errors import encode
from servicekit.settings import GrpcSettings, TlsSettings
from servicekit.telemetry import watch_loop
from servicekit.trust.callers import CallPolicy, RegisteredMethods, names_of
from servicekit.trust.certificate_files import CertificateFiles, Material

log = structlog.get_logger()

HEALTH_EVERY_S: Final = 1.0
METADATA_BYTES: Final = 16 * 1024
NO_TLS: Final = TlsSettings()

READY: Final = Gauge(
    "razvilka_ready", "1 while the service can do its work, as grpc.health.v1 says: 0 without PostgreSQL, for instance."
)

Register = Callable[[grpc.aio.Server], None]
Ready = Callable[[], Awaitable[bool]]


@asynccontextmanager
async def running_server(
    settings: GrpcSettings, register: Register, ready: Ready, policy: CallPolicy, tls: TlsSettings = NO_TLS
) -> AsyncIterator[int]:
    """Serve while the block runs; yield the port. At the end, calls under way get `grace_s` to finish.

    Args:
        settings: where to listen.
        register: adds the servicers.
        ready: tells whether the service can do its work; polled for `grpc.health.v1`.
        policy: who may call what.
        tls: our certificate and the authority we trust; empty: plaintext, and callers are not told apart.

    Raises:
        MissingRow: an RPC has no row in the policy.
        CannotListenError: the address or the port cannot be used.
        BadCertificate: a file of the certificate is missing or unusable.
    """
    server = grpc.aio.server(interceptors=[_Interceptor(policy if tls.dir else None)], options=_options(settings))
    noted = RegisteredMethods(server)
    register(cast("grpc.aio.Server", noted))
    policy.check_complete(noted.methods)
    checks = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    address = f"{settings.host}:{settings.port}"
    try:
        port = _add_port(server, address, tls)
    except RuntimeError as exc:
        # gRPC says no more.
        raise lifecycle.CannotListenError("GRPC", f"cannot listen on {address}: is it taken, or not ours?") from exc
    await checks.set("", health_pb2.HealthCheckResponse.NOT_SERVING)
    await server.start()
    log.info("rpc.listening", host=settings.host, port=port)
    async with lifecycle.background() as tasks:
        tasks.keep(lambda: _poll_health(checks, ready), name="health")
        tasks.keep(watch_loop, name="event_loop")
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
        # Only who connects anew resolves a name again and finds instances that were added. Calls under way go on.
        ("grpc.max_connection_age_ms", int(settings.connection_age_s * 1000)),
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
        READY.set(serving)
        await asyncio.sleep(HEALTH_EVERY_S)


Context = grpc.aio.ServicerContext[Any, Any]


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
            wrap = _wrap_carrier if handler.request_streaming else _wrap
            wrapped = self._wrapped[details.method] = wrap(handler, details.method, self._policy)
        return wrapped


def _wrap_carrier(handler: Any, method: str, policy: CallPolicy | None) -> Any:
    # A call that carries others is no work of its own: each of those is a `ServedCall`. Who opens it is asked once.
    serve = handler.stream_stream

    async def carry(requests: Any, context: Context) -> None:
        try:
            _refuse_strangers(policy, method, context)
        except ServiceError as refusal:
            await context.abort(*encode(refusal))
        await serve(requests, context)

    return grpc.stream_stream_rpc_method_handler(carry, handler.request_deserializer, handler.response_serializer)


def _wrap(handler: Any, method: str, policy: CallPolicy | None) -> Any:
    # Requests are decoded inside: strangers are refused before a byte of theirs is read, and one that cannot be read is
    # the caller's fault (gRPC itself would call it INTERNAL).
    parse, serialize = handler.request_deserializer, handler.response_serializer
    if handler.response_streaming:
        serve_stream = handler.unary_stream

        async def stream(request: bytes, context: Context) -> AsyncIterator[Any]:
            async with _served(method, context):
                _refuse_strangers(policy, method, context)
                async for message in serve_stream(_decoded(parse, request), context):
                    yield message

        return grpc.unary_stream_rpc_method_handler(stream, None, serialize)
    serve_unary = handler.unary_unary

    async def unary(request: bytes, context: Context) -> Any:
        async with _served(method, context):
            _refuse_strangers(policy, method, context)
            return await serve_unary(_decoded(parse, request), context)

    return grpc.unary_unary_rpc_method_handler(unary, None, serialize)


def _refuse_strangers(policy: CallPolicy | None, method: str, context: Context) -> None:
    if policy is None:
        return
    try:
        policy.check(method, context)
    except PermissionDenied:
        log.warning("rpc.caller_refused", method=method, caller=sorted(names_of(context)))
        raise


def _decoded(parse: Callable[[bytes], Any], request: bytes) -> Any:
    try:
        return parse(request)
    except (DecodeError, ValueError) as exc:
        raise InvalidRequest(ErrorReason.INVALID_REQUEST, "The message cannot be decoded.") from exc


def _served(path: str, context: Context) -> ServedCall:
    async def abort(error: ServiceError) -> None:
        await context.abort(*encode(error))

    call = from_metadata(context.invocation_metadata() or ())
    return ServedCall(path.rpartition("/")[2], call, remaining_s=context.time_remaining(), fail=abort)
