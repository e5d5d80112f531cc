"""A TCP server on a free port whose open connections are not waited for at the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def accepting(serve: Serve, port: int = 0) -> AsyncIterator[int]:
    """Yield the port on which connections are served while the block lasts; those that are open are not waited for.

    `async with` of asyncio's own server waits for them from Python 3.12 on, also for one that never ends.
    """
    server = await asyncio.start_server(serve, "127.0.0.1", port)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
