"""Every gRPC server is born here: errors, deadlines, logs, metrics, traces, health, graceful stop.

A service author writes handlers only.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import grpc
import structlog
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from servicekit import lifecycle
from servicekit.call import ServedCall, from_metadata
from servicekit.errors import ServiceError
from servicekit.rpc_errors import encode
from servicekit.settings import GrpcSettings

log = structlog.get_logger()

HEALTH_EVERY_S: Final = 1.0

Register = Callable[[grpc.aio.Server], None]
Ready = Callable[[], Awaitable[bool]]


@asynccontextmanager
async def running_server(settings: GrpcSettings, register: Register, ready: Ready) -> AsyncIterator[int]:
    """Serve until the block is left; yield the port. Calls under way get `grace_s` to end.

    Args:
        settings: where to listen.
        register: adds the servicers.
        ready: tells whether the service can do its work; polled for `grpc.health.v1`.
    """
    server = grpc.aio.server(interceptors=[_Interceptor()], options=_options(settings))
    register(server)
    checks = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    port = server.add_insecure_port(f"{settings.host}:{settings.port}")
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


def _options(settings: GrpcSettings) -> list[tuple[str, Any]]:
    limit = settings.max_message_mb * 1024 * 1024
    return [
        ("grpc.max_receive_message_length", limit),
        ("grpc.max_send_message_length", limit),
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

    def __init__(self) -> None:
        self._wrapped: dict[str, Any] = {}

    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        """Return the wrapped handler of the method called."""
        wrapped = self._wrapped.get(details.method)
        if wrapped is None:
            handler = await continuation(details)
            # A call that carries others is no work of its own: each of those is a `ServedCall`.
            if handler is None or handler.request_streaming or details.method.startswith("/grpc.health."):
                return handler
            wrapped = self._wrapped[details.method] = _wrap(handler, details.method.rpartition("/")[2])
        return wrapped


def _wrap(handler: Any, method: str) -> Any:
    if handler.response_streaming:
        serve_stream = handler.unary_stream

        async def stream(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> AsyncIterator[Any]:
            async with _served(method, context):
                async for message in serve_stream(request, context):
                    yield message

        return grpc.unary_stream_rpc_method_handler(stream, handler.request_deserializer, handler.response_serializer)
    serve_unary = handler.unary_unary

    async def unary(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        async with _served(method, context):
            return await serve_unary(request, context)

    return grpc.unary_unary_rpc_method_handler(unary, handler.request_deserializer, handler.response_serializer)


def _served(method: str, context: grpc.aio.ServicerContext[Any, Any]) -> ServedCall:
    async def abort(error: ServiceError) -> None:
        await context.abort(*encode(error))

    call = from_metadata(context.invocation_metadata() or ())
    return ServedCall(method, call, remaining_s=context.time_remaining(), fail=abort)
