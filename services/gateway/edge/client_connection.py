"""The caller's connection while its answer is made: what happens to the work when it hangs up, or does not read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from starlette.types import Scope

from services.gateway.edge import cancellation
from services.gateway.edge.cancellation import Cancellation
from services.gateway.edge.server.http_protocol import CONNECTION
from services.gateway.settings import StreamSettings

# A provider that bills the whole answer anyway: it is read on for a while, so that the row is exact.
DRAIN: Final = "drain"
# Nothing is worth going on with.
CANCEL: Final = "cancel"
# An answer that is kept for a retry: it is made to its end whoever reads it.
FINISH: Final = "finish"


class Connection(Protocol):
    """What the HTTP server lets a handler do to its connection."""

    on_lost: Callable[[], None] | None
    is_lost: bool

    def abort(self) -> None:
        """Hang up now."""
        ...


def has_left(scope: Scope) -> bool:
    """Tell whether the caller of a request has hung up; nobody waits at a request that no connection brought."""
    connection: Connection | None = scope.get(CONNECTION)
    return connection is not None and connection.is_lost


class ClientConnection:
    """Ends the work for a caller who left, as the provider's billing policy says: at once, or read on for a while.

    It watches from the start until `release`. `lost` says why nobody reads any more; empty: somebody does, or will.
    """

    __slots__ = ("_cancellation", "_connection", "_drain_s", "_drains", "_finishes", "_timer", "lost")

    def __init__(self, scope: Scope, cancellation: Cancellation, policy: str, settings: StreamSettings) -> None:
        self.lost = ""
        self._connection: Connection | None = scope.get(CONNECTION)
        self._cancellation = cancellation
        self._drains = policy == DRAIN
        self._finishes = policy == FINISH
        self._drain_s = settings.drain_s
        self._timer: asyncio.TimerHandle | None = None
        if self._connection is not None and not self._finishes:
            self._connection.on_lost = self._on_lost
            if self._connection.is_lost:
                # Before anybody watched; what is to be ended is entered in this same turn.
                asyncio.get_running_loop().call_soon(self._on_lost)

    def release(self) -> None:
        """Watch no longer: the connection may serve its next request."""
        if self._connection is not None:
            self._connection.on_lost = None
        if self._timer is not None:
            self._timer.cancel()

    def hang_up(self, cause: str) -> None:
        """Cut a caller that does not read; what follows is the same as when it had left."""
        if self._finishes:
            if self._connection is not None:
                self._connection.abort()
        elif not self.lost:
            self.lost = cause
            if self._connection is not None:
                self._connection.abort()
            else:
                self._end()

    def _on_lost(self) -> None:
        self.lost = self.lost or cancellation.CLIENT_LEFT
        self._end()

    def _end(self) -> None:
        if self._drains:
            self._timer = asyncio.get_running_loop().call_later(self._drain_s, self._cancellation.now, self.lost)
        else:
            self._cancellation.now(self.lost)
