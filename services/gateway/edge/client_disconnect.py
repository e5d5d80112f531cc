"""What happens to the work when its caller hangs up, or does not read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from starlette.types import Scope

from services.gateway.edge import cancellation
from services.gateway.edge.cancellation import Cancellation
from services.gateway.edge.server.http_protocol import CONNECTION
from services.gateway.settings import StreamSettings


class Connection(Protocol):
    """What the HTTP server lets a handler do to its connection."""

    on_lost: Callable[[], None] | None

    def abort(self) -> None:
        """Hang up now."""
        ...


class ClientDisconnect:
    """Ends the work for a caller who left, as the provider's billing policy says: at once, or read on for a while."""

    def __init__(self, scope: Scope, ending: Cancellation, policy: str, settings: StreamSettings) -> None:
        self._connection: Connection | None = scope.get(CONNECTION)
        self._ending = ending
        self._drains = policy == "drain"
        self._drain_s = settings.drain_s
        self._timer: asyncio.TimerHandle | None = None
        self.cause = ""

    def __enter__(self) -> ClientDisconnect:
        if self._connection is not None:
            self._connection.on_lost = self._lost
        return self

    def __exit__(self, *_: object) -> None:
        if self._connection is not None:
            self._connection.on_lost = None
        if self._timer is not None:
            self._timer.cancel()

    def hang_up(self, cause: str) -> None:
        """Cancellation a caller that does not read; what follows is the same as when it had left."""
        if not self.cause:
            self.cause = cause
            if self._connection is not None:
                self._connection.abort()
            else:
                self._end()

    def _lost(self) -> None:
        self.cause = self.cause or cancellation.CLIENT_LEFT
        self._end()

    def _end(self) -> None:
        if self._drains:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._drain_s, self._ending.now, self.cause)
        else:
            self._ending.now(self.cause)
