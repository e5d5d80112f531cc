"""One call as its handler sees it: run it, pause it while the caller has no credit, say how it ended."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

from servicekit.call import CallContext, ServedCall
from servicekit.errors import ServiceError
from servicekit.multiplex.frames import Answer, AnswerFrame, Call, Failure, HandlerCodec
from servicekit.multiplex.handlers import Handler, StreamHandler, UnaryHandler
from servicekit.multiplex.outbox import Outbox
from servicekit.rpc_errors import too_large
from servicekit.tracing import begin_trace


class ServerCall:
    """Owned by its RPC's connection, which runs it as a task."""

    __slots__ = ("_codec", "_credit", "_frame", "_limit", "_may_send", "_outbox", "task")

    def __init__(self, frame: Call, outbox: Outbox[AnswerFrame], codec: HandlerCodec, *, payload_bytes: int) -> None:
        self._frame = frame
        self._outbox = outbox
        self._codec = codec
        self._limit = payload_bytes
        self._credit = frame.credit_bytes
        self._may_send: asyncio.Future[None] | None = None
        self.task: asyncio.Task[None] | None = None

    def cancel(self) -> None:
        """The caller has left."""
        if self.task is not None:
            # A turn later: a call that was cancelled in the message that began it has begun, and is counted.
            asyncio.get_running_loop().call_soon(self.task.cancel)

    def add_credit(self, size: int) -> None:
        """The caller has taken that much."""
        self._credit += size
        waiter, self._may_send = self._may_send, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    async def run(self, handler: Handler) -> None:
        """Serve the call; its last frame says how it ended."""
        frame = self._frame
        context = CallContext(frame.request_id, begin_trace(frame.traceparent, frame.tracestate))
        async with ServedCall(frame.method, context, remaining_s=frame.timeout_s, fail=self._fail):
            if isinstance(handler, StreamHandler):
                await self._stream(handler)
            else:
                await self._unary(handler)

    async def _unary(self, handler: UnaryHandler) -> None:
        self._answer(await handler.handle(self._frame), last=True)

    async def _stream(self, handler: StreamHandler) -> None:
        # Closed at once when the caller leaves: what it reads from hangs on it.
        async with aclosing(handler.handle(self._frame)) as responses:
            async for response in responses:
                self._answer(response, last=False)
                while self._credit <= 0:
                    self._may_send = asyncio.get_running_loop().create_future()
                    await self._may_send
        self._outbox.send(Answer(self._frame.call_id, None, True, 0))

    def _answer(self, response: Any, *, last: bool) -> None:
        size = self._codec.size(response)
        if size > self._limit:
            raise too_large()
        self._credit -= size
        self._outbox.send(Answer(self._frame.call_id, response, last, size), size)

    async def _fail(self, error: ServiceError) -> None:
        self._outbox.send(Failure(self._frame.call_id, error))
