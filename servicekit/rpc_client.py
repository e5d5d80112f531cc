"""Every gRPC channel is opened here; errors come back as the ServiceError that the server raised."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from servicekit.call import CallContext
from servicekit.rpc_errors import decode

Response = TypeVar("Response")

_LIMIT: Final = 24 * 1024 * 1024
_OPTIONS: Final[list[tuple[str, Any]]] = [
    ("grpc.max_receive_message_length", _LIMIT),
    ("grpc.max_send_message_length", _LIMIT),
    # A restarted service is found again within a fraction of a second, not after gRPC's default of up to 120 s.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.lb_policy_name", "round_robin"),
]


@asynccontextmanager
async def open_channel(target: str) -> AsyncIterator[grpc.aio.Channel]:
    """Yield a channel to `target` (host:port or dns:///name:port); it connects when it is used."""
    async with grpc.aio.insecure_channel(target, options=_OPTIONS) as channel:
        yield channel


async def unary(
    method: Any, request: Any, *, deadline_s: float, call: CallContext | None = None, wait_for_ready: bool = False
) -> Any:
    """Call a unary RPC within `deadline_s` seconds.

    Args:
        wait_for_ready: wait (within the deadline) for a service that is restarting instead of failing at once.

    Raises:
        ServiceError: what the server raised, or Unavailable / DeadlineExceeded of the transport.
    """
    try:
        return await method(
            request, timeout=deadline_s, metadata=call.metadata() if call else None, wait_for_ready=wait_for_ready
        )
    except grpc.aio.AioRpcError as exc:
        raise decode(exc) from exc


async def is_serving(channel: grpc.aio.Channel, *, deadline_s: float = 1.0) -> bool:
    """Ask `grpc.health.v1` whether the service is ready."""
    stub: Any = health_pb2_grpc.HealthStub(channel)
    try:
        answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=deadline_s)
    except grpc.aio.AioRpcError:
        return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)
