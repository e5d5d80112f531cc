"""Writes a stream to the caller: back-pressure, keep-alive comments, and an end for those who do not read."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from starlette.types import Send

from servicekit.lifecycle import Background
from services.gateway.edge import cancellation
from services.gateway.edge.client_connection import ClientConnection
from services.gateway.edge.problems import Headers
from services.gateway.inference.event_stream import KEEPALIVE
from services.gateway.settings import StreamSettings

_HEADERS: Final[Headers] = [
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
        self.started = False

    async def start(self, headers: Headers) -> None:
        """Send 200 and the headers: from here on failures are events."""
        self.started = True
        await self._send({"type": "http.response.start", "status": 200, "headers": [*_HEADERS, *headers]})
        self._arm(min(self._settings.keepalive_s, self._settings.write_s))

    async def write(self, frames: bytes) -> None:
        """Send frames; waits while the caller reads slower than the model writes."""
        if frames and not self._client.lost:
            await self._write({"type": "http.response.body", "body": frames, "more_body": True})

    async def finish(self, frames: bytes) -> None:
        """Send the last frames."""
        try:
            if not self._client.lost:
                await self._write({"type": "http.response.body", "body": frames, "more_body": False})
        finally:
            self.close()

    def close(self) -> None:
        """Stop the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _write(self, message: dict[str, Any]) -> None:
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
        self._timer = self._loop.call_later(delay_s, self._tick)

    def _tick(self) -> None:
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
