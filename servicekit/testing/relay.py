"""A TCP relay in front of a real server: it can be shut, opened and stalled, and drops the answers a test chooses."""

from __future__ import annotations

import asyncio
import socket
import weakref
from collections.abc import Callable
from typing import Final

_HOST: Final = "127.0.0.1"


def _none_is_lost(_: bytes) -> bool:
    return False


def _held(port: int) -> socket.socket:
    """Return what keeps a port for a relay that is shut: nobody is let in by it, and nobody else is given the port.

    Ports that are nobody's go to the listeners and the connections of every process of the machine.
    """
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    held.bind((_HOST, port))
    return held


class Relay:
    """Between a client and a server.

    Args:
        host: of the server.
        port: of the server.
        is_lost: is told each piece of what the server says; the connection is cut in place of a piece that is lost.
    """

    def __init__(self, host: str, port: int, is_lost: Callable[[bytes], bool] = _none_is_lost) -> None:
        self._target = (host, port)
        self._is_lost = is_lost
        self._held: socket.socket | None = None
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self.is_silent = False
        """What the server says gets nowhere, and connections stay: as if its machine had lost its power."""

    async def open(self, port: int = 0) -> int:
        """Let connections through, and return at which port: the one it had before, at first `port`; 0: a free one."""
        if self._held is None:
            self._held = _held(port)
            weakref.finalize(self, self._held.close)
        port = self._held.getsockname()[1]
        self._server = await asyncio.start_server(self._relay, _HOST, port, reuse_port=True)
        return port

    def lead_to(self, host: str, port: int) -> None:
        """Have connections that are made from now on go to another server, as a name does after a failover."""
        self._target = (host, port)

    def shut(self) -> None:
        """Cut every connection and refuse new ones."""
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(*self._target)
        self._writers |= {writer, far_writer}
        await asyncio.gather(
            self._pump(reader, far_writer, _none_is_lost), self._pump(far_reader, writer, self._is_lost)
        )

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, is_lost: Callable[[bytes], bool]
    ) -> None:
        try:
            while (data := await reader.read(65536)) and not is_lost(data):
                if self.is_silent:
                    continue
                writer.write(data)
                await writer.drain()
        except OSError:
            return
        finally:
            writer.close()
