"""The handlers' end of one RPC and the calls that it carries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import grpc
import structlog

from servicekit import lifecycle
from servicekit.errors import Internal
from servicekit.multiplex.frames import AnswerFrame, Call, CallFrame, Cancel, Credit, Draining, Failure, HandlerCodec
from servicekit.multiplex.handlers import Handler
from servicekit.multiplex.outbox import Outbox
from servicekit.multiplex.server_call import ServerCall
from servicekit.multiplex.settings import MultiplexServerSettings
from servicekit.multiplex.work_in_hand import WorkInHand

log = structlog.get_logger()


class ServerConnection:
    """Reads frames, runs a task for each call, writes what the tasks say."""

    def __init__(
        self,
        context: Any,
        handlers: Mapping[str, Handler],
        codec: HandlerCodec,
        settings: MultiplexServerSettings,
        work: WorkInHand,
    ) -> None:
        self._context = context
        self._handlers = handlers
        self._codec = codec
        self._settings = settings
        self._work = work
        self._calls: dict[int, ServerCall] = {}
        self._last_id = 0
        self._drain_above: int | None = None
        self._no_more = False
        self._over = False
        self._outbox: Outbox[AnswerFrame] = Outbox(self._write, message_bytes=settings.message_kb * 1024)

    async def run(self) -> None:
        """Serve until there is nothing more to serve. Cancelled when the caller is gone, and the calls with it."""
        async with lifecycle.background() as self._tasks:
            receiver = self._tasks.start(self._receive(), name="multiplex.receive")
            try:
                # Ends when the outbox is closed and empty, or with the transport's error.
                await self._outbox.run()
            finally:
                # What is read while the tasks are being ended would begin after them, and never end. All are told
                # before the first is awaited: a second cancellation may cut the waiting short.
                self._over = True
                receiver.cancel()
                self._cancel_all()

    def drain(self) -> None:
        """Say that no call above the last one taken will be, and finish those."""
        if self._drain_above is None:
            self._drain_above = self._last_id
            self._outbox.send(Draining(self._last_id))
            self._close_when_done()

    async def _receive(self) -> None:
        try:
            while (message := await self._context.read()) is not grpc.aio.EOF:
                for frame in self._codec.decode(message):
                    self._take(frame)
        except Exception:
            # A caller that cannot be understood is not heard any further; its calls cannot be told apart.
            self._cancel_all()
            raise
        finally:
            self._no_more = True
            self._close_when_done()

    def _take(self, frame: CallFrame) -> None:
        if isinstance(frame, Call):
            self._begin(frame)
        elif isinstance(frame, Cancel):
            self._cancel(frame.call_id)
        elif isinstance(frame, Credit) and (call := self._calls.get(frame.call_id)) is not None:
            call.add_credit(frame.size)

    def _begin(self, frame: Call) -> None:
        if self._over or (self._drain_above is not None and frame.call_id > self._drain_above):
            return  # the caller hears of it by the RPC's end, or by the frame already sent
        self._last_id = frame.call_id
        handler = self._handlers.get(frame.method)
        refusal = Internal() if handler is None else self._work.admit(frame.method, frame.size)
        if handler is None or refusal is not None:
            self._outbox.send(Failure(frame.call_id, refusal or Internal()))
            return
        self._start(frame, handler)

    def _start(self, frame: Call, handler: Handler) -> None:
        limit = self._settings.payload_mb * 1024 * 1024
        call = ServerCall(frame, self._outbox, self._codec, payload_bytes=limit)
        self._calls[frame.call_id] = call
        call.task = self._tasks.start(call.run(handler), name=frame.method)
        call.task.add_done_callback(lambda _: self._end(frame.call_id, frame.size))

    def _cancel(self, call_id: int) -> None:
        call = self._calls.get(call_id)
        if call is not None:
            call.cancel()

    def _cancel_all(self) -> None:
        for call in self._calls.values():
            call.cancel()

    def _end(self, call_id: int, size: int) -> None:
        self._calls.pop(call_id, None)
        self._work.release(size)
        self._close_when_done()

    def _close_when_done(self) -> None:
        if (self._no_more or self._drain_above is not None) and not self._calls:
            self._outbox.close()

    async def _write(self, frames: list[AnswerFrame]) -> None:
        await self._context.write(self._codec.encode(frames))
