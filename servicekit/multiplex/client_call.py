"""One call as its caller sees it: what has arrived and is not taken yet, and how it ended."""

from __future__ import annotations

import asyncio
import math
from typing import Any, Protocol

from servicekit.call import CallContext
from servicekit.errors import ErrorReason, ServiceError, Unavailable
from servicekit.multiplex.frames import Call
from servicekit.multiplex.loop_lag import LoopLag
from servicekit.rpc_errors import deadline_exceeded


class NotTaken(Exception):
    """The server drained before the call began there: it may be made elsewhere."""


class Carrier(Protocol):
    """The RPC that carries a call."""

    def leave(self, call: ClientCall) -> None:
        """Forget the call and tell the server so."""
        ...

    def grant(self, call: ClientCall, size: int) -> None:
        """Let the server send that many more bytes of the call."""
        ...


class ClientCall:
    """Ends exactly once: with its last response, an error, its deadline, or when the caller leaves.

    Args:
        window: bytes that may wait for the reader; 0: one response, of any size.
        lag: says how long parts may wait for each other: those after the first, and never the end.
    """

    __slots__ = (
        "_arrived",
        "_buffered",
        "_carrier",
        "_context",
        "_deadline_at",
        "_ended",
        "_failure",
        "_hold",
        "_lag",
        "_loop",
        "_method",
        "_read_at",
        "_request",
        "_size",
        "_taken",
        "_timer",
        "_turned_away",
        "_waiter",
        "_window",
        "call_id",
        "number",
    )

    def __init__(
        self,
        method: str,
        request: Any,
        *,
        size: int,
        window: int,
        deadline_s: float,
        context: CallContext,
        lag: LoopLag,
    ) -> None:
        self._loop = loop = asyncio.get_running_loop()
        self._method = method
        self._request = request
        self._context = context
        self._window = window
        self._size = size
        self._deadline_at = loop.time() + deadline_s
        self._timer = loop.call_at(self._deadline_at, self._expire)
        self._carrier: Carrier | None = None
        self._arrived: list[Any] = []
        self._buffered = 0
        self._taken = 0
        self._waiter: asyncio.Future[None] | None = None
        self._lag = lag
        self._hold: asyncio.TimerHandle | None = None
        self._read_at = -math.inf
        self._failure: Exception | None = None
        self._ended = False
        self._turned_away = False
        self.call_id = 0
        # Of its frame on the way out.
        self.number = 0

    @property
    def deadline_at(self) -> float:
        """The loop's time at which the caller gives up."""
        return self._deadline_at

    def begin(self, carrier: Carrier, call_id: int) -> Call:
        """Belong to `carrier` from now on; return the frame that begins the call."""
        self._carrier = carrier
        self.call_id = call_id
        trace = self._context.trace
        return Call(
            call_id,
            self._method,
            self._request,
            self._context.request_id,
            trace.traceparent,
            trace.tracestate,
            max(0.0, self._deadline_at - self._loop.time()),
            self._window,
            self._size,
        )

    def receive(self, response: Any, size: int) -> None:
        """Keep a response until it is taken; a server that ignores the credit loses this call."""
        if self._ended:
            return
        if self._window and self._buffered >= self._window:
            self._cut(Unavailable(ErrorReason.SERVICE_UNAVAILABLE, "The answer came faster than it was read."))
            return
        self._arrived.append(response)
        self._buffered += size
        self._wake_in_time()

    def end(self, failure: Exception | None = None) -> None:
        """Nothing more comes; what has arrived can still be taken, then `failure` is raised."""
        if self._ended:
            return
        self._ended = True
        self._failure = failure
        self._timer.cancel()
        self._carrier = None
        self._wake()

    def turn_away(self) -> None:
        """The server has not begun the call: `read` says so once, and it may begin elsewhere."""
        self._carrier = None
        self._turned_away = True
        self._wake()

    def leave(self) -> None:
        """The caller wants no more."""
        carrier = self._carrier
        self.end()
        if carrier is not None:
            carrier.leave(self)

    async def read(self) -> list[Any]:
        """Return all responses that have arrived, waiting for one; an empty list at the end.

        Raises:
            ServiceError: how the call failed, once what came before is taken.
            NotTaken: it never began.
        """
        while not self._arrived:
            if self._failure is not None:
                raise self._failure
            if self._ended:
                return []
            if self._turned_away:
                self._turned_away = False
                raise NotTaken
            self._waiter = self._loop.create_future()
            await self._waiter
        arrived, self._arrived = self._arrived, []
        self._read_at = self._loop.time()
        self._take()
        return arrived

    def _take(self) -> None:
        self._taken += self._buffered
        self._buffered = 0
        # Half a window at a time: a reader that keeps up costs no frame for each part.
        if self._carrier is not None and self._window and self._taken * 2 >= self._window:
            granted, self._taken = self._taken, 0
            self._carrier.grant(self, granted)

    def _expire(self) -> None:
        self._cut(deadline_exceeded())

    def _cut(self, failure: ServiceError) -> None:
        carrier = self._carrier
        self.end(failure)
        if carrier is not None:
            carrier.leave(self)

    def _wake_in_time(self) -> None:
        """Wake the reader: while this process is behind, not before more may have come; of half a window, at once."""
        if self._waiter is None:
            return  # it reads what has come before it waits again
        left_s = self._lag.left_s(self._read_at) if self._buffered * 2 < self._window else 0.0
        if left_s <= 0:
            self._wake()
        elif self._hold is None:
            self._hold = self._loop.call_later(left_s, self._wake)

    def _wake(self) -> None:
        hold, self._hold = self._hold, None
        if hold is not None:
            hold.cancel()
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
