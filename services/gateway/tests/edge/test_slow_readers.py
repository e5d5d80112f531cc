"""Who does not read an answer, or has left, is not written to for ever: on any route, not only where models stream."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from pydantic import SecretStr
from starlette.responses import Response, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.flow_control import FlowControl

from servicekit.clock import SystemClock
from servicekit.settings import RedisSettings
from services.gateway.edge.api_cors import ApiCors
from services.gateway.edge.cancellation import Cancellations
from services.gateway.edge.endpoint import Cors
from services.gateway.edge.middleware import Edge
from services.gateway.edge.respond import begun
from services.gateway.edge.server import lingering
from services.gateway.edge.server.http_server import listening
from services.gateway.edge.server.lingering import LingeringTransport
from services.gateway.edge.server.readiness import Readiness
from services.gateway.settings import GatewaySettings, LimitSettings, StreamSettings
from services.gateway.tests.edge.test_answering import Socket, answering, piece

REPORT = b"x" * 12 * 1024 * 1024
ASKED_ONCE = b"GET /report HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
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


async def report(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with more than sockets hold, in one piece."""
    await Response(REPORT)(scope, receive, send)


@asynccontextmanager
async def serving(exports: ASGIApp, write_s: float) -> AsyncIterator[int]:
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


async def test_a_whole_answer_is_read_as_slowly_as_one_likes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last answer of a connection was cut ten seconds after it was made, however much was still being read."""
    monkeypatch.setattr(lingering, "LINGER_S", 0.02)
    async with serving(report, write_s=60) as port:
        client = await connected(port)
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(client, ASKED_ONCE)
        size = 0
        async with asyncio.timeout(60):
            while read := await loop.sock_recv(client, 256 * 1024):
                size += len(read)
                await asyncio.sleep(0)
        client.close()

    assert size > len(REPORT)


class Unread(Socket):
    """A socket whose other side reads some of what it was sent whenever somebody looks, then no more."""

    def __init__(self, sizes: list[int]) -> None:
        super().__init__()
        self.sizes = sizes
        self.is_aborted = False

    def get_write_buffer_size(self) -> int:
        return self.sizes.pop(0) if len(self.sizes) > 1 else self.sizes[0]

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        """What is buffered goes out first."""

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


async def test_who_reads_nothing_of_the_last_answer_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is all buffered, and nobody waits for room any more."""
    monkeypatch.setattr(lingering, "LINGER_S", 0.01)
    silent = Unread([100, 90, 90])
    LingeringTransport(silent, is_unread=lambda: False, unread_s=0.05).close()

    async with asyncio.timeout(30):
        while not silent.is_aborted:
            await asyncio.sleep(0.001)

    assert silent.sizes == [90]
