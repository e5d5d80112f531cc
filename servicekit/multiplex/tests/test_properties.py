"""Whatever the order of frames, cancels, losses and drains: every call ends once, with its bytes in order."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import hypothesis
import hypothesis.strategies as st

from servicekit.call import CallContext
from servicekit.errors import ErrorReason, ProviderFailed, ServiceError, Unavailable
from servicekit.multiplex.client import MultiplexClient, open_client
from servicekit.multiplex.frames import Call
from servicekit.multiplex.handlers import Handler, StreamHandler, UnaryHandler
from servicekit.multiplex.server import MultiplexServer
from servicekit.multiplex.settings import MultiplexClientSettings, MultiplexServerSettings
from servicekit.multiplex.tests.in_memory import MemoryRpc, PlainCodec
from servicekit.tracing import begin_trace

WINDOW_KB = 1
LARGEST = 700
CONTEXT = CallContext("request-7", begin_trace(None))


@dataclass(frozen=True)
class Plan:
    """One call: what its handler says, and what its caller does."""

    sizes: tuple[int, ...]
    fails: bool
    unary: bool
    leaves_after: int | None
    starts_after: int
    reads_every: int


plans = st.builds(
    Plan,
    sizes=st.lists(st.integers(1, LARGEST), min_size=1, max_size=12).map(tuple),
    fails=st.booleans(),
    unary=st.booleans(),
    leaves_after=st.none() | st.integers(0, 6),
    starts_after=st.integers(0, 30),
    reads_every=st.integers(0, 20),
)
# What happens to the RPCs, and after how many turns of the loop.
accidents = st.lists(st.tuples(st.sampled_from(["lose", "drain"]), st.integers(0, 60)), max_size=2)


@dataclass
class World:
    """Two servers, one caller, and what each call met."""

    plans: list[Plan]
    chance: random.Random
    rpcs: list[MemoryRpc] = field(default_factory=list)
    messages: list[list[Any]] = field(default_factory=list)
    begun: dict[int, int] = field(default_factory=dict)
    ended: dict[int, int] = field(default_factory=dict)
    said: dict[int, int] = field(default_factory=dict)
    taken: dict[int, int] = field(default_factory=dict)
    servers: list[MultiplexServer] = field(default_factory=list)

    def server(self) -> MultiplexServer:
        handlers: dict[str, Handler] = {"Whole": UnaryHandler(self.whole), "Parts": StreamHandler(self.parts)}
        settings = MultiplexServerSettings(message_kb=1)
        self.servers.append(MultiplexServer(handlers, PlainCodec(), settings))
        return self.servers[-1]

    def open(self, server: MultiplexServer) -> MemoryRpc:
        self.rpcs.append(MemoryRpc(server, self.chance, self.messages))
        return self.rpcs[-1]

    async def whole(self, call: Call) -> bytes:
        async with aclosing(self.parts(call)) as parts:
            return b"".join([part async for part in parts])

    async def parts(self, call: Call) -> AsyncGenerator[bytes, None]:
        number = int(call.request)
        plan = self.plans[number]
        self.begun[number] = self.begun.get(number, 0) + 1
        try:
            for part in said(plan):
                for _ in range(self.chance.randrange(3)):
                    await asyncio.sleep(0)
                self.check_ahead(number, plan)
                self.said[number] = self.said.get(number, 0) + len(part)
                yield part
            if plan.fails:
                raise ProviderFailed(ErrorReason.PROVIDER_ERROR, str(number))
        finally:
            self.ended[number] = self.ended.get(number, 0) + 1

    def check_ahead(self, number: int, plan: Plan) -> None:
        """A handler is asked for more only while its caller has room."""
        ahead = self.said.get(number, 0) - self.taken.get(number, 0)
        assert plan.unary or ahead < WINDOW_KB * 1024 + LARGEST


def said(plan: Plan) -> list[bytes]:
    return [bytes([index]) * size for index, size in enumerate(plan.sizes)]


@dataclass
class Outcome:
    heard: bytes = b""
    error: ServiceError | None = None
    left: bool = False


async def make(world: World, client: MultiplexClient, number: int) -> Outcome:
    plan = world.plans[number]
    for _ in range(plan.starts_after):
        await asyncio.sleep(0)
    outcome = Outcome()
    try:
        await listen(world, client, number, outcome)
    except ServiceError as error:
        outcome.error = error
    return outcome


async def listen(world: World, client: MultiplexClient, number: int, outcome: Outcome) -> None:
    plan = world.plans[number]
    request = str(number).encode()
    if plan.unary:
        outcome.heard = await client.unary("Whole", request, deadline_s=60, context=CONTEXT)
        return
    taken = 0
    async with aclosing(client.stream("Parts", request, deadline_s=60, context=CONTEXT)) as stream:
        async for parts in stream:
            outcome.heard += b"".join(parts)
            world.taken[number] = len(outcome.heard)
            taken += len(parts)
            if plan.leaves_after is not None and taken > plan.leaves_after:
                outcome.left = True
                return
            for _ in range(plan.reads_every):
                await asyncio.sleep(0)


async def befall(world: World, accident: str, after: int) -> None:
    for _ in range(after):
        await asyncio.sleep(0)
    if accident == "lose":
        world.rpcs[0].lose()
    else:
        world.servers[0].drain()


async def run(world: World, accidents: list[tuple[str, int]], *, hold_ms: float) -> list[Outcome]:
    first, second = world.server(), world.server()
    opened = [lambda: world.open(first), lambda: world.open(second)]
    settings = MultiplexClientSettings(
        # Two to the first server, of which one carries and the other stands by.
        connections=3,
        window_kb=WINDOW_KB,
        renew_s=3600,
        reopen_first_s=0.001,
        reopen_at_most_s=0.001,
        lag_ms=0,
        hold_ms=hold_ms,
    )
    async with open_client(opened, PlainCodec(), settings) as client:
        tasks = [asyncio.ensure_future(make(world, client, number)) for number in range(len(world.plans))]
        events = [asyncio.ensure_future(befall(world, *accident)) for accident in accidents]
        outcomes = await asyncio.wait_for(asyncio.gather(*tasks), 30)
        await asyncio.gather(*events)
        assert sum(client.in_flight) == 0
        async with asyncio.timeout(10):
            while any(server.in_hand for server in world.servers):
                await asyncio.sleep(0)
    return outcomes


def check(world: World, number: int, outcome: Outcome, *, lossy: bool) -> None:
    plan = world.plans[number]
    whole = b"".join(said(plan))
    assert whole.startswith(outcome.heard)
    assert world.begun.get(number, 0) == world.ended.get(number, 0) <= 1
    if outcome.left:
        return
    if outcome.error is None:
        assert outcome.heard == whole
        assert not plan.fails
    elif isinstance(outcome.error, ProviderFailed):
        assert plan.fails
        assert outcome.error.message == str(number)
        assert plan.unary or outcome.heard == whole
    else:
        assert isinstance(outcome.error, Unavailable)
        assert lossy


@hypothesis.settings(max_examples=100, deadline=None)
@hypothesis.given(st.lists(plans, min_size=1, max_size=12), accidents, st.integers(0, 2**32), st.sampled_from([0, 1]))
def test_every_call_ends_once_with_its_bytes_in_order(
    made: list[Plan], befalls: list[tuple[str, int]], seed: int, hold_ms: float
) -> None:
    """A loss fails only with Unavailable; a drain fails nothing; nothing is heard twice, torn or out of order."""
    world = World(made, random.Random(seed))

    outcomes = asyncio.run(run(world, befalls, hold_ms=hold_ms))

    lossy = any(accident == "lose" for accident, _ in befalls)
    for number, outcome in enumerate(outcomes):
        check(world, number, outcome, lossy=lossy)
