"""How fast parts may come, and which of them share a message."""

from __future__ import annotations

import asyncio
from typing import Any

from servicekit.multiplex.frames import Call
from servicekit.multiplex.handlers import StreamHandler
from servicekit.multiplex.tests.over_grpc import at, connected, served, stream


async def test_one_still_reader_delays_nobody_and_holds_bounded_memory() -> None:
    """Two hundred streams run to their ends while one is not read; that one then goes on where it was."""
    part, produced = b"x" * 1024, []

    async def endless(call: Call) -> Any:
        for _ in range(500):
            if call.request == b"still":
                produced.append(len(part))
            yield part

    async with (
        served({"Parts": StreamHandler(endless)}) as server,
        connected(at(server), connections=1, window_kb=64) as client,
    ):
        still = stream(client, b"still")
        heard = len(await anext(still))
        sizes = await asyncio.gather(*(_drink(client) for _ in range(200)))
        ahead = sum(produced) - heard * len(part)
        heard += sum([len(parts) async for parts in still])

    assert sizes == [500] * 200
    assert ahead <= 64 * 1024 + len(part)
    assert heard == 500


async def _drink(client: Any) -> int:
    return sum([len(parts) async for parts in stream(client, b"")])
