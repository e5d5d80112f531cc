"""What a call costs alone and over a shared RPC: `python -m bench.multiplex`. Ratios count, not milliseconds.

One client and one server process, the real interceptors, frames and codecs of gateway and router; no provider: the
server's handlers say 20 events by timer. The timers are in the server's share of both columns alike.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import grpc
import psutil
import uvloop
from razvilka.router.v1 import router_pb2 as pb
from razvilka.router.v1 import router_pb2_grpc

from bench.calls_of_router import CALLS_OF_ROUTER
from servicekit import lifecycle, rpc_client
from servicekit.call import CallContext
from servicekit.multiplex import (
    Call,
    Handler,
    MultiplexClient,
    MultiplexClientSettings,
    MultiplexServer,
    MultiplexServerSettings,
    StreamHandler,
    UnaryHandler,
    open_client,
)
from servicekit.rpc_server import running_server
from servicekit.settings import GrpcSettings
from servicekit.tracing import begin_trace
from services.gateway.clients.router.frames import RouterCallCodec
from services.router.frames import RouterAnswerCodec

EVENTS: Final = 20
DEADLINE_S: Final = 60.0
WARM_UP_S: Final = 1.0
# 1.8 kB in seven messages, as a chat has.
TEXT: Final = "Перечисли стоянки у реки и скажи, какая ближе к дороге. " * 2
ALONE: Final = "razvilka.bench.Alone"
EVENT: Final = "о" * 80
CONTEXT: Final = CallContext("0197", begin_trace(None))

One = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Case:
    """Calls in flight, and the milliseconds between a stream's events; None: one answer, at once."""

    name: str
    in_flight: int
    gap_ms: float | None


CASES: Final = (
    Case("unary, 64 in flight", 64, None),
    Case("64 streams, 2 ms apart", 64, 2.0),
    Case("500 streams, 30 ms apart", 500, 30.0),
)


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU milliseconds a call on both sides, calls a second, and the median latency in ms."""

    client_ms: float
    server_ms: float
    calls_s: float
    p50_ms: float

    @property
    def both_ms(self) -> float:
        """The sum that is compared."""
        return self.client_ms + self.server_ms


class Servicer(router_pb2_grpc.RouterServiceServicer):
    """Answers both ways. A stream's `model` is the milliseconds between its events."""

    def __init__(self) -> None:
        handlers: dict[str, Handler] = {"Complete": UnaryHandler(self._complete), "Stream": StreamHandler(self._stream)}
        self._shared = MultiplexServer(handlers, RouterAnswerCodec(), MultiplexServerSettings())

    def register(self, server: grpc.aio.Server) -> None:
        """Add both ways to a server: the router's contract, and one RPC a call, which it has no more."""
        router_pb2_grpc.add_RouterServiceServicer_to_server(self, server)
        read = pb.Prompt.FromString
        alone = {
            "Complete": grpc.unary_unary_rpc_method_handler(self._alone, read, pb.CompleteResponse.SerializeToString),
            "Stream": grpc.unary_stream_rpc_method_handler(
                self._stream_alone, read, pb.StreamResponse.SerializeToString
            ),
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(ALONE, alone),))

    async def _alone(self, prompt: pb.Prompt, context: Any) -> pb.CompleteResponse:
        return _completion()

    async def _stream_alone(self, prompt: pb.Prompt, context: Any) -> AsyncGenerator[pb.StreamResponse, None]:
        async for part in _parts(float(prompt.model)):
            yield part

    # The generated types know only the way that yields; grpc.aio also takes a coroutine that writes by itself.
    async def Converse(self, _: Any, context: Any) -> None:  # type: ignore[override]
        """Answer many."""
        await self._shared.serve(context)

    async def _complete(self, call: Call) -> pb.CompleteResponse:
        return _completion()

    def _stream(self, call: Call) -> AsyncGenerator[pb.StreamResponse, None]:
        return _parts(float(call.request.model))


def _completion() -> pb.CompleteResponse:
    return pb.CompleteResponse(choices=[pb.Choice(content=EVENT)], end=pb.End(usage=pb.Usage(prompt_tokens=9)))


async def _parts(gap_ms: float) -> AsyncGenerator[pb.StreamResponse, None]:
    for _ in range(EVENTS):
        await asyncio.sleep(gap_ms / 1000)
        yield pb.StreamResponse(deltas=[pb.Delta(content=EVENT)])


async def serve() -> None:
    """Serve until a signal; the first line of standard output is the port."""
    servicer = Servicer()  # type: ignore[abstract]
    async with running_server(GrpcSettings(grace_s=0), servicer.register, _ready, CALLS_OF_ROUTER) as port:
        print(f"port {port}", flush=True)
        await lifecycle.stop_requested()


async def _ready() -> bool:
    return True


