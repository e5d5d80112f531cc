"""The RPCs that calls share: balance, renewal, loss, draining, over real sockets."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import grpc
import pytest

from servicekit.errors import DeadlineExceeded, Unavailable
from servicekit.multiplex.client import open_client
from servicekit.multiplex.connection import INSTANCE
from servicekit.multiplex.frames import Call
from servicekit.multiplex.handlers import Handler, StreamHandler, UnaryHandler
from servicekit.multiplex.settings import MultiplexClientSettings
from servicekit.multiplex.tests.over_grpc import PickleCodec, at, connected, served, stream, unary, until


class Gate:
    """A handler that waits until the test lets it go."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.served = 0
        self.table: dict[str, Handler] = {"Whole": UnaryHandler(self.whole), "Parts": StreamHandler(self.parts)}

    async def whole(self, call: Call) -> bytes:
        self.served += 1
        if call.request == b"wait":
            await self.go.wait()
        return bytes(call.request)

    async def parts(self, call: Call) -> Any:
        yield b"first"
        await self.go.wait()
        yield b"last"


async def test_calls_are_spread_evenly_over_servers() -> None:
    """Each new call goes where the fewest are in hand, however many RPCs lead there."""
    gate = Gate()
    async with (
        served(gate.table) as first,
        served(gate.table) as second,
        connected(at(first), at(second), connections=3) as client,
    ):
        await until(lambda: client.in_flight == [0] * 3)
        calls = [asyncio.create_task(unary(client, b"wait")) for _ in range(40)]
        await until(lambda: first.shared.in_hand == second.shared.in_hand == 20)
        spread = client.in_flight
        gate.go.set()

        assert await asyncio.gather(*calls) == [b"wait"] * 40
    # Calls of one server share an RPC, and so its messages; the other stands by.
    assert sorted(spread) == [0, 20, 20]


async def test_what_drains_is_still_in_hand_there() -> None:
    """After any renewals each server has its half: streams on an old RPC count, or a new one would get all."""
    gate = Gate()
    async with (
        served(gate.table) as first,
        served(gate.table) as second,
        connected(at(first), at(second), connections=2, renew_s=0.02) as client,
    ):
        await until(lambda: len(client.in_flight) == 2)
        calls: list[asyncio.Task[bytes]] = []
        for _ in range(30):
            calls.append(asyncio.create_task(unary(client, b"wait")))
            await until(lambda: first.shared.in_hand + second.shared.in_hand == len(calls))
            await asyncio.sleep(0.01)
        halves = first.shared.in_hand, second.shared.in_hand
        gate.go.set()

        assert await asyncio.gather(*calls) == [b"wait"] * 30
    assert halves == (15, 15)


async def test_calls_one_after_another_take_turns() -> None:
    """Among RPCs with as many in flight, the one used longest ago is next: no server idles at low load."""
    first, second = Gate(), Gate()
    async with (
        served(first.table) as one,
        served(second.table) as other,
        connected(at(one), at(other), connections=2) as client,
    ):
        await until(lambda: client.in_flight == [0] * 2)
        for _ in range(10):
            await unary(client)

    assert (first.served, second.served) == (5, 5)


class Accepted:
    """An RPC that a server has accepted, and that says nothing."""

    def __init__(self, instance: str) -> None:
        self.instance = instance
        self._ended = asyncio.Event()

    async def initial_metadata(self) -> Any:
        return ((INSTANCE, self.instance),)

    def done(self) -> bool:
        return self._ended.is_set()

    def cancel(self) -> None:
        self._ended.set()

    async def done_writing(self) -> None:
        self._ended.set()

    async def read(self) -> Any:
        await self._ended.wait()
        return grpc.aio.EOF


async def test_rpcs_are_spread_over_the_servers_that_accept_them() -> None:
    """Of two that were opened the one stays whose server has fewer; the other is ended."""
    opened: list[Accepted] = []
    instances = itertools.cycle("ab")

    def begin() -> Accepted:
        opened.append(Accepted(next(instances)))
        return opened[-1]

    async with open_client([begin], PickleCodec(), MultiplexClientSettings(connections=4)) as client:
        await until(lambda: len(client.in_flight) == 4)
        kept = sorted(rpc.instance for rpc in opened if not rpc.done())

    assert kept == ["a", "a", "b", "b"]


async def test_a_renewal_leaves_no_server_without_an_rpc() -> None:
    """The RPC that is replaced does not count for its server: it is about to go."""
    opened: list[Accepted] = []
    servers: list[set[str]] = []
    instances = itertools.cycle("ab")

    def begin() -> Accepted:
        servers.append({rpc.instance for rpc in opened if not rpc.done()})
        opened.append(Accepted(next(instances)))
        return opened[-1]

    async with open_client([begin], PickleCodec(), MultiplexClientSettings(connections=2, renew_s=0.05)):
        await until(lambda: len(opened) >= 24)

    assert servers[4:] == [{"a", "b"}] * len(servers[4:])


async def test_rpcs_are_renewed_by_draining_and_no_call_notices() -> None:
    """New calls go to the new RPC while an old stream ends on the old one."""
    gate = Gate()
    async with served(gate.table) as server, connected(at(server), connections=1, renew_s=0.05) as client:
        old = stream(client)
        heard = await anext(old)
        while len(server.rpcs) < 8:
            assert await unary(client, b"new") == b"new"
            assert len(client.in_flight) == 1
        gate.go.set()
        heard += [part async for parts in old for part in parts]
        await until(lambda: server.shared.in_hand == 0)

    assert heard == [b"first", b"last"]


