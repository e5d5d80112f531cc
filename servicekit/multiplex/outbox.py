"""Frames on their way out: those that are ready in one turn of the event loop share one message.

The writer is woken by the first frame and runs one turn later, so it finds what every task of that turn has added;
while a message is being written, more frames gather. A lone frame waits for nobody.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Frame = TypeVar("Frame")


class Outbox(Generic[Frame]):
    """Writes frames in the order given, in messages of at most `message_bytes` (a larger frame goes alone)."""

    def __init__(
        self, write: Callable[[list[Frame]], Awaitable[None]], *, message_bytes: int, hold_s: float = 0.0
    ) -> None:
        self._write = write
        self._message_bytes = message_bytes
        self._hold_s = hold_s
        self._ready: deque[tuple[Frame, int]] = deque()
        self._held: dict[int, list[tuple[Frame, int]]] = {}
        self._due: deque[tuple[float, int]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._wake: asyncio.Future[None] | None = None
        self._closed = False

    def send(self, call_id: int, frame: Frame, size: int = 0) -> None:
        """Send a frame now, after what is held of its call."""
        if self._held:
            self._release(call_id)
        self._ready.append((frame, size))
        self._wake_writer()

    def hold(self, call_id: int, frame: Frame, size: int) -> None:
        """Send a frame after `hold_s` at the latest, with what else its call has by then."""
        held = self._held.get(call_id)
        if held is not None:
            held.append((frame, size))
            return
        self._held[call_id] = [(frame, size)]
        due = asyncio.get_running_loop().time() + self._hold_s
        self._due.append((due, call_id))
        if self._timer is None:
            self._arm(due)

    def forget(self, call_id: int) -> None:
        """Drop what is held of a call whose caller has left."""
        self._held.pop(call_id, None)

    def close(self) -> None:
        """Let `run` end when all is written; what is held goes now."""
        self._closed = True
        for call_id in list(self._held):
            self._release(call_id)
        self._wake_writer()

    async def run(self) -> None:
        """Write until closed.

        Raises:
            whatever `write` raises: the transport is gone, and with it what was not written.
        """
        try:
            while self._ready or not self._closed:
                if self._ready:
                    await self._write(self._next_message())
                else:
                    self._wake = asyncio.get_running_loop().create_future()
                    await self._wake
        finally:
            self._stop_timer()

    def _next_message(self) -> list[Frame]:
        ready = self._ready
        frame, total = ready.popleft()
        frames = [frame]
        while ready and total + ready[0][1] <= self._message_bytes:
            frame, size = ready.popleft()
            frames.append(frame)
            total += size
        return frames

    def _wake_writer(self) -> None:
        wake, self._wake = self._wake, None
        if wake is not None and not wake.done():
            wake.set_result(None)

    def _release(self, call_id: int) -> None:
        self._ready.extend(self._held.pop(call_id, ()))

    def _arm(self, due: float) -> None:
        self._timer = asyncio.get_running_loop().call_at(due, self._release_due)

    def _release_due(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        # A millisecond of grace: a timer may fire that much early, and calls due together go together.
        while self._due and self._due[0][0] <= now + 0.001:
            self._release(self._due.popleft()[1])
        if self._ready:
            self._wake_writer()
        if self._due:
            self._arm(self._due[0][0])

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