def prompt(case: Case) -> pb.Prompt:
    """Return a chat of 1.8 kB."""
    messages = [pb.Message(role=pb.ROLE_USER, content=TEXT) for _ in range(7)]
    return pb.Prompt(model=str(case.gap_ms or 0), messages=messages)


def alone(channel: grpc.aio.Channel, case: Case) -> One:
    """Return how one call is made by an RPC of its own."""
    write = pb.Prompt.SerializeToString
    whole = channel.unary_unary(f"/{ALONE}/Complete", write, pb.CompleteResponse.FromString)
    parts = channel.unary_stream(f"/{ALONE}/Stream", write, pb.StreamResponse.FromString)

    async def unary() -> None:
        await rpc_client.unary(whole, prompt(case), deadline_s=DEADLINE_S, call=CONTEXT)

    async def stream() -> None:
        _check(sum([1 async for _ in parts(prompt(case), timeout=DEADLINE_S, metadata=CONTEXT.metadata())]))

    return unary if case.gap_ms is None else stream


def shared(client: MultiplexClient, case: Case) -> One:
    """Return how one call is made over a shared RPC."""

    async def unary() -> None:
        await client.unary("Complete", prompt(case), deadline_s=DEADLINE_S, context=CONTEXT)

    async def stream() -> None:
        parts = client.stream("Stream", prompt(case), deadline_s=DEADLINE_S, context=CONTEXT)
        _check(sum([len(several) async for several in parts]))

    return unary if case.gap_ms is None else stream


def _check(events: int) -> None:
    if events != EVENTS:
        raise SystemExit(f"error: {events} events in place of {EVENTS}")


async def measured(one: One, case: Case, server: psutil.Process, seconds: float) -> Cost:
    """Make calls, `in_flight` at a time, and return what one costs after a warm-up."""
    stop_at = time.monotonic() + WARM_UP_S + seconds
    latencies: list[float] = []

    async def worker() -> None:
        while (began := time.monotonic()) < stop_at:
            await one()
            latencies.append(time.monotonic() - began)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(case.in_flight):
            tasks.create_task(worker())
        await asyncio.sleep(WARM_UP_S)
        latencies.clear()
        before = _spent(server)
        await asyncio.sleep(seconds)
        spent = [now - then for now, then in zip(_spent(server), before, strict=True)]
        done = sorted(latencies)
    calls = max(1, len(done))
    return Cost(1000 * spent[0] / calls, 1000 * spent[1] / calls, calls / spent[2], 1000 * done[len(done) // 2])


def _spent(server: psutil.Process) -> tuple[float, float, float]:
    """Return the CPU seconds of both sides, and the time."""
    times = server.cpu_times()
    return time.process_time(), times.user + times.system, time.monotonic()


@asynccontextmanager
async def server_process() -> AsyncIterator[tuple[psutil.Process, int]]:
    """Run the server beside this process; yield it and its port."""
    command = (sys.executable, "-m", "bench.multiplex", "--serve")
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        yield psutil.Process(process.pid), await _port(process)
    finally:
        process.terminate()
        await process.wait()


async def _port(process: asyncio.subprocess.Process) -> int:
    if process.stdout is None:
        raise SystemExit("error: the server has no output")
    async with asyncio.timeout(30):
        while line := await process.stdout.readline():
            if line.startswith(b"port "):
                return int(line.split()[1])
    raise SystemExit("error: the server did not start")


async def compare(seconds: float) -> None:
    """Print the table."""
    print("| what | alone: client + server CPU ms | shared | ratio | calls/s alone / shared | p50 ms |")
    print("|---|---|---|---|---|---|")
    async with (
        server_process() as (process, port),
        rpc_client.open_channel(f"127.0.0.1:{port}") as channel,
    ):
        stub: Any = router_pb2_grpc.RouterServiceStub(channel)
        async with open_client([stub.Converse], RouterCallCodec(), MultiplexClientSettings()) as client:
            for case in CASES:
                before = await measured(alone(channel, case), case, process, seconds)
                after = await measured(shared(client, case), case, process, seconds)
                print(_row(case, before, after), flush=True)


def _row(case: Case, before: Cost, after: Cost) -> str:
    cells = [
        case.name,
        f"{before.client_ms:.3f} + {before.server_ms:.3f}",
        f"{after.client_ms:.3f} + {after.server_ms:.3f}",
        f"{before.both_ms / after.both_ms:.1f}",
        f"{before.calls_s:.0f} / {after.calls_s:.0f}",
        f"{before.p50_ms:.0f} / {after.p50_ms:.0f}",
    ]
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Compare, or be the server."""
    parser = argparse.ArgumentParser(prog="python -m bench.multiplex", description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="length of one window")
    parser.add_argument("--serve", action="store_true", help="be the server process")
    arguments = parser.parse_args()
    uvloop.run(serve() if arguments.serve else compare(arguments.seconds))


if __name__ == "__main__":
    main()
