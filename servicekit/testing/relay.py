"""A TCP relay before a real server: it can be shut and opened, and loses the answers that a test says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


def _none_is_lost(_: bytes) -> bool:
    return False


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
        self._port = 0
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def open(self, port: int = 0) -> int:
        """Let connections through, and return at which port: 0 is the one it had before, or else a free one."""
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", port or self._port)
        self._port = self._server.sockets[0].getsockname()[1]
        return self._port

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
        await asyncio.gather(_pump(reader, far_writer, _none_is_lost), _pump(far_reader, writer, self._is_lost))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, is_lost: Callable[[bytes], bool]) -> None:
    try:
        while (data := await reader.read(65536)) and not is_lost(data):
            writer.write(data)
            await writer.drain()
    except OSError:
        return
    finally:
        writer.close()
