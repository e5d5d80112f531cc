"""Writes a stream to the caller: back-pressure, keep-alive comments, and an end for those who do not read."""

from __future__ import annotations

import asyncio
from typing import Final

from starlette.types import Send

from servicekit.lifecycle import Background
from services.gateway.edge import cancellation
from services.gateway.edge.client_connection import ClientConnection
from services.gateway.edge.problems import Headers
from services.gateway.edge.respond import begun
from services.gateway.inference.streaming.event_stream import KEEPALIVE, escape_line_ends
from services.gateway.settings import StreamSettings

EVENT_STREAM: Final[Headers] = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    # Proxies that buffer would turn a stream into a plain answer.
    (b"x-accel-buffering", b"no"),
]


class EventWriter:
    """One stream's way out. One timer for each stream, re-armed only when it fires."""

    def __init__(self, send: Send, client: ClientConnection, settings: StreamSettings, tasks: Background) -> None:
        self._send = send
        self._client = client
        self._settings = settings
        self._tasks = tasks
        self._loop = asyncio.get_running_loop()
        self._last_write = self._loop.time()
        self._writing_since: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._opening: asyncio.Task[None] | None = None
        self._closed = False
        self.started = False

    @property
    def opened_early(self) -> bool:
        """Tell whether the headers left before the model said anything: what was learnt later is not in them."""
        return self._opening is not None

    def expect(self) -> None:
        """Wait for the first frames, `headers_s` at most: then the headers leave without them, and a comment."""
        self._arm(self._settings.headers_s)

    async def start(self, *, frames_follow: bool) -> None:
        """Send 200 and the headers: from here on failures are events.

        Args:
            frames_follow: the first frames are written right after; both leave together.
        """
        self.started = True
        self._disarm()
        await self._send(begun(200, EVENT_STREAM, body_follows=frames_follow))
        self._arm(min(self._settings.keepalive_s, self._settings.write_s))

    async def _open_early(self) -> None:
        await self.start(frames_follow=True)
        await self._write(KEEPALIVE, more=True)

    async def write(self, frames: bytes) -> None:
        """Send frames; waits while the caller reads slower than the model writes."""
        if self._opening is not None:
            await _ended(self._opening)
        if frames and not self._client.lost:
            await self._write(frames, more=True)

    async def finish(self, frames: bytes) -> None:
        """Send the last frames."""
        try:
            if self._opening is not None:
                await _ended(self._opening)
            if not self._client.lost:
                await self._write(frames, more=False)
        finally:
            self.close()

    def close(self) -> None:
        """Stop the timer, for good."""
        self._closed = True
        self._disarm()

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _write(self, frames: bytes, *, more: bool) -> None:
        message = {"type": "http.response.body", "body": escape_line_ends(frames), "more_body": more}
        self._writing_since = self._loop.time()
        try:
            await self._send(message)
        finally:
            self._last_write = self._loop.time()
            self._writing_since = None

    async def _keep_alive(self) -> None:
        # The stream may have ended between the tick and this task.
        if self._timer is not None:
            await self.write(KEEPALIVE)

    def _arm(self, delay_s: float) -> None:
        if not self._closed:
            self._timer = self._loop.call_later(delay_s, self._tick)

    def _tick(self) -> None:
        if not self.started:
            self.started = True
            self._opening = self._tasks.start(self._open_early(), name="early_headers")
            return
        now = self._loop.time()
        if self._writing_since is not None:
            left = self._writing_since + self._settings.write_s - now
            if left <= 0:
                self._client.hang_up(cancellation.SLOW_READER)
        else:
            left = self._last_write + self._settings.keepalive_s - now
            if left <= 0:
                self._tasks.start(self._keep_alive(), name="keepalive")
                left = self._settings.keepalive_s
        # Not later than a write that begins now may take.
        self._arm(max(0.05, min(left, self._settings.write_s)))


async def _ended(opening: asyncio.Task[None]) -> None:
    # Not awaited itself: whoever cancels this caller does not mean the headers.
    if not opening.done():
        await asyncio.wait([opening])
