"""An answer's head waits for the body that comes at once, and for nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from services.gateway.edge.server.lingering import JOINED_BYTES, LingeringTransport


class Recorder(asyncio.Transport):
    """What a socket's transport was told."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.writes.append(bytes(data))

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True


@pytest.fixture
async def socket() -> Recorder:
    return Recorder()


@pytest.fixture
async def transport(socket: Recorder) -> AsyncIterator[LingeringTransport]:
    transport = LingeringTransport(socket, is_unread=lambda: False)
    yield transport
    transport.lost()


async def test_a_held_head_leaves_in_one_write_with_its_body(socket: Recorder, transport: LingeringTransport) -> None:
    transport.hold()
    transport.write(b"head ")
    assert socket.writes == []
    transport.write(b"body")
    transport.write(b"more")

    assert socket.writes == [b"head body", b"more"]


async def test_a_large_body_is_not_copied_to_be_one_with_its_head(
    socket: Recorder, transport: LingeringTransport
) -> None:
    body = b"x" * (JOINED_BYTES + 1)
    transport.hold()
    transport.write(b"head ")
    transport.write(body)

    assert socket.writes == [b"head ", body]


async def test_a_head_that_nothing_follows_is_written_when_it_is_released_and_once(
    socket: Recorder, transport: LingeringTransport
) -> None:
    transport.hold()
    transport.write(b"head")
    transport.release()
    transport.release()
    transport.write(b"next")

    assert socket.writes == [b"head", b"next"]


async def test_a_connection_that_is_closed_sends_what_was_held(socket: Recorder, transport: LingeringTransport) -> None:
    transport.hold()
    transport.write(b"head")
    transport.close()

    assert socket.writes == [b"head"]
    assert socket.closed
