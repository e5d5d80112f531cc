"""Send random messages to one service in every role, and count how they were answered."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Final

import grpc
from google.protobuf.descriptor import MethodDescriptor
from razvilka.auth.v1 import account_pb2, auth_pb2, oauth_pb2, user_context_pb2
from razvilka.router.v1 import router_pb2
from razvilka.usage.v1 import catalog_facts_pb2, forecasts_pb2, insights_pb2, usage_pb2

from servicekit.rpc_client import Peer, open_channel
from tools.fuzz.grpc.messages import Messages
from tools.stack.running_stack import Target

FILES: Final[Mapping[str, tuple[ModuleType, ...]]] = {
    "auth": (auth_pb2, oauth_pb2, account_pb2, user_context_pb2),
    "router": (router_pb2,),
    "usage": (usage_pb2, catalog_facts_pb2, forecasts_pb2, insights_pb2),
}
AT_ONCE: Final = 8
# What gRPC's own client says when it could not write to a call that had ended.
CLIENTS_OWN: Final = "Internal error from Core"
TRIES: Final = 10
DEADLINE_S: Final = 20.0
# What no input may cause: the service did not foresee it.
OUR_FAULT: Final = frozenset({grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.DATA_LOSS})


@dataclass(slots=True)
class Outcome:
    """How often each status was the answer, and each method that answered with a fault of ours."""

    statuses: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)

    def note(self, method: str, status: grpc.StatusCode) -> None:
        """Count an answer."""
        self.statuses[status.name] += 1
        if status in OUR_FAULT:
            self.faults[f"{method} {status.name}"] += 1


def methods_of(service: str) -> list[MethodDescriptor]:
    """Return the RPCs of a service."""
    descriptors = [each for file in FILES[service] for each in file.DESCRIPTOR.services_by_name.values()]
    return [method for descriptor in descriptors for method in descriptor.methods]


async def attack(target: Target, caller: str | None, messages: int, seed: int) -> Outcome:
    """Send messages as the holder of a certificate, or in plaintext as nobody."""
    outcome = Outcome()
    rng = random.Random(seed)  # noqa: S311 - it must be repeatable
    maker, methods = Messages(rng), methods_of(target.service)
    peer = Peer(target.service, target.tls / caller) if caller else None
    orders = [(method, maker.encoded(method.input_type)) for method in rng.choices(methods, k=messages)]
    async with open_channel(target.address, peer) as channel:
        queue = iter(orders)

        async def send() -> None:
            for method, content in queue:
                outcome.note(method.name, await _status(channel, method, content))

        async with asyncio.TaskGroup() as tasks:
            for _ in range(AT_ONCE):
                tasks.create_task(send())
    return outcome


async def _status(channel: grpc.aio.Channel, method: MethodDescriptor, content: bytes) -> grpc.StatusCode:
    path = f"/{method.containing_service.full_name}/{method.name}"
    try:
        if method.client_streaming:
            return await _status_of_shared(channel.stream_stream(path), content)
        if method.server_streaming:
            stream: Any = channel.unary_stream(path)
            async for _ in stream(content, timeout=DEADLINE_S):
                pass
        else:
            unary: Any = channel.unary_unary(path)
            await unary(content, timeout=DEADLINE_S)
    except grpc.aio.AioRpcError as exc:
        return exc.code()
    return grpc.StatusCode.OK


async def _status_of_shared(open_call: Any, content: bytes) -> grpc.StatusCode:
    """Return what the server says of a call that both sides write.

    A server that refuses may have ended it before the message is written; gRPC's client then answers for it. Such a
    call is made again: its status is nobody's word.
    """
    for _ in range(TRIES):
        call = open_call(timeout=DEADLINE_S)
        with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
            await call.initial_metadata()
            await call.write(content)
            await call.done_writing()
            async for _ in call:
                pass
        code: grpc.StatusCode = await call.code()
        if await call.details() != CLIENTS_OWN:
            break
    return code


async def send_noise(target: Target, connections: int, seed: int) -> None:
    """Open connections and write bytes that are neither TLS nor HTTP/2."""
    rng = random.Random(seed)  # noqa: S311 - it must be repeatable
    host, _, port = target.address.rpartition(":")
    for _ in range(connections):
        with contextlib.suppress(OSError):
            _reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(rng.randbytes(rng.choice((1, 9, 24, 4000))))
            await writer.drain()
            writer.close()
            await writer.wait_closed()
