"""A server and a client of shared RPCs over a real socket; frames travel pickled."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc

from servicekit import rpc_client
from servicekit.call import CallContext
from servicekit.multiplex.client import MultiplexClient, open_client
from servicekit.multiplex.frames import Failure
from servicekit.multiplex.handlers import Handler
from servicekit.multiplex.server import MultiplexServer
from servicekit.multiplex.settings import MultiplexClientSettings, MultiplexServerSettings
from servicekit.rpc_errors import fields, from_fields
from servicekit.rpc_server import running_server
from servicekit.settings import GrpcSettings
from servicekit.tracing import begin_trace
from servicekit.trust.callers import CallPolicy

METHOD = "/test.Shared/Converse"
CONTEXT = CallContext("request-7", begin_trace(None))


@dataclass
class PickleCodec:
    """Keeps the frames of every message that it encodes. A payload is bytes."""

    messages: list[list[Any]] = field(default_factory=list)

    def encode(self, frames: Sequence[Any]) -> Any:
        self.messages.append(list(frames))
        return [_bare(frame) for frame in frames]

    def decode(self, message: Any) -> Any:
        return [Failure(frame[0], from_fields(frame[1])) if isinstance(frame, tuple) else frame for frame in message]

    def size(self, payload: bytes) -> int:
        return len(payload)


def _bare(frame: Any) -> Any:
    return (frame.call_id, fields(frame.error)) if isinstance(frame, Failure) else frame


@dataclass
class Served:
    """A running server."""

    port: int
    shared: MultiplexServer
    codec: PickleCodec
    rpcs: list[Any]


@asynccontextmanager
async def served(
    handlers: Mapping[str, Handler],
    *,
    port: int = 0,
    grace_s: float = 0,
    codec: PickleCodec | None = None,
    **settings: Any,
) -> AsyncIterator[Served]:
    codec = codec or PickleCodec()
    shared = MultiplexServer(handlers, codec, MultiplexServerSettings(**settings))
    rpcs: list[Any] = []

    async def converse(_: Any, context: Any) -> None:
        rpcs.append(context)
        await shared.serve(context)

    def register(server: grpc.aio.Server) -> None:
        handler = grpc.stream_stream_rpc_method_handler(
            converse, request_deserializer=pickle.loads, response_serializer=pickle.dumps
        )
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Shared", {"Converse": handler}),))

    async with running_server(GrpcSettings(port=port, grace_s=grace_s), register, _ready, CallPolicy({})) as bound:
        yield Served(bound, shared, codec, rpcs)


async def _ready() -> bool:
    return True


@asynccontextmanager
async def connected(*targets: str, codec: PickleCodec | None = None, **settings: Any) -> AsyncIterator[MultiplexClient]:
    settings.setdefault("renew_s", 3600.0)
    async with AsyncExitStack() as opened:
        rpcs = [_opener(await opened.enter_async_context(rpc_client.open_channel(target))) for target in targets]
        client = open_client(rpcs, codec or PickleCodec(), MultiplexClientSettings(**settings))
        yield await opened.enter_async_context(client)


def _opener(channel: grpc.aio.Channel) -> Callable[[], Any]:
    return channel.stream_stream(METHOD, request_serializer=pickle.dumps, response_deserializer=pickle.loads)


def at(*served_at: Served) -> str:
    """Return the target of one channel to them all."""
    return "ipv4:" + ",".join(f"127.0.0.1:{each.port}" for each in served_at)


async def unary(client: MultiplexClient, request: bytes = b"", deadline_s: float = 30.0, method: str = "Whole") -> Any:
    return await client.unary(method, request, deadline_s=deadline_s, context=CONTEXT)


def stream(client: MultiplexClient, request: bytes = b"", deadline_s: float = 30.0, method: str = "Parts") -> Any:
    return client.stream(method, request, deadline_s=deadline_s, context=CONTEXT)


async def until(true: Callable[[], bool]) -> None:
    """Wait for a condition that something else brings about."""
    async with asyncio.timeout(30):
        while not true():
            await asyncio.sleep(0.005)
