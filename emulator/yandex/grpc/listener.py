"""The gRPC listener: takes a call, lets the REST route answer it, and plays the faults that gRPC can show."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, suppress
from typing import Any, Final

import grpc
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from emulator.core import Call, Route, ending
from emulator.wire.faults import BREAKING
from emulator.wire.replies import RefusalError, Reply
from emulator.wire.tls import CertificateFiles
from emulator.yandex.grpc.method import Method
from emulator.yandex.grpc.methods import METHODS
from emulator.yandex.grpc.translation import StatusError, messages, received, written
from emulator.yandex.surface import YandexSurface

Context = grpc.aio.ServicerContext[Any, Any]
# How long a refusal waits for the client to finish writing.
_READ_OUT_S: Final = 2.0
# Faults that leave the client waiting; the other breaking ones end the call.
_STALLS: Final = ("stall", "stall_before_headers")


class GrpcListener:
    """One port of a surface; it is told its own address, since clients ask where services are."""

    def __init__(self, surface: YandexSurface) -> None:
        """Register every method."""
        self._surface = surface
        # Files come in one message.
        limit = ("grpc.max_receive_message_length", surface.core.settings.max_body_bytes)
        self._server = grpc.aio.server(options=(limit,))
        self.address = ""
        for method in METHODS:
            handlers = {method.name: self._handler(method)}
            self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(method.service, handlers),))

    async def start(self, host: str, shown_host: str, port: int, files: CertificateFiles | None) -> str:
        """Listen, with TLS when there are files; return `host:port`."""
        where = f"{host}:{port}"
        if files is None:
            bound = self._server.add_insecure_port(where)
        else:
            pair = files.key.read_bytes(), files.chain.read_bytes()
            bound = self._server.add_secure_port(where, grpc.ssl_server_credentials([pair]))
        await self._server.start()
        self.address = f"{shown_host}:{bound}"
        return self.address

    async def stop(self) -> None:
        """End every call, stalled ones too."""
        await self._server.stop(0.1)

    def _handler(self, method: Method) -> "grpc.RpcMethodHandler[Any, Any]":
        serve: Callable[..., Any]
        if method.listens:
            make, serve = grpc.stream_stream_rpc_method_handler, self._talked(method)
        elif method.streams:
            make, serve = grpc.unary_stream_rpc_method_handler, self._streamed(method)
        else:
            make, serve = grpc.unary_unary_rpc_method_handler, self._single(method)
        return make(serve, method.request.FromString, lambda message: message.SerializeToString())

    def _single(self, method: Method) -> Callable[..., Any]:
        async def serve(request: Message, context: Context) -> Message:
            found = [message async for message in self._messages(method, request, context)]
            return found[0]

        return serve

    def _streamed(self, method: Method) -> Callable[..., Any]:
        async def serve(request: Message, context: Context) -> AsyncIterator[Message]:
            async for message in self._messages(method, request, context):
                yield message

        return serve

    def _talked(self, method: Method) -> Callable[..., Any]:
        async def serve(requests: AsyncIterator[Message], context: Context) -> AsyncIterator[Message]:
            with self._opened(method, method.request(), context) as (call, route):
                # The route tells whether the caller may speak at all; its reply has nothing else in it.
                reply = await self._surface.answer(call, route)
                call.entry.status = reply.status
                try:
                    list(messages(method, reply))
                    async for message in self._conversed(method, call, requests):
                        yield message
                except StatusError as error:
                    call.entry.ended = "refused"
                    await _read_out(requests)
                    await context.abort(error.status, error.message)
                call.entry.ended = ending(call.entry, reply)

        return serve

    async def _conversed(self, method: Method, call: Call, requests: AsyncIterator[Message]) -> AsyncIterator[Message]:
        dialogue = self._surface.dialogues[method.path](call)
        try:
            async for request in requests:
                for found in dialogue.hear(MessageToDict(request)):
                    yield written(method, found)
            for found in dialogue.end():
                yield written(method, found)
        except RefusalError as refusal:
            call.entry.status = refusal.reply.status
            list(messages(method, refusal.reply))

    def _opened(
        self, method: Method, request: Message, context: Context
    ) -> AbstractContextManager[tuple[Call, Route | None]]:
        metadata = {key: str(value) for key, value in context.invocation_metadata() or ()} | {"host": self.address}
        return self._surface.opened(received(method, request, metadata))

    async def _messages(self, method: Method, request: Message, context: Context) -> AsyncIterator[Message]:
        with self._opened(method, request, context) as (call, route):
            reply = await self._surface.answer(call, route)
            call.entry.status = reply.status
            try:
                async for message in _delivered(method, call, reply):
                    yield message
            except StatusError as error:
                call.entry.ended = ending(call.entry, reply)
                await context.abort(error.status, error.message)
            call.entry.ended = ending(call.entry, reply)


async def _read_out(requests: AsyncIterator[Message]) -> None:
    """Read what the client still writes: one whose call ends while it writes may see that fail, and no status."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_READ_OUT_S):
            async for _ in requests:
                pass


async def _delivered(method: Method, call: Call, reply: Reply) -> AsyncIterator[Message]:
    """Yield the messages with the reply's pauses, up to where its fault strikes."""
    await asyncio.sleep(reply.latency_s)
    fault = reply.fault if reply.fault is not None and reply.fault.name in BREAKING else None
    breaks_at = None if fault is None or fault.name == "mid_stream_error" else fault.after() if reply.streamed else 0
    for number, message in enumerate(messages(method, reply)):
        if number == breaks_at:
            break
        if number:
            await asyncio.sleep(reply.gap_s)
        if reply.marks:
            call.entry.delivered_tokens = reply.marks[min(number, len(reply.marks) - 1)]
        yield message
    if fault is not None and breaks_at is not None:
        if fault.name in _STALLS:
            await asyncio.Event().wait()
        raise StatusError(grpc.StatusCode.UNAVAILABLE, "Socket closed")
