"""Both ways that `bench.multiplex` compares carry calls and whole streams."""

from __future__ import annotations

from typing import Any

from razvilka.router.v1 import router_pb2_grpc

from bench.multiplex import Case, alone, server_process, shared
from servicekit import rpc_client
from servicekit.multiplex import MultiplexClientSettings, open_client
from services.gateway.clients.router.frames import RouterCallCodec


async def test_a_call_and_a_stream_are_answered_alone_and_over_a_shared_rpc() -> None:
    whole, stream = Case("", 1, None), Case("", 1, 0.0)
    async with server_process() as (_, port), rpc_client.open_channel(f"127.0.0.1:{port}") as channel:
        stub: Any = router_pb2_grpc.RouterServiceStub(channel)
        async with open_client([stub.Converse], RouterCallCodec(), MultiplexClientSettings()) as client:
            for case in (whole, stream):
                # Each checks what it gets.
                await alone(channel, case)()
                await shared(client, case)()
