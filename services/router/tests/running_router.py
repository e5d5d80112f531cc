"""A whole router behind its real gRPC server, and short ways to ask it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import grpc
from razvilka.router.v1 import router_pb2 as pb
from razvilka.router.v1 import router_pb2_grpc

from emulator.testing import RunningEmulator
from servicekit.call import CallContext
from servicekit.clock import SystemClock
from servicekit.multiplex import MultiplexClient, MultiplexClientSettings, open_client
from servicekit.testing.ready_channel import ready_channel
from servicekit.tracing import begin_trace
from services.gateway.clients.router.frames import RouterCallCodec
from services.router.server import running
from services.router.tests.adapters import LONG_S, router_settings

CONTEXT: Final = CallContext("0197", begin_trace(None))


@dataclass(frozen=True, slots=True)
class Stub:
    """The calls of Converse, and the RPCs beside it."""

    calls: MultiplexClient
    rpcs: Any


@asynccontextmanager
async def router(emulator: RunningEmulator, **settings: Any) -> AsyncIterator[Stub]:
    """Run a router and yield a stub of it."""
    async with (
        running(router_settings(emulator, **settings), SystemClock()) as port,
        ready_channel(port) as channel,
        stub_of(channel) as stub,
    ):
        yield stub


@asynccontextmanager
async def stub_of(channel: grpc.aio.Channel) -> AsyncIterator[Stub]:
    """Yield a stub of the router that a channel leads to."""
    rpcs: Any = router_pb2_grpc.RouterServiceStub(channel)
    async with open_client([rpcs.Converse], RouterCallCodec(), MultiplexClientSettings(open_timeout_s=LONG_S)) as calls:
        yield Stub(calls, rpcs)


def prompt(model: str, text: str = "Привет", **more: Any) -> pb.Prompt:
    return pb.Prompt(model=model, messages=[pb.Message(role=pb.ROLE_USER, content=text)], **more)


async def complete(
    stub: Stub, asked: pb.Prompt, deadline_s: float = LONG_S, context: CallContext = CONTEXT
) -> pb.CompleteResponse:
    answer: pb.CompleteResponse = await stub.calls.unary("Complete", asked, deadline_s=deadline_s, context=context)
    return answer


async def stream(stub: Stub, asked: pb.Prompt, heard: list[pb.StreamResponse] | None = None) -> list[pb.StreamResponse]:
    """Return the parts; `heard` keeps those before a failure."""
    parts = heard if heard is not None else []
    async for arrived in stub.calls.stream("Stream", asked, deadline_s=LONG_S, context=CONTEXT):
        parts.extend(arrived)
    return parts


def text_of(parts: list[pb.StreamResponse]) -> str:
    return "".join(delta.content for part in parts for delta in part.deltas)


Ask = Callable[[Stub, pb.Prompt], Awaitable[Any]]


def ends_of(answer: Any) -> tuple[Any, pb.End]:
    """Return the message with the route and the end, of either way of answering."""
    return (answer[0], answer[-1].end) if isinstance(answer, list) else (answer, answer.end)
