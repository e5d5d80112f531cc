"""How fast parts may come, and which of them share a message."""

from __future__ import annotations

import asyncio
from typing import Any

from servicekit.multiplex.frames import Call
from servicekit.multiplex.handlers import StreamHandler
from servicekit.multiplex.tests.over_grpc import PickleCodec, at, connected, served, stream, unary, until
from servicekit.multiplex.tests.test_connections import Gate


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


async def test_a_request_whose_caller_left_before_it_was_sent_is_neither_kept_nor_sent() -> None:
    """They piled up, of megabytes each, while a server stood still, and were then sent to it one by one."""
    gate, codec = Gate(), PickleCodec()
    async with served(gate.table) as server, connected(at(server), connections=1, codec=codec) as client:
        await until(lambda: client.in_flight == [0])
        callers = [asyncio.create_task(unary(client, b"x" * 2**20)) for _ in range(30)]
        # A turn for all to call. The writer takes one of them in the next, in which the others leave.
        await asyncio.sleep(0)
        assert client.in_flight == [30]
        for caller in callers:
            caller.cancel()
        await asyncio.wait(callers)
        assert await unary(client, b"next") == b"next"

    sent = [frame for message in codec.messages for frame in message if isinstance(frame, Call)]
    assert len(sent) <= 3


async def _drink(client: Any) -> int:
    return sum([len(parts) async for parts in stream(client, b"")])
