"""An RPC without a network, whose reads and writes take as many turns of the loop as a seed says."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import grpc

from servicekit.multiplex.server import MultiplexServer


class PlainCodec:
    """Frames travel as they are; a payload is bytes."""

    def encode(self, frames: Any) -> Any:
        return list(frames)

    def decode(self, message: Any) -> Any:
        return message

    def size(self, payload: bytes) -> int:
        return len(payload)


def lost() -> grpc.aio.AioRpcError:
    nothing = grpc.aio.Metadata()
    return grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, nothing, nothing, "connection reset")


class MemoryRpc:
    """Both ends: the caller's methods are those of grpc.aio's call, `context` is the handler's."""

    def __init__(self, server: MultiplexServer, chance: random.Random, messages: list[list[Any]]) -> None:
        self._chance = chance
        self._messages = messages
        self._up: asyncio.Queue[Any] = asyncio.Queue()
        self._down: asyncio.Queue[Any] = asyncio.Queue()
        self._accepted = asyncio.Event()
        self._metadata: Any = ()
        self._failure: grpc.aio.AioRpcError | None = None
        self._ended = False
        self.task = asyncio.get_running_loop().create_task(server.serve(_Context(self)))
        self.task.add_done_callback(self._served)

    def _served(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            task.exception()
        self._ended = True
        self._accepted.set()
        self._down.put_nowait(grpc.aio.EOF)

    def lose(self) -> None:
        """The network breaks: what is under way is gone, both ends hear of it."""
        if self._ended:
            return
        self._failure = lost()
        while not self._down.empty():
            self._down.get_nowait()
        self.task.cancel()

    async def turns(self) -> None:
        for _ in range(self._chance.randrange(4)):
            await asyncio.sleep(0)

    async def initial_metadata(self) -> Any:
        await self._accepted.wait()
        return self._metadata

    def done(self) -> bool:
        return self._ended

    def cancel(self) -> None:
        self.task.cancel()

    async def read(self) -> Any:
        await self.turns()
        message = await self._down.get()
        if message is grpc.aio.EOF and self._failure is not None:
            raise self._failure
        return message

    async def write(self, message: Any) -> None:
        await self.turns()
        if self._ended:
            raise asyncio.InvalidStateError
        self._messages.append(message)
        self._up.put_nowait(message)

    async def done_writing(self) -> None:
        self._up.put_nowait(grpc.aio.EOF)


class _Context:
    def __init__(self, rpc: MemoryRpc) -> None:
        self._rpc = rpc

    async def abort(self, *_: Any) -> None:
        self._rpc._failure = lost()
        raise grpc.aio.AbortError

    async def send_initial_metadata(self, metadata: Any) -> None:
        self._rpc._metadata = metadata
        self._rpc._accepted.set()

    async def read(self) -> Any:
        await self._rpc.turns()
        return await self._rpc._up.get()

    async def write(self, message: Any) -> None:
        await self._rpc.turns()
        self._rpc._messages.append(message)
        self._rpc._down.put_nowait(message)
