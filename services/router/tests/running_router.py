"""A whole router behind its real gRPC server, and short ways to ask it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from razvilka.router.v1 import router_pb2 as pb
from razvilka.router.v1 import router_pb2_grpc

from emulator.testing import RunningEmulator
from servicekit import rpc_client
from servicekit.clock import SystemClock
from services.router.server import running
from services.router.tests.adapters import router_settings

Stub = Any


@asynccontextmanager
async def router(emulator: RunningEmulator, **settings: Any) -> AsyncIterator[Stub]:
    """Run a router and yield a stub of it."""
    async with (
        running(router_settings(emulator, **settings), SystemClock()) as port,
        rpc_client.open_channel(f"127.0.0.1:{port}") as channel,
    ):
        yield router_pb2_grpc.RouterServiceStub(channel)


def prompt(model: str, text: str = "Привет", **more: Any) -> pb.Prompt:
    return pb.Prompt(model=model, messages=[pb.Message(role=pb.ROLE_USER, content=text)], **more)


async def complete(stub: Stub, asked: pb.Prompt, deadline_s: float = 10.0) -> pb.CompleteResponse:
    request = pb.CompleteRequest(request_id="0197", prompt=asked)
    answer: pb.CompleteResponse = await rpc_client.unary(stub.Complete, request, deadline_s=deadline_s)
    return answer


async def stream(stub: Stub, asked: pb.Prompt, heard: list[pb.StreamResponse] | None = None) -> list[pb.StreamResponse]:
    """Return the parts; `heard` keeps those before a failure."""
    parts = heard if heard is not None else []
    request = pb.StreamRequest(request_id="0197", prompt=asked)
    async for part in rpc_client.stream(stub.Stream, request, deadline_s=10):
        parts.append(part)
    return parts


def text_of(parts: list[pb.StreamResponse]) -> str:
    return "".join(delta.content for part in parts for delta in part.deltas)


Ask = Callable[[Stub, pb.Prompt], Awaitable[Any]]


def ends_of(answer: Any) -> tuple[Any, pb.End]:
    """Return the message with the route and the end, of either way of answering."""
    return (answer[0], answer[-1].end) if isinstance(answer, list) else (answer, answer.end)
