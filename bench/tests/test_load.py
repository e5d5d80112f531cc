"""What the load generator reads of a stream."""

from __future__ import annotations

import asyncio

from bench.cases import Case
from bench.load import Target, TimedConnection, connect
from bench.open_streams import NAME
from bench.upstream import CHUNKS, Upstream


async def test_every_event_that_says_when_it_was_written_is_timed() -> None:
    """All but the first, which opens the answer."""
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1/chat/completions"
        target = Target(url, "k", Case(NAME, "bench-model-30ms", True).body())
        connection = await connect(target, TimedConnection)

        assert await connection.request(target.encoded())
        delays = connection.take_delays()
        connection.close()

    assert len(delays) == CHUNKS - 1
    assert min(delays) > 0
    assert connection.take_delays() == []
