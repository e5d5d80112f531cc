"""The second process: `python -m bench.floor.relay` passes bodies on to the upstream, and its answers back."""

from __future__ import annotations

import argparse
from typing import Any

import grpc
import uvloop
from razvilka.router.v1 import router_pb2_grpc

from bench.calls_of_router import CALLS_OF_ROUTER
from bench.floor.frames import AnswerCodec
from bench.floor.upstream_calls import UpstreamCalls, open_calls
from servicekit import lifecycle
from servicekit.entry import collect_garbage_seldom
from servicekit.multiplex import Handler, MultiplexServer, MultiplexServerSettings, StreamHandler, UnaryHandler
from servicekit.rpc_server import running_server
from servicekit.settings import GrpcSettings


class Relay(router_pb2_grpc.RouterServiceServicer):
    """Answers calls by the upstream's bytes."""

    def __init__(self, calls: UpstreamCalls) -> None:
        handlers: dict[str, Handler] = {
            "Complete": UnaryHandler(lambda call: calls.whole(call.request)),
            "Stream": StreamHandler(lambda call: calls.parts(call.request)),
        }
        self._shared = MultiplexServer(handlers, AnswerCodec(), MultiplexServerSettings())

    def register(self, server: grpc.aio.Server) -> None:
        """Add it to a server."""
        router_pb2_grpc.add_RouterServiceServicer_to_server(self, server)

    # The generated types know only the way that yields; grpc.aio also takes a coroutine that writes by itself.
    async def Converse(self, _: Any, context: Any) -> None:  # type: ignore[override]
        """Answer many."""
        await self._shared.serve(context)


async def serve(port: int, upstream_url: str, key: str) -> None:
    """Serve until a signal."""
    async with open_calls(upstream_url, key) as calls:
        relay = Relay(calls)  # type: ignore[abstract]
        async with running_server(GrpcSettings(port=port, grace_s=0), relay.register, _ready, CALLS_OF_ROUTER):
            await lifecycle.stop_requested()


async def _ready() -> bool:
    return True


def main() -> None:
    """Serve as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m bench.floor.relay", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="where to listen")
    parser.add_argument("--upstream", required=True, help="base address of the upstream")
    parser.add_argument("--key", required=True, help="what the upstream is shown")
    arguments = parser.parse_args()
    collect_garbage_seldom()
    uvloop.run(serve(arguments.port, arguments.upstream, arguments.key))


if __name__ == "__main__":
    main()
