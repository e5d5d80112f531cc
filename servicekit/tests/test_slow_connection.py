"""A connection to a busy peer: its handshake may take longer than the pause between two attempts."""

from __future__ import annotations

import asyncio
from typing import Any

from razvilka.usage.v1 import usage_pb2_grpc

from servicekit import rpc_client
from servicekit.rpc_server import running_server
from servicekit.settings import GrpcSettings
from servicekit.tests.test_rpc import POLICY, Servicer, get_spend

# What a process that verifies passwords, or loads what it needs for the first time, keeps a handshake waiting for.
BUSY_S = 0.5


async def test_a_connection_whose_handshake_takes_half_a_second_is_made() -> None:
    """Calls wait for it; before, each attempt was given up after a tenth of a second, and so was the call."""

    async def is_ready() -> bool:
        return True

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
        writer.close()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(BUSY_S)
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(forward(reader, there_writer), forward(there_reader, writer), return_exceptions=True)

    def register(server: Any) -> None:
        usage_pb2_grpc.add_UsageServiceServicer_to_server(Servicer(), server)

    async with running_server(GrpcSettings(grace_s=0), register, is_ready, POLICY) as port:
        proxy = await asyncio.start_server(accept, "127.0.0.1", 0)
        async with rpc_client.open_channel(f"127.0.0.1:{proxy.sockets[0].getsockname()[1]}") as channel:
            answer = await get_spend(channel, deadline_s=20.0)
        proxy.close()

    assert answer.requests > 0
