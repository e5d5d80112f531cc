"""Where an edge has its answers from."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, Protocol

from razvilka.router.v1 import router_pb2_grpc

from bench.floor.frames import CallCodec
from bench.upstream import ANSWER, EVENTS, Upstream
from servicekit import rpc_client
from servicekit.call import CallContext
from servicekit.multiplex import MultiplexClient, MultiplexClientSettings, open_client
from servicekit.tracing import begin_trace

DEADLINE_S: Final = 60.0
# The same one for all: to make one is no library's work.
CONTEXT: Final = CallContext("0197", begin_trace(None))


class Answers(Protocol):
    """Answers a request's body as it came."""

    async def whole(self, body: bytes) -> bytes:
        """Return the answer to a plain request."""
        ...

    def parts(self, body: bytes) -> AsyncGenerator[bytes, None]:
        """Yield the answer to a streamed request as it arrives."""
        ...


class RelayedAnswers:
    """Answers of the relay, over the shared RPC."""

    def __init__(self, client: MultiplexClient) -> None:
        self._client = client

    async def whole(self, body: bytes) -> bytes:
        """Return the answer to a plain request."""
        answer: bytes = await self._client.unary("Complete", body, deadline_s=DEADLINE_S, context=CONTEXT)
        return answer

    async def parts(self, body: bytes) -> AsyncGenerator[bytes, None]:
        """Yield what has arrived together."""
        async for several in self._client.stream("Stream", body, deadline_s=DEADLINE_S, context=CONTEXT):
            yield several[0] if len(several) == 1 else b"".join(several)


@asynccontextmanager
async def open_relay(target: str) -> AsyncIterator[RelayedAnswers]:
    """Yield the answers of the relay at a target."""
    async with rpc_client.open_channel(target) as channel:
        stub: Any = router_pb2_grpc.RouterServiceStub(channel)
        async with open_client([stub.Converse], CallCodec(), MultiplexClientSettings()) as client:
            yield RelayedAnswers(client)


class MadeUpAnswers:
    """What the upstream says, said here; a stream's events at the upstream's pace, by a timer each."""

    async def whole(self, body: bytes) -> bytes:
        """Return the upstream's answer."""
        return ANSWER

    async def parts(self, body: bytes) -> AsyncGenerator[bytes, None]:
        """Yield the upstream's events."""
        for number, event in enumerate(EVENTS):
            if number:
                await asyncio.sleep(Upstream.usual_gap_s)
            yield event
