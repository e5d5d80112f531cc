"""The HTTP server around the application: it listens, and stops as a good neighbour does."""

from __future__ import annotations

import asyncio
import math
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from servicekit import lifecycle
from servicekit.clock import Clock
from services.gateway.edge import cancellation
from services.gateway.edge.cancellation import Cancellations
from services.gateway.edge.server.admin_listener import marked
from services.gateway.edge.server.connection_count import ConnectionCount
from services.gateway.edge.server.http_protocol import with_limits
from services.gateway.edge.server.readiness import Readiness
from services.gateway.settings import GatewaySettings

# Between "cut the streams" and the end: error events go out, journals drain.
CUT_BEFORE_END_S: Final = 10.0


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers: the lifecycle has them."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


@asynccontextmanager
async def listening(
    app: ASGIApp, settings: GatewaySettings, readiness: Readiness, cancellations: Cancellations, clock: Clock
) -> AsyncIterator[int]:
    """Serve `app` and yield the port; leaving the block takes `leave_s`, then ends what runs, within `grace_s`."""
    listener = socket.create_server((settings.host, settings.port), backlog=2048, reuse_port=False)
    port: int = listener.getsockname()[1]
    servers = {_Server(_uvicorn_config(app, settings)): listener}
    if settings.admin_port is not None:
        server = _Server(_uvicorn_config(marked(app), settings))
        servers[server] = socket.create_server((settings.admin_host, settings.admin_port), backlog=128)
    async with lifecycle.background(grace_s=5.0) as owner:
        serving = {owner.start(server.serve(sockets=[at]), name="http") for server, at in servers.items()}
        try:
            yield port
        finally:
            readiness.stop()
            # Whoever was told that this one serves sends requests until it has been told otherwise.
            await clock.sleep(settings.leave_s)
            for server in servers:
                server.should_exit = True
            loop = asyncio.get_running_loop()
            timer = loop.call_later(
                max(0.0, settings.grace_s - CUT_BEFORE_END_S), cancellations.end_all, cancellation.SHUTDOWN
            )
            await asyncio.wait(serving, timeout=settings.grace_s + 5.0)
            timer.cancel()


def _uvicorn_config(app: ASGIApp, settings: GatewaySettings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        # Not guessed: what returns a coroutine without being one would be taken for the protocol before.
        interface="asgi3",
        # httptools by name: without it uvicorn would silently take a parser three times as slow.
        http=with_limits(
            settings.limit,
            ConnectionCount(settings.limit, settings.trusted_networks),
            # A stream that nobody reads is cut before, which tells why it ended.
            2 * settings.stream.write_s,
        ),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        # X-Forwarded-For is read by `identity`, from trusted proxies only.
        proxy_headers=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=math.ceil(settings.grace_s),
    )
