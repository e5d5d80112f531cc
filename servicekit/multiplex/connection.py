"""The caller's end of one long-lived RPC and the calls that it carries."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Final

import grpc
import structlog

from servicekit import lifecycle
from servicekit.errors import Internal, ServiceError
from servicekit.multiplex.client_call import ClientCall
from servicekit.multiplex.frames import Answer, AnswerFrame, CallerCodec, CallFrame, Cancel, Credit, Draining, Failure
from servicekit.multiplex.outbox import Outbox
from servicekit.multiplex.settings import MultiplexClientSettings
from servicekit.rpc_errors import decode, unavailable

log = structlog.get_logger()

# In a server's initial metadata: which of several it is, so that RPCs can be spread over them.
INSTANCE: Final = "razvilka-instance"

# What grpc.aio raises when an RPC is used that has ended meanwhile.
_ENDED: Final = (asyncio.InvalidStateError, grpc.aio.UsageError)


class Connection:
    """Carries calls until it is lost or has drained; `retired` is then told, once, and no new call comes."""

    def __init__(
        self,
        rpc: Any,
        codec: CallerCodec,
        settings: MultiplexClientSettings,
        retired: Callable[[Connection], None],
    ) -> None:
        self._rpc = rpc
        self._codec = codec
        self._retired = retired
        self._calls: dict[int, ClientCall] = {}
        self._last_id = 0
        self._outbox: Outbox[CallFrame] = Outbox(self._write, message_bytes=settings.message_kb * 1024)
        self._accepts = True
        self.instance = ""

    @property
    def in_flight(self) -> int:
        """How many calls are open here."""
        return len(self._calls)

    async def open(self, timeout_s: float) -> None:
        """Wait until a server has accepted the RPC.

        Raises:
            ServiceError: none has.
        """
        try:
            async with asyncio.timeout(timeout_s):
                self.instance = _instance(await self._rpc.initial_metadata())
                if self._rpc.done():
                    # Refused: reading says why.
                    await self._rpc.read()
                    raise unavailable()
        except grpc.aio.AioRpcError as exc:
            raise decode(exc) from exc
        except TimeoutError as exc:
            self._rpc.cancel()
            raise unavailable() from exc
        except BaseException:
            self._rpc.cancel()
            raise

    def abandon(self) -> None:
        """End an RPC that carries nothing."""
        self._rpc.cancel()

    def start(self, call: ClientCall) -> None:
        """Send the call."""
        self._last_id += 1
        frame = call.begin(self, self._last_id)
        self._calls[self._last_id] = call
        call.number = self._outbox.send(frame, frame.size)

    def leave(self, call: ClientCall) -> None:
        """Forget the call; whatever still comes for it is dropped."""
        if self._calls.pop(call.call_id, None) is not None:
            # While a server stands still requests pile up here: those that nobody waits for are let go.
            if not self._outbox.withdraw(call.number):
                self._outbox.send(Cancel(call.call_id))
            self._close_when_drained()

    def grant(self, call: ClientCall, size: int) -> None:
        """Let the server send more of the call."""
        self._outbox.send(Credit(call.call_id, size))

    def drain(self) -> None:
        """Take no new calls and end when the last one has."""
        self._retire()
        self._close_when_drained()

    async def run(self) -> None:
        """Carry frames both ways until the RPC ends; then every call left fails with why."""
        failure: ServiceError = unavailable()
        try:
            async with lifecycle.background() as tasks:
                tasks.start(self._send(), name="multiplex.send")
                failure = await self._receive()
        finally:
            self._retire()
            self._rpc.cancel()
            calls, self._calls = self._calls, {}
            for call in calls.values():
                call.end(failure)

    async def _receive(self) -> ServiceError:
        try:
            while (message := await self._rpc.read()) is not grpc.aio.EOF:
                for frame in self._codec.decode(message):
                    self._take(frame)
        except grpc.aio.AioRpcError as exc:
            return decode(exc)
        except _ENDED:
            return unavailable()
        except Exception:
            log.exception("multiplex.receive_failed")
            return Internal()
        return unavailable()

    async def _send(self) -> None:
        try:
            await self._outbox.run()
            await self._rpc.done_writing()
        except (*_ENDED, grpc.aio.AioRpcError):
            return  # the reader hears of it too, and knows why
        except BaseException:
            # Calls that cannot be sent must not wait for their deadlines.
            self._rpc.cancel()
            raise

    async def _write(self, frames: list[CallFrame]) -> None:
        await self._rpc.write(self._codec.encode(frames))

    def _take(self, frame: AnswerFrame) -> None:
        if isinstance(frame, Answer):
            call = self._calls.get(frame.call_id)
            if call is None:
                return  # its caller has left
            if frame.response is not None:
                call.receive(frame.response, frame.size)
            if frame.last:
                self._end(frame.call_id, None)
        elif isinstance(frame, Failure):
            self._end(frame.call_id, frame.error)
        elif isinstance(frame, Draining):
            self._server_drains(frame.last_call_id)

    def _end(self, call_id: int, failure: Exception | None) -> None:
        call = self._calls.pop(call_id, None)
        if call is not None:
            call.end(failure)
            self._close_when_drained()

    def _server_drains(self, last_call_id: int) -> None:
        self._retire()
        for call_id in [number for number in self._calls if number > last_call_id]:
            self._calls.pop(call_id).turn_away()
        self._close_when_drained()

    def _retire(self) -> None:
        if self._accepts:
            self._accepts = False
            self._retired(self)

    def _close_when_drained(self) -> None:
        if not self._accepts and not self._calls:
            self._outbox.close()


def _instance(metadata: Iterable[tuple[str, str | bytes]] | None) -> str:
    return next((str(value) for key, value in metadata or () if key == INSTANCE), "")
