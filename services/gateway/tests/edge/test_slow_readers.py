"""Who does not read an answer, or has left, is not written to for ever: on any route, not only where models stream."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pydantic import SecretStr
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.flow_control import FlowControl

from servicekit.clock import SystemClock
from servicekit.settings import RedisSettings
from services.gateway.edge.api_cors import ApiCors
from services.gateway.edge.cancellation import Cancellations
from services.gateway.edge.endpoint import Cors
from services.gateway.edge.middleware import Edge
from services.gateway.edge.respond import begun
from services.gateway.edge.server.http_server import listening
from services.gateway.edge.server.readiness import Readiness
from services.gateway.settings import GatewaySettings, LimitSettings, StreamSettings
from services.gateway.tests.edge.test_answering import Socket, answering, piece

ASKED = b"GET /export HTTP/1.1\r\nhost: a\r\n\r\n"
# Far more than sockets hold.
PIECE, PIECES = b"x" * 65536, 4000


class Exports:
    """An application whose answer is hundreds of megabytes, and how many of them were given up."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.given_up = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await StreamingResponse(self._pieces())(scope, receive, send)

    async def _pieces(self) -> AsyncIterator[bytes]:
        self.begun.set()
        try:
            for _ in range(PIECES):
                yield PIECE
                await asyncio.sleep(0)
        except BaseException:
            self.given_up.set()
            raise


@asynccontextmanager
async def serving(exports: Exports, write_s: float) -> AsyncIterator[int]:
    """Serve the application; yield the port."""
    settings = GatewaySettings(
        port=0,
        redis=RedisSettings(url=SecretStr("redis://127.0.0.1:1")),
        grace_s=0.2,
        limit=LimitSettings(),
        stream=StreamSettings(write_s=write_s),
    )
    edge = Edge(exports, {}, hsts=False, cors=ApiCors(Cors(())), note_refusal=lambda _: None)
    async with listening(edge, settings, Readiness({}, SystemClock()), Cancellations(), SystemClock()) as port:
        yield port


async def connected(port: int) -> socket.socket:
    """Return a socket that nobody reads from."""
    client = socket.socket()
    client.setblocking(False)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", port))
    return client


async def test_an_answer_that_nobody_reads_ends() -> None:
    """Its connection, its memory and whatever makes the answer were held for as long as the reader liked."""
    exports = Exports()
    async with serving(exports, write_s=0.05) as port:
        client = await connected(port)
        await asyncio.get_running_loop().sock_sendall(client, ASKED)

        async with asyncio.timeout(30):
            await exports.given_up.wait()
        client.close()


async def test_who_leaves_with_requests_sent_ahead_is_made_no_answer_for() -> None:
    """The last of the requests was told; the one under way was answered to its end, to nobody."""
    exports = Exports()
    async with serving(exports, write_s=600) as port:
        client = await connected(port)
        await asyncio.get_running_loop().sock_sendall(client, ASKED + ASKED)
        await exports.begun.wait()
        client.close()

        async with asyncio.timeout(30):
            await exports.given_up.wait()


class Unread(Socket):
    """A socket whose other side reads some of what it was sent whenever somebody looks, then no more."""

    def __init__(self, sizes: list[int]) -> None:
        super().__init__()
        self.sizes = sizes
        self.is_aborted = False

    def get_write_buffer_size(self) -> int:
        return self.sizes.pop(0) if len(self.sizes) > 1 else self.sizes[0]

    def abort(self) -> None:
        self.is_aborted = True


async def test_who_reads_slowly_is_waited_for() -> None:
    """Only who has read nothing at all since the last look is hung up on."""
    slow = Unread([100, 90, 90, 80, 80])
    cycle = answering(slow)
    cycle.unread_s = 0.01
    cycle.flow = FlowControl(slow)
    cycle.flow.pause_writing()
    sending = asyncio.create_task(cycle.send(begun(200, [])))
    async with asyncio.timeout(30):
        while len(slow.sizes) > 2:
            await asyncio.sleep(0.001)
            assert not slow.is_aborted
        while not slow.is_aborted:
            await asyncio.sleep(0.001)

    cycle.disconnected = True
    cycle.flow.resume_writing()
    await sending
    assert slow.writes == []
    cycle.response_complete = True
    await cycle.receive()


async def test_what_is_read_in_time_goes_out() -> None:
    """The wait is for room, nothing else."""
    reader = Unread([100])
    cycle = answering(reader)
    cycle.flow.pause_writing()
    sending = asyncio.create_task(cycle.send(begun(200, [(b"content-length", b"4")], body_follows=False)))
    await asyncio.sleep(0)
    cycle.flow.resume_writing()
    await sending
    await cycle.send(piece(b"body"))

    assert reader.writes[1:] == [b"body"]
