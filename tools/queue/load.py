"""Callers of several users who ask several routers, all at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from razvilka.router.v1 import router_pb2 as pb
from razvilka.router.v1 import router_pb2_grpc

from servicekit import rpc_client
from servicekit.call import CallContext
from servicekit.errors import ServiceError
from servicekit.multiplex import MultiplexClient, MultiplexClientSettings, open_client
from servicekit.tracing import begin_trace
from services.gateway.clients.router.frames import RouterCallCodec
from tools.queue.figures import Asked

_CALL: Final = CallContext("", begin_trace(None))


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is asked.

    Attributes:
        callers: of each user: how many ask at once.
        model: empty: texts are embedded, one by each caller.
        latency_ms: that the emulator takes for an answer.
        period_s: of a quota that is a rate.
        deadline_s: that each caller waits.
        tier: of all users.
    """

    name: str
    callers: Sequence[int]
    model: str
    latency_ms: int = 0
    period_s: float = 0.0
    deadline_s: float = 120.0
    tier: str = "free"


@asynccontextmanager
async def opened(ports: Sequence[int]) -> AsyncIterator[list[MultiplexClient]]:
    """Yield a client of each router."""
    async with AsyncExitStack() as stack:
        clients = []
        for port in ports:
            channel = await stack.enter_async_context(rpc_client.open_channel(f"127.0.0.1:{port}"))
            stub: Any = router_pb2_grpc.RouterServiceStub(channel)
            clients.append(
                await stack.enter_async_context(
                    open_client([stub.Converse], RouterCallCodec(), MultiplexClientSettings())
                )
            )
        yield clients


async def run(routers: Sequence[MultiplexClient], scenario: Scenario) -> list[Asked]:
    """Return what became of every call; callers are spread over the routers, and users over them too."""
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(_ask(routers[(number + user) % len(routers)], scenario, f"user-{user:02}", number))
            for user, count in enumerate(scenario.callers)
            for number in range(count)
        ]
    return [task.result() for task in tasks]


async def _ask(router: MultiplexClient, scenario: Scenario, user: str, number: int) -> Asked:
    asked_at = time.monotonic()
    try:
        route, end = await _answered(router, scenario, user, number)
    except ServiceError as exc:
        return Asked(user, asked_at, time.monotonic(), refused=exc.reason.value)
    held_s = sum(attempt.latency_ms for attempt in end.attempts) / 1000
    return Asked(user, asked_at, time.monotonic(), route.queued_ms / 1000, held_s)


async def _answered(router: MultiplexClient, scenario: Scenario, user: str, number: int) -> tuple[pb.Route, pb.End]:
    deadline_s = scenario.deadline_s
    if not scenario.model:
        texts = pb.EmbedRequest(model="text-search-doc", input=[f"{user} {number}"], tenant=user, tier=scenario.tier)
        made = await router.unary("Embed", texts, deadline_s=deadline_s, context=_CALL)
        return made.route, made.end
    prompt = _prompt(scenario, user)
    if number % 2:
        whole = await router.unary("Complete", prompt, deadline_s=deadline_s, context=_CALL)
        return whole.route, whole.end
    parts = [
        part
        async for arrived in router.stream("Stream", prompt, deadline_s=deadline_s, context=_CALL)
        for part in arrived
    ]
    return parts[0].route, parts[-1].end


def _prompt(scenario: Scenario, user: str) -> pb.Prompt:
    text = f"[[text:раз два три]] [[latency:{scenario.latency_ms}]]"
    message = pb.Message(role=pb.ROLE_USER, content=text)
    return pb.Prompt(model=scenario.model, messages=[message], tenant=user, tier=scenario.tier)
