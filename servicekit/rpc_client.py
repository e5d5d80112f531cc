"""Opens gRPC channels and calls RPCs; errors are raised as the ServiceError that the server raised."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from servicekit import lifecycle
from servicekit.call import CallContext
from servicekit.rpc_errors import decode
from servicekit.settings import TlsSettings
from servicekit.trust.callers import name_of
from servicekit.trust.certificate_files import CertificateFiles, Material
from servicekit.trust.renewed_channel import RenewedChannel
from servicekit.trust.user_context import USER_CONTEXT

Response = TypeVar("Response")

# Metadata that may hold any bytes: what the caller of the HTTP request was let in by, for who issued it.
CREDENTIAL: Final = "razvilka-credential-bin"
LOOK_AT_FILES_EVERY_S: Final = 1.0
# A call that began over the channel of an earlier certificate is given this long to end; a request may take 600 s.
LONGEST_CALL_S: Final = 660.0
_LIMIT: Final = 24 * 1024 * 1024
_OPTIONS: Final[list[tuple[str, Any]]] = [
    ("grpc.max_receive_message_length", _LIMIT),
    ("grpc.max_send_message_length", _LIMIT),
    # A restarted service is found again within a fraction of a second, not after gRPC's default of up to 120 s.
    ("grpc.initial_reconnect_backoff_ms", 100),
    # By its name a pause, in fact how long a connection may take to be made, its handshakes with a busy peer included.
    ("grpc.min_reconnect_backoff_ms", 2000),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.lb_policy_name", "round_robin"),
]


@dataclass(frozen=True, slots=True)
class Peer:
    """The service expected at the other end, and the folder of our certificate for it."""

    service: str
    tls_dir: Path


def peer_of(service: str, tls: TlsSettings) -> Peer | None:
    """Return the peer with our certificate from these settings; None without TLS."""
    return None if tls.dir is None else Peer(service, tls.dir)


@asynccontextmanager
async def open_channel(target: str, peer: Peer | None = None) -> AsyncIterator[grpc.aio.Channel]:
    """Yield a channel to `target` (host:port or dns:///name:port); it connects when it is used.

    With a peer the channel uses mutual TLS; replaced certificate files are used from the next connection on. Without
    one it is plaintext.

    Raises:
        BadCertificate: the peer's files cannot be used.
    """
    if peer is None:
        async with grpc.aio.insecure_channel(target, options=_OPTIONS) as channel:
            yield channel
        return
    files = CertificateFiles(peer.tls_dir)
    renewed = RenewedChannel(_secure_channel(target, peer, files.read()))
    async with lifecycle.background() as tasks:
        tasks.keep(lambda: _renew(renewed, target, peer, files, tasks), name="certificates")
        try:
            yield cast("grpc.aio.Channel", renewed)
        finally:
            await renewed.current.close()


def _secure_channel(target: str, peer: Peer, material: Material) -> grpc.aio.Channel:
    credentials = grpc.ssl_channel_credentials(material.authority, material.key, material.certificate)
    # The name in the certificate is the service's, wherever it runs: addresses prove nothing.
    pinned = [("grpc.ssl_target_name_override", name_of(peer.service)), ("grpc.default_authority", peer.service)]
    return grpc.aio.secure_channel(target, credentials, options=[*_OPTIONS, *pinned])


async def _renew(
    renewed: RenewedChannel, target: str, peer: Peer, files: CertificateFiles, tasks: lifecycle.Background
) -> None:
    while True:
        await asyncio.sleep(LOOK_AT_FILES_EVERY_S)
        material = files.read_if_changed()
        if material is not None:
            before = renewed.renew(_secure_channel(target, peer, material))
            tasks.start(before.close(LONGEST_CALL_S), name="channel_before")


async def unary(
    method: Any,
    request: Any,
    *,
    deadline_s: float,
    call: CallContext | None = None,
    wait_for_ready: bool = False,
    in_their_name: bool = False,
    user_context: bytes = b"",
) -> Any:
    """Call a unary RPC within `deadline_s` seconds.

    Args:
        in_their_name: show the credential of `call`, too: the service is the one that issued it.
        user_context: shown to a service that cannot verify the credential (`trust.user_context`).
        wait_for_ready: wait (within the deadline) for a service that is restarting instead of failing at once.

    Raises:
        ServiceError: what the server raised, or Unavailable / DeadlineExceeded of the transport.
    """
    try:
        metadata = _metadata(call, in_their_name, user_context)
        return await method(request, timeout=deadline_s, metadata=metadata, wait_for_ready=wait_for_ready)
    except grpc.aio.AioRpcError as exc:
        raise decode(exc) from exc


async def stream(
    method: Any, request: Any, *, deadline_s: float, call: CallContext | None = None, user_context: bytes = b""
) -> AsyncIterator[Any]:
    """Yield the messages of a server-streaming RPC that ends within `deadline_s` seconds; it ends with the iterator.

    Raises:
        ServiceError: what the server raised, or Unavailable / DeadlineExceeded of the transport.
    """
    messages = method(request, timeout=deadline_s, metadata=_metadata(call, False, user_context))
    try:
        async for message in messages:
            yield message
    except grpc.aio.AioRpcError as exc:
        raise decode(exc) from exc
    finally:
        messages.cancel()


def _metadata(
    call: CallContext | None, in_their_name: bool, user_context: bytes
) -> tuple[tuple[str, str | bytes], ...] | None:
    if call is None:
        return None
    credential = ((CREDENTIAL, call.credential),) if in_their_name else ()
    return (*call.metadata(), *credential, *(((USER_CONTEXT, user_context),) if user_context else ()))


async def is_serving(channel: grpc.aio.Channel, *, deadline_s: float = 1.0) -> bool:
    """Ask `grpc.health.v1` whether the service is ready."""
    stub: Any = health_pb2_grpc.HealthStub(channel)
    try:
        answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=deadline_s)
    except grpc.aio.AioRpcError:
        return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)
