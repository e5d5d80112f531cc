"""An answer: in as few writes as may be, of the length that its head says, and every header stays one."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from uvicorn.protocols.http.flow_control import FlowControl

from services.gateway.edge.respond import begun
from services.gateway.edge.server.answering import JOINED_BYTES, Answering, head_of
from services.gateway.edge.server.lingering import LingeringTransport


class Socket(asyncio.Transport):
    """What a socket's transport was told."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.writes.append(bytes(data))


def answering(socket: Socket, method: str = "GET", version: str = "1.1") -> Answering:
    """Return what answers a request without a body."""
    transport = LingeringTransport(socket, is_unread=lambda: False, unread_s=60)
    log, scope = logging.getLogger(), {"method": method, "http_version": version, "headers": []}
    arguments: dict[str, Any] = {"logger": log, "access_logger": log, "access_log": False, "default_headers": []}
    cycle = Answering(
        scope=scope,  # type: ignore[arg-type]
        transport=transport,
        flow=FlowControl(transport),
        message_event=asyncio.Event(),
        expect_100_continue=False,
        keep_alive=True,
        on_response=lambda: None,
        **arguments,
    )
    cycle.more_body = False
    return cycle


def piece(body: bytes, *, more: bool = False) -> dict[str, Any]:
    """Return a piece of a body as an application sends it."""
    return {"type": "http.response.body", "body": body, "more_body": more}


async def test_a_head_leaves_in_one_write_with_the_body_that_follows_at_once() -> None:
    """And by itself where the body may be long in coming."""
    joined, apart = Socket(), Socket()
    for socket, follows in ((joined, True), (apart, False)):
        cycle = answering(socket)
        await cycle.send(begun(200, [(b"content-length", b"4")], body_follows=follows))
        assert len(socket.writes) == (not follows)
        await cycle.send(piece(b"body"))

    assert joined.writes == [b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nbody"]
    assert apart.writes == [b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n", b"body"]


async def test_a_large_body_is_not_copied_to_be_one_with_its_head() -> None:
    """Then there are two writes."""
    socket, body = Socket(), b"x" * (JOINED_BYTES + 1)
    cycle = answering(socket)
    await cycle.send(begun(200, [(b"content-length", b"%d" % len(body))]))
    await cycle.send(piece(body))

    assert socket.writes[1:] == [body]


async def test_pieces_are_chunks_with_a_write_each_and_the_last_one_says_that_it_is() -> None:
    """An empty piece is no chunk: that would be the end."""
    socket = Socket()
    cycle = answering(socket)
    await cycle.send(begun(200, []))
    for body in (b"one", b"", b"three"):
        await cycle.send(piece(body, more=True))
    await cycle.send(piece(b"last"))

    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    assert [each for each in socket.writes if each] == [
        head + b"3\r\none\r\n",
        b"5\r\nthree\r\n",
        b"4\r\nlast\r\n0\r\n\r\n",
    ]
    assert cycle.response_complete


async def test_who_knows_no_chunks_reads_to_the_end_of_the_connection() -> None:
    """HTTP/1.0."""
    socket = Socket()
    cycle = answering(socket, version="1.0")
    await cycle.send(begun(200, [(b"x-one", b"1")]))
    await cycle.send(piece(b"one", more=True))
    await cycle.send(piece(b"two"))

    assert socket.writes == [b"HTTP/1.1 200 OK\r\nx-one: 1\r\n\r\none", b"two"]


async def test_the_answer_to_head_is_its_head() -> None:
    """Whatever the application made of the body."""
    socket = Socket()
    cycle = answering(socket, "HEAD")
    await cycle.send(begun(200, [(b"content-length", b"4")]))
    await cycle.send(piece(b"body"))

    assert socket.writes == [b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n"]
    assert cycle.response_complete


@pytest.mark.parametrize("body", [b"bod", b"body!"])
async def test_a_body_of_another_length_than_the_head_says_is_a_fault(body: bytes) -> None:
    """Its rest would be read as the next answer, or the next answer as its rest."""
    cycle = answering(Socket())
    await cycle.send(begun(200, [(b"content-length", b"4")]))
    with pytest.raises(RuntimeError):
        await cycle.send(piece(body))

    assert not cycle.response_complete


async def test_an_answer_has_one_head_and_one_end() -> None:
    """What comes before, between or after them is a fault."""
    cycle, head = answering(Socket()), begun(200, [(b"content-length", b"4")])
    with pytest.raises(RuntimeError):
        await cycle.send(piece(b"body"))
    await cycle.send(head)
    with pytest.raises(RuntimeError):
        await cycle.send(head)
    await cycle.send(piece(b"body"))
    with pytest.raises(RuntimeError):
        await cycle.send(piece(b""))


def test_a_head_is_its_status_and_its_headers_in_order() -> None:
    """Names and values go out as they are, each on a line of its own, and an empty line ends them."""
    head = head_of(200, [(b"content-type", b"text/plain"), (b"x-one", b"1, 2"), (b"x-one", b"")])

    assert head == b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nx-one: 1, 2\r\nx-one: \r\n\r\n"


@pytest.mark.parametrize("value", [b"a\r\nset-cookie: b", b"a\nb", b"a\rb", b"a\0b", b"\x7f"])
def test_a_value_cannot_begin_another_header(value: bytes) -> None:
    """Wherever the line's end stands, among however many good headers, nothing of the answer is sent."""
    with pytest.raises(RuntimeError):
        head_of(200, [(b"x-good", b"1"), (b"x-bad", value), (b"x-good", b"2")])


@pytest.mark.parametrize("name", [b"x\r\ny", b"x y", b"x:", b"x\0"])
def test_a_name_cannot_hold_what_no_name_may(name: bytes) -> None:
    """Blanks and colons would make another name of it, a line's end another header."""
    with pytest.raises(RuntimeError):
        head_of(200, [(b"x-good", b"1"), (name, b"v")])
