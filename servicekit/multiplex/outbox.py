"""Frames on their way out: those that are ready in one turn of the event loop share one message.

The writer is woken by the first frame and runs one turn later, so it finds what every task of that turn has added;
while a message is being written, more frames gather. A lone frame waits for nobody.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Frame = TypeVar("Frame")


class Outbox(Generic[Frame]):
    """Writes frames in the order given, in messages of at most `message_bytes` (a larger frame goes alone)."""

    def __init__(self, write: Callable[[list[Frame]], Awaitable[None]], *, message_bytes: int) -> None:
        self._write = write
        self._message_bytes = message_bytes
        self._ready: OrderedDict[int, tuple[Frame, int]] = OrderedDict()
        self._sent = 0
        self._wake: asyncio.Future[None] | None = None
        self._closed = False

    def send(self, frame: Frame, size: int = 0) -> int:
        """Send a frame of so many bytes with what else is ready by the writer's turn; return its number."""
        self._sent += 1
        self._ready[self._sent] = frame, size
        if self._wake is not None:
            self._wake_writer()
        return self._sent

    def withdraw(self, number: int) -> bool:
        """Forget a frame that is not on its way yet; tell whether it was not."""
        return self._ready.pop(number, None) is not None

    def close(self) -> None:
        """Let `run` end when all is written."""
        self._closed = True
        self._wake_writer()

    async def run(self) -> None:
        """Write until closed.

        Raises:
            whatever `write` raises: the transport is gone, and with it what was not written.
        """
        loop = asyncio.get_running_loop()
        while self._ready or not self._closed:
            if self._ready:
                await self._write(self._next_message())
            else:
                self._wake = loop.create_future()
                await self._wake

    def _next_message(self) -> list[Frame]:
        ready = self._ready
        _, (frame, total) = ready.popitem(last=False)
        frames = [frame]
        while ready and total + (first := next(iter(ready.values())))[1] <= self._message_bytes:
            ready.popitem(last=False)
            frames.append(first[0])
            total += first[1]
        return frames

    def _wake_writer(self) -> None:
        wake, self._wake = self._wake, None
        if wake is not None and not wake.done():
            wake.set_result(None)
