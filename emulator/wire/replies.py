"""Bytes in and out: an aiohttp server underneath, but every response byte is written here.

aiohttp builds correct responses; the emulator must also build wrong ones, and cheaply. So handlers write to the
transport themselves and hand aiohttp a response object that has nothing left to send.
"""

import asyncio
import os
import socket
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import msgspec
from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from emulator.wire.faults import Fault

JSON: Final = b"application/json"
EVENT_STREAM: Final = b"text/event-stream"
_STATUS_LINES: Final = {
    status.value: b"HTTP/1.1 %d %s\r\n" % (status.value, status.phrase.encode()) for status in HTTPStatus
}


class SentResponse(web.StreamResponse):
    """Stands for a response whose bytes are out already; aiohttp only asks it about keep-alive."""

    def __init__(self, *, keep_alive: bool) -> None:
        """Say whether the connection may serve another request."""
        super().__init__()
        self._may_stay_open = keep_alive

    @property
    def keep_alive(self) -> bool | None:
        """Return whether the connection stays open."""
        return self._may_stay_open

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Do nothing: the head is out."""
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Do nothing: the body is out."""


STAY_OPEN: Final = SentResponse(keep_alive=True)
CLOSE: Final = SentResponse(keep_alive=False)


@dataclass(slots=True)
class Reply:
    """What a dialect wants to be said. A stream has many frames, a plain answer one."""

    frames: Sequence[bytes]
    status: int = 200
    content_type: bytes = JSON
    headers: bytes = b""
    streamed: bool = False
    # Completion tokens that the client has once frame i is out; empty: nothing is billed.
    marks: Sequence[int] = ()
    gap_s: float = 0.0
    latency_s: float = 0.0
    fault: Fault | None = None
    abrupt_end: bool = False


class RefusalError(Exception):
    """The provider says no; carries the reply in the provider's own envelope."""

    def __init__(self, reply: Reply) -> None:
        """Keep the reply."""
        super().__init__(reply.status)
        self.reply = reply


class Received:
    """A request as a dialect reads it, whatever wire brought it."""

    __slots__ = ("body", "headers", "method", "path", "query")

    def __init__(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes, query: Mapping[str, str]
    ) -> None:
        """Keep them; the names of headers are in lower case, or the mapping does not mind."""
        self.method, self.path, self.headers, self.body, self.query = method, path, headers, body, query

    def header(self, name: str) -> str | None:
        """Return a request header."""
        return self.headers.get(name)

    @property
    def certificate(self) -> str:
        """The common name of the certificate that the client showed; empty: none."""
        return ""

    def json(self) -> Any:
        """Return the decoded body.

        Raises:
            msgspec.DecodeError: not JSON.
        """
        return msgspec.json.decode(self.body)


class Exchange(Received):
    """One HTTP request and the transport under it."""

    __slots__ = ("keep_alive", "request", "transport")

    def __init__(self, request: web.BaseRequest, body: bytes) -> None:
        """Take the request, its body read to the end."""
        transport = request.transport
        if transport is None:
            raise ConnectionResetError("client is gone")
        super().__init__(request.method, request.path, request.headers, body, request.query)
        self.request, self.transport = request, transport
        self.keep_alive: bool = request.keep_alive

    @property
    def certificate(self) -> str:
        """The common name of the certificate that the client showed; empty: none."""
        shown = self.transport.get_extra_info("peercert") or {}
        return next((value for part in shown.get("subject", ()) for name, value in part if name == "commonName"), "")

    def write(self, data: bytes) -> None:
        """Hand bytes to the kernel, or to the buffer when the client reads slowly."""
        self.transport.write(data)

    async def drain(self) -> None:
        """Wait until the client has read enough."""
        await self.request.writer.drain()

    def reset(self) -> None:
        """Break the connection with a TCP reset."""
        sock = self.transport.get_extra_info("socket")
        if sock is not None:
            # A duplicate shares the options, and works for uvloop's pseudo-sockets too.
            with socket.socket(fileno=os.dup(sock.fileno())) as twin:
                twin.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    def close(self) -> None:
        """Close after what is buffered is out."""
        self.keep_alive = False
        self.transport.close()

    async def until_gone(self) -> None:
        """Wait until the client leaves (the handler is cancelled then) or the emulator stops."""
        await asyncio.Event().wait()

    def finished(self) -> SentResponse:
        """Return what aiohttp wants to hear at the end."""
        return STAY_OPEN if self.keep_alive else CLOSE


def head(reply: Reply, framing: bytes) -> bytes:
    """Return status line and headers; framing is the Content-Length or Transfer-Encoding line."""
    line = _STATUS_LINES.get(reply.status) or b"HTTP/1.1 %d Unknown\r\n" % reply.status
    return b"%bcontent-type: %b\r\n%b%b\r\n" % (line, reply.content_type, reply.headers, framing)


def content_length(size: int) -> bytes:
    """Return the framing line of a plain body."""
    return b"content-length: %d\r\n" % size


CHUNKED: Final = b"transfer-encoding: chunked\r\ncache-control: no-cache\r\n"
LAST_CHUNK: Final = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    """Return one chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)
