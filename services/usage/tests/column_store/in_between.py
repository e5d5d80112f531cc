"""What may stand between the service and its ClickHouse: a way that hangs, breaks, or answers with errors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import Enum
from typing import Final
from urllib.parse import urlsplit

from aiohttp import ClientSession, web

# What a server says whose disk is full, and with which status.
NO_ROOM: Final = "Code: 243. DB::Exception: Cannot reserve 1.00 MiB, not enough space. (NOT_ENOUGH_SPACE)"


class Trouble(Enum):
    """What happens to each statement."""

    NONE = "it is answered"
    HANGS = "nobody answers"
    ERRORS = "the answer is an error"
    BREAKS = "the connection breaks off"


class InBetween:
    """Hands statements on to the engine, or does not; `asked` counts them."""

    def __init__(self, url: str) -> None:
        self.trouble = Trouble.NONE
        self.asked = 0
        self._url = url
        self._ended = asyncio.Event()

    async def answer(self, request: web.Request) -> web.Response:
        """Answer a statement, as the trouble has it."""
        self.asked += 1
        if self.trouble is Trouble.HANGS:
            await self._ended.wait()
        if self.trouble is Trouble.BREAKS and request.transport is not None:
            request.transport.abort()
        if self.trouble is not Trouble.NONE:
            return web.Response(status=500, text=NO_ROOM, headers={"X-ClickHouse-Exception-Code": "243"})
        async with (
            ClientSession() as session,
            session.request(
                request.method,
                self._url + request.path_qs,
                data=await request.read(),
                headers={"Content-Type": request.headers.get("Content-Type", "text/plain")},
            ) as answered,
        ):
            kept = {name: value for name, value in answered.headers.items() if name.startswith("X-ClickHouse")}
            return web.Response(status=answered.status, body=await answered.read(), headers=kept)

    def end(self) -> None:
        """Let go of whoever hangs."""
        self._ended.set()


@asynccontextmanager
async def standing_between(url: str, port: int) -> AsyncIterator[InBetween]:
    """Stand between a port and the engine; `url` is the engine's."""
    address = urlsplit(url)
    between = InBetween(f"http://{address.hostname}:{address.port}")
    app = web.Application(client_max_size=1 << 30)
    app.router.add_route("*", "/{path:.*}", between.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield between
    finally:
        between.end()
        await runner.cleanup()
