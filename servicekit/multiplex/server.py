"""The handlers' side: the RPCs that are open, and draining them."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from servicekit.multiplex.connection import INSTANCE
from servicekit.multiplex.frames import HandlerCodec
from servicekit.multiplex.handlers import Handler
from servicekit.multiplex.server_connection import ServerConnection
from servicekit.multiplex.settings import MultiplexServerSettings
from servicekit.multiplex.work_in_hand import WorkInHand
from servicekit.rpc_errors import encode, unavailable


class MultiplexServer:
    """Serves calls that share RPCs: a servicer's bidirectional method is `await server.serve(context)`."""

    def __init__(self, handlers: Mapping[str, Handler], codec: HandlerCodec, settings: MultiplexServerSettings) -> None:
        self._handlers = handlers
        self._codec = codec
        self._settings = settings
        self._work = WorkInHand(settings)
        self._connections: set[ServerConnection] = set()
        self._draining = False
        self._instance = secrets.token_hex(8)

    @property
    def in_hand(self) -> int:
        """Calls being served, over all RPCs."""
        return self._work.calls

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
        connection = ServerConnection(context, self._handlers, self._codec, self._settings, self._work)
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