async def test_a_draining_server_finishes_what_it_has_and_gets_nothing_new() -> None:
    """Its frame says so before it stops; what has not begun there begins elsewhere."""
    gate = Gate()
    async with served(gate.table) as first, served(gate.table) as second:
        targets = at(first), at(second)
        async with connected(*targets, connections=2) as client:
            await until(lambda: len(client.in_flight) == 2)
            streams = [stream(client) for _ in range(2)]
            heard = [await anext(each) for each in streams]
            first.shared.drain()
            # Made before the frame is read: half of them go to the server that takes no more.
            answers = await asyncio.gather(*(unary(client, b"new") for _ in range(10)))
            held = first.shared.in_hand
            gate.go.set()
            rest = [[part async for parts in each for part in parts] for each in streams]
            await until(lambda: first.shared.in_hand == 0)

    assert answers == [b"new"] * 10
    assert held == 1
    assert heard == [[b"first"]] * 2
    assert rest == [[b"last"]] * 2


async def test_a_server_that_stops_lets_its_streams_end() -> None:
    """Drained first, then stopped with grace: the stream ends well, and the stop waits for no more than that."""
    gate = Gate()
    stopping = served(gate.table, grace_s=60)
    server = await stopping.__aenter__()
    async with connected(at(server), connections=2) as client:
        parts = stream(client)
        heard = await anext(parts)
        server.shared.drain()
        stopped = asyncio.ensure_future(stopping.__aexit__(None, None, None))
        await until(lambda: client.in_flight == [])
        gate.go.set()
        heard += [part async for several in parts for part in several]
        async with asyncio.timeout(30):
            await stopped

    assert heard == [b"first", b"last"]
    assert server.shared.connections == 0


async def test_a_lost_server_fails_its_calls_and_is_found_again() -> None:
    """Open calls fail as unavailable; after a restart on the same port new ones succeed."""
    gate = Gate()
    async with served(gate.table) as first:
        port, target = first.port, at(first)
        client_context = connected(target, connections=2)
        client = await client_context.__aenter__()
        open_call = asyncio.create_task(unary(client, b"wait"))
        await until(lambda: first.shared.in_hand == 1)
    try:
        with pytest.raises(Unavailable) as caught:
            await open_call
        await until(lambda: client.in_flight == [])
        async with served(gate.table, port=port):
            await until(lambda: len(client.in_flight) == 2)

            assert await unary(client, b"again") == b"again"
    finally:
        await client_context.__aexit__(None, None, None)
    assert caught.value.retry_after_s is not None


async def test_one_of_two_servers_lost_fails_only_its_own_calls() -> None:
    """The other takes over at once."""
    gate = Gate()
    async with served(gate.table) as stays:
        async with served(gate.table) as goes:
            client_context = connected(at(stays), at(goes), connections=2)
            client = await client_context.__aenter__()
            await until(lambda: len(client.in_flight) == 2)
            calls = [asyncio.create_task(unary(client, b"wait")) for _ in range(10)]
            await until(lambda: stays.shared.in_hand == goes.shared.in_hand == 5)
        try:
            await until(lambda: len(client.in_flight) == 1)
            new = [await unary(client, b"new") for _ in range(20)]
            gate.go.set()
            outcomes = await asyncio.gather(*calls, return_exceptions=True)
        finally:
            await client_context.__aexit__(None, None, None)

    assert new == [b"new"] * 20
    assert outcomes.count(b"wait") == 5
    assert sum(isinstance(outcome, Unavailable) for outcome in outcomes) == 5


async def test_a_service_that_is_not_there_is_unavailable() -> None:
    """A refused connection fails the call at once, not at its deadline."""
    async with connected("127.0.0.1:1", connections=2) as client:
        with pytest.raises(Unavailable) as caught:
            await unary(client, deadline_s=60.0)

    assert caught.value.retry_after_s is not None


class Silent:
    """An RPC that nobody accepts."""

    async def initial_metadata(self) -> None:
        await asyncio.Event().wait()

    def cancel(self) -> None:
        """Nothing to end."""


async def test_waiting_for_a_server_ends_with_the_deadline() -> None:
    """While an RPC is being opened, a call waits for it, but not longer than it may."""
    async with open_client([Silent], PickleCodec(), MultiplexClientSettings(connections=1)) as client:
        with pytest.raises(DeadlineExceeded):
            await unary(client, deadline_s=0.2)


async def test_a_server_that_comes_back_gets_its_share_by_renewal() -> None:
    """While it is away all RPCs are at the other; a renewal moves some, and calls with them."""
    stays_gate, back_gate = Gate(), Gate()
    async with served(stays_gate.table) as stays:
        async with served(back_gate.table) as goes:
            port = goes.port
        async with connected(f"ipv4:127.0.0.1:{stays.port},127.0.0.1:{port}", connections=4, renew_s=0.5) as client:
            await until(lambda: len(client.in_flight) == 4)
            await unary(client)
            async with served(back_gate.table, port=port), asyncio.timeout(60):
                while not back_gate.served:
                    assert await unary(client, b"new") == b"new"

    assert stays_gate.served > 0
