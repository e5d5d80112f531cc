"""How fast parts may come, and which of them share a message."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from servicekit.multiplex.frames import Answer, Call
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


async def _slow_parts(server_lag: Any, call: Call) -> Any:
    for number in range(12):
        if server_lag is not None:
            server_lag.observe(10.0)
        yield str(number).encode()
        await asyncio.sleep(0.001)


@pytest.mark.parametrize("behind", [True, False])
async def test_later_parts_share_messages_only_while_the_process_is_behind(behind: bool) -> None:
    """The first two parts never wait; the others do when the loop is late, and none is lost."""

    async def parts(call: Call) -> Any:
        async for part in _slow_parts(server.shared.lag if behind else None, call):
            yield part

    async with (
        served({"Parts": StreamHandler(parts)}, hold_ms=10_000.0, lag_ms=5_000.0) as server,
        connected(at(server), connections=1) as client,
    ):
        heard = [part async for parts in stream(client) for part in parts]
        messages = [[frame for frame in message if isinstance(frame, Answer)] for message in server.codec.messages]

    assert heard == [str(number).encode() for number in range(12)]
    assert len(messages[0]) == 1
    assert (max(map(len, messages)) >= 10) is behind
