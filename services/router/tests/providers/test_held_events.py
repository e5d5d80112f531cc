"""Events of a stream may wait for the next ones, but only in a process that is behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from servicekit.errors import ServiceError
from servicekit.multiplex.loop_lag import LoopLag
from services.router.providers.transport.http import OpenReply
from services.router.tests.adapters import PATIENT


class HeldUntil(LoopLag):
    """A process that is always behind and holds until it is told that enough has come."""

    def __init__(self) -> None:
        super().__init__(behind_s=0.0)
        self.is_holding, self.enough = asyncio.Event(), asyncio.Event()

    async def hold(self, read_at: float) -> None:
        self.is_holding.set()
        await self.enough.wait()


class Upstream:
    """Writes what it is told to, each piece when it is told."""

    def __init__(self) -> None:
        self.pieces: asyncio.Queue[bytes] = asyncio.Queue()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while piece := await self.pieces.get():
            await response.write(piece)
        return response


@asynccontextmanager
async def opened(upstream: Upstream, lag: LoopLag) -> AsyncIterator[tuple[OpenReply, aiohttp.StreamReader]]:
    app = web.Application()
    app.router.add_get("/", upstream.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    async with aiohttp.ClientSession() as session, session.get(f"http://{host}:{port}/") as response:
        reply = OpenReply(response, PATIENT, lag)
        yield reply, response.content
        reply.close()
        upstream.pieces.put_nowait(b"")
    await runner.cleanup()


async def test_what_comes_first_never_waits_and_later_events_wait_for_each_other() -> None:
    """The first content is what people wait for; of the rest, what comes meanwhile is read in one go."""
    upstream, lag = Upstream(), HeldUntil()
    async with opened(upstream, lag) as (reply, content):
        upstream.pieces.put_nowait(b"first")
        first = await reply.read()
        assert not lag.is_holding.is_set()
        upstream.pieces.put_nowait(b"second ")
        reading = asyncio.ensure_future(reply.read())
        await lag.is_holding.wait()
        upstream.pieces.put_nowait(b"third")
        while content.total_bytes < len(b"firstsecond third"):
            await asyncio.sleep(0.001)
        lag.enough.set()

        assert (first, await reading) == (b"first", b"second third")


async def test_the_end_waits_for_nobody() -> None:
    """After the last byte of a body nothing can come."""
    upstream, lag = Upstream(), HeldUntil()
    async with opened(upstream, lag) as (reply, content):
        upstream.pieces.put_nowait(b"first")
        await reply.read()
        upstream.pieces.put_nowait(b"last")
        upstream.pieces.put_nowait(b"")
        while not content.is_eof():
            await asyncio.sleep(0.001)

        assert await reply.read() == b"last"
        assert not lag.is_holding.is_set()


@pytest.mark.parametrize(("behind_s", "hold_s"), [(3600.0, 3600.0), (0.0, 0.0)])
async def test_nothing_is_held_in_a_process_that_keeps_up_or_is_told_not_to(behind_s: float, hold_s: float) -> None:
    """An hour's wait would not end in time."""
    lag = LoopLag(behind_s, hold_s)

    async with asyncio.timeout(60):
        await lag.hold(asyncio.get_running_loop().time())


async def test_an_event_that_comes_later_than_the_wait_is_read_at_once() -> None:
    """Of two events far apart neither has anything to wait for; the second waited all the same."""
    lag = LoopLag(behind_s=0.0, hold_s=3600.0)

    async with asyncio.timeout(60):
        await lag.hold(asyncio.get_running_loop().time() - 3601.0)


async def test_what_has_come_is_given_out_though_the_connection_breaks_while_it_waits() -> None:
    """It may be the provider's own word for why it broke off."""
    upstream, lag = Upstream(), HeldUntil()
    async with opened(upstream, lag) as (reply, content):
        upstream.pieces.put_nowait(b"first")
        await reply.read()
        upstream.pieces.put_nowait(b"why")
        reading = asyncio.ensure_future(reply.read())
        await lag.is_holding.wait()
        content.set_exception(aiohttp.ClientPayloadError("The connection ended inside the body."))
        lag.enough.set()

        assert await reading == b"why"
        with pytest.raises(ServiceError):
            await reply.read()


def test_one_slow_turn_is_no_load_but_several_are() -> None:
    """The mean moves by a fifth of each sample, and falls again."""
    lag = LoopLag(behind_s=0.002)
    lag.observe(0.009)
    after_one = lag.is_behind
    lag.observe(0.009)
    after_two = lag.is_behind
    for _ in range(10):
        lag.observe(0.0)

    assert (after_one, after_two, lag.is_behind) == (False, True, False)
