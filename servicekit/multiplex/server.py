"""The handlers' side: what is in hand over all RPCs, refusal above a limit, draining."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from servicekit.call import SECONDS
from servicekit.errors import ServiceError
from servicekit.multiplex.connection import INSTANCE
from servicekit.multiplex.frames import HandlerCodec
from servicekit.multiplex.handlers import Handler
from servicekit.multiplex.server_connection import ServerConnection
from servicekit.multiplex.settings import MultiplexServerSettings
from servicekit.rpc_errors import encode, unavailable


class MultiplexServer:
    """Serves calls that share RPCs: a servicer's bidirectional method is `await server.serve(context)`."""

    def __init__(self, handlers: Mapping[str, Handler], codec: HandlerCodec, settings: MultiplexServerSettings) -> None:
        self.handlers = handlers
        self.codec = codec
        self.settings = settings
        self._connections: set[ServerConnection] = set()
        self._calls = 0
        self._request_bytes = 0
        self._draining = False
        self._instance = secrets.token_hex(8)

    @property
    def in_hand(self) -> int:
        """Calls being served, over all RPCs."""
        return self._calls

    @property
    def connections(self) -> int:
        """RPCs that are open."""
        return len(self._connections)

    async def serve(self, context: Any) -> None:
        """Serve the calls of one RPC until the caller has ended it or this server has drained.

        Raises:
            grpc.aio.AbortError: this server is draining; the caller takes another.
        """
        if self._draining:
            await context.abort(*encode(unavailable()))
        # The caller takes the RPC for open from here on.
        await context.send_initial_metadata(((INSTANCE, self._instance),))
        connection = ServerConnection(self, context)
        self._connections.add(connection)
        if self._draining:
            connection.drain()
        try:
            await connection.run()
        finally:
            self._connections.discard(connection)

    def drain(self) -> None:
        """Take no new calls, tell every caller so, finish what is in hand. Call it before the gRPC server's stop."""
        self._draining = True
        for connection in self._connections:
            connection.drain()

    def admit(self, method: str, size: int) -> ServiceError | None:
        """Take a call of `size` bytes in hand; return why not, when there is too much already."""
        full = self._calls >= self.settings.calls_max
        # One alone is always taken, however large: gRPC's own limit has let it through.
        heavy = self._calls > 0 and self._request_bytes + size > self.settings.request_mb_max * 1024 * 1024
        if full or heavy:
            error = unavailable()
            SECONDS.labels(method, error.reason.value).observe(0.0)
            return error
        self._calls += 1
        self._request_bytes += size
        return None

    def release(self, size: int) -> None:
        """A call that was admitted has ended."""
        self._calls -= 1
        self._request_bytes -= size
