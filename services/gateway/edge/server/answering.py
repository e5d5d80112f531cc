"""One request and its answer: uvicorn's, but for what is sent.

The head leaves in one write with a body that comes at once: every write is a system call, a segment and a wake-up of
who reads it. It says whether the connection can outlive the answer, and its headers are looked at all at once: uvicorn
looks at each of some 25 four times.
"""

from __future__ import annotations

import asyncio
from typing import Final

from starlette.types import Message
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from servicekit.errors import ErrorReason, InvalidRequest
from services.gateway.edge.problems import Headers, encode_body
from services.gateway.edge.respond import BODY_FOLLOWS
from services.gateway.edge.server.lingering import LingeringTransport

# The rest of a refused body: so much may still come on a connection that stays.
REST_BYTES: Final = 64 * 1024
REFUSED_AS: Final = ErrorReason.INVALID_REQUEST
# A larger body is not copied to be one with its head.
JOINED_BYTES: Final = 64 * 1024
_WITHOUT_BODY: Final = (204, 304)
_CONTROLS: Final = bytes([*range(0x20), 0x7F])
_IN_NO_NAME: Final = _CONTROLS + b'()<>@,;:\\[]={} "'
_IN_NO_VALUE: Final = _CONTROLS.replace(b"\t", b"")


class Answering(RequestResponseCycle):
    """The ASGI application's `receive` and `send` for one request."""

    transport: LingeringTransport
    # The body ends where the connection does.
    is_open_ended = False
    # What waits for the body.
    _head = b""
    # Seconds in which something must be read of what was sent.
    unread_s = 60.0

    @classmethod
    def on(cls, connection: HttpToolsProtocol, version: str, unread_s: float) -> Answering:
        """Begin with the request whose head the connection has just read."""
        cycle = cls(
            scope=connection.scope,
            transport=connection.transport,
            flow=connection.flow,
            logger=connection.logger,
            access_logger=connection.access_logger,
            access_log=False,
            default_headers=connection.server_state.default_headers,
            message_event=asyncio.Event(),
            # RFC 9110 10.1.1: an expectation of HTTP/1.0 is ignored.
            expect_100_continue=connection.expect_100_continue and version == "1.1",
            keep_alive=version == "1.1" and connection.parser.should_keep_alive(),
            on_response=connection.on_response_complete,
        )
        cycle.unread_s = unread_s
        return cycle

    async def send(self, message: Message) -> None:  # type: ignore[override]
        """Send a head, or a piece of the body."""
        if self.flow.write_paused and not self.disconnected:
            await self._drained()
        if self.disconnected:
            return
        kind = message["type"]
        if not self.response_started and kind == "http.response.start":
            self._begin(message)
        elif self.response_started and not self.response_complete and kind == "http.response.body":
            self._go_on(message.get("body", b""), is_last=not message.get("more_body", False))
        else:
            raise RuntimeError(f"{kind} has no place here")

    async def _drained(self) -> None:
        """Wait until enough was read; who reads nothing is hung up on, or the answer would be held for ever."""
        while self.flow.write_paused and not self.disconnected:
            unread = self.transport.get_write_buffer_size()
            try:
                async with asyncio.timeout(self.unread_s):
                    await self.flow.drain()
            except TimeoutError:
                if self.transport.get_write_buffer_size() >= unread:
                    self.transport.abort()

    def _begin(self, message: Message) -> None:
        if self.more_body and not self._is_worth_reading():
            self.keep_alive = False
        self.response_started = True
        self.waiting_for_100_continue = False
        status, headers = message["status"], [*self.default_headers, *message.get("headers", ())]
        headers += self._framing(status, dict(headers))
        head = head_of(status, headers)
        if message.get(BODY_FOLLOWS):
            self._head = head
        else:
            self.transport.write(head)

    def _go_on(self, body: bytes, *, is_last: bool) -> None:
        if self.scope["method"] == "HEAD":
            body, self.expected_content_length = b"", 0
        elif self.chunked_encoding:
            body = _chunk(body, is_last=is_last)
        elif not self.is_open_ended:
            self.expected_content_length -= len(body)
            if self.expected_content_length < 0:
                raise RuntimeError("a body is longer than its Content-Length")
        self._write(body)
        if is_last:
            self._end()

    def _write(self, data: bytes) -> None:
        head, self._head = self._head, b""
        if head and len(data) > JOINED_BYTES:
            self.transport.write(head)
            head = b""
        self.transport.write(head + data)

    def _end(self) -> None:
        if self.expected_content_length:
            raise RuntimeError("a body is shorter than its Content-Length")
        self.response_complete = True
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()

    def _is_worth_reading(self) -> bool:
        """Tell whether the rest of the body was asked for (`Expect`) and is short; a chunked one does not say."""
        length = next((value for name, value in self.scope["headers"] if name == b"content-length"), b"")
        return not self.waiting_for_100_continue and length.isdigit() and int(length) <= REST_BYTES

    def _framing(self, status: int, given: dict[bytes, bytes]) -> Headers:
        """Return what is still to be said of where the answer ends, and of whether another may follow it."""
        more: Headers = []
        if given.get(b"connection") == b"close":
            self.keep_alive = False
        elif not self.keep_alive:
            more.append((b"connection", b"close"))
        length = given.get(b"content-length")
        if length is not None:
            self.expected_content_length, self.chunked_encoding = int(length), False
        elif self.scope["method"] != "HEAD" and status not in _WITHOUT_BODY:
            # RFC 9112 6.1: HTTP/1.0 knows no chunks and reads their sizes as text; there no connection stays.
            self.is_open_ended = self.scope["http_version"] == "1.0"
            self.chunked_encoding = not self.is_open_ended
            if self.chunked_encoding:
                more.append((b"transfer-encoding", b"chunked"))
        return more


def _chunk(body: bytes, *, is_last: bool) -> bytes:
    """Return a piece of the body as a chunk (RFC 9112 7.1), with the empty one that ends it after the last."""
    chunk = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
    return chunk + b"0\r\n\r\n" if is_last else chunk


def head_of(status: int, headers: Headers) -> bytes:
    """Return the head of an answer; names are in lower case.

    Raises:
        RuntimeError: a header would not stay one.
    """
    names, values = map(b"".join, zip(*headers, strict=True))
    # By regular expressions the whole head takes half as long again: 10.5 µs in place of 7.0.
    if names.translate(None, _IN_NO_NAME) != names or values.translate(None, _IN_NO_VALUE) != values:
        raise RuntimeError("a header has a character that no header may have")
    return STATUS_LINE[status] + b"\r\n".join(map(b": ".join, headers)) + b"\r\n\r\n"


def refusal(status: int, problem: str, request_id: str) -> bytes:
    """Return the whole answer, the last on its connection, to what no application can be asked."""
    body = encode_body(InvalidRequest(REFUSED_AS, problem, param="headers"), request_id)
    headers = [
        (b"content-type", b"application/json"),
        (b"x-request-id", request_id.encode()),
        (b"content-length", b"%d" % len(body)),
        (b"connection", b"close"),
    ]
    return head_of(status, headers) + body
