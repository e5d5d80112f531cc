"""A channel to a service that a test has started, connected before the first call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc

from servicekit.rpc_client import open_channel

PATIENCE_S = 60.0


@asynccontextmanager
async def ready_channel(port: int) -> AsyncIterator[grpc.aio.Channel]:
    """Yield a channel to a port of this machine that is connected.

    A call does not wait for a connection, but fails with the first attempt to make one, which is given two seconds: on
    a machine that stands still for longer the first call of a test failed, and no other did.
    """
    async with open_channel(f"127.0.0.1:{port}") as channel:
        async with asyncio.timeout(PATIENCE_S):
            await channel.channel_ready()
        yield channel
