"""The gRPC listener: takes a call, lets the REST route answer it, and plays the faults that gRPC can show."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import grpc
from google.protobuf.message import Message

from emulator.core import Call, ending
from emulator.wire.faults import BREAKING
from emulator.wire.replies import Reply
from emulator.wire.tls import CertificateFiles
from emulator.yandex.grpc.method import Method
from emulator.yandex.grpc.methods import METHODS
from emulator.yandex.grpc.translation import StatusError, messages, received
from emulator.yandex.surface import YandexSurface

Context = grpc.aio.ServicerContext[Any, Any]
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
        make = grpc.unary_stream_rpc_method_handler if method.streams else grpc.unary_unary_rpc_method_handler
        serve: Callable[..., Any] = self._streamed(method) if method.streams else self._single(method)
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

    async def _messages(self, method: Method, request: Message, context: Context) -> AsyncIterator[Message]:
        metadata = {key: str(value) for key, value in context.invocation_metadata() or ()} | {"host": self.address}
        with self._surface.opened(received(method, request, metadata)) as (call, route):
            reply = await self._surface.answer(call, route)
            call.entry.status = reply.status
            try:
                async for message in _delivered(method, call, reply):
                    yield message
            except StatusError as error:
                call.entry.ended = ending(call.entry, reply)
                await context.abort(error.status, error.message)
            call.entry.ended = ending(call.entry, reply)


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
