"""What an answer costs: CPU of both processes and of each, how many there were, in how many parts a stream came."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from bench.load import Connection, Target, closed_loop
from bench.peers.figures import WARM_S, median, window
from bench.peers.running import Gateway

# By the names of the floor's processes and of ours.
EDGES: Final = ("edge", "gateway")
RELAYS: Final = ("relay", "router")


class CountingConnection(Connection):
    """One that counts the parts that answers come in, over all connections."""

    seen: ClassVar[int] = 0

    def on_body(self, body: bytes) -> None:
        """Count it."""
        super().on_body(body)
        CountingConnection.seen += 1


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU in milliseconds an answer: of all processes, of the edge, of the relay, of the stores."""

    cpu: float
    edge: float
    relay: float
    stores: float
    rate: float
    parts: float
    errors: float


@dataclass(frozen=True, slots=True)
class Costs:
    """Of a plain answer and of a stream."""

    plain: Cost
    stream: Cost


async def measure(gateway: Gateway, seconds: float) -> Costs:
    """Measure once, at 64 connections."""
    await closed_loop(gateway.plain, connections=8, seconds=WARM_S)
    plain = await _cost(gateway, gateway.plain, seconds)
    return Costs(plain, await _cost(gateway, gateway.stream, seconds))


def medians(rounds: Sequence[Costs]) -> Costs:
    """Return the median of each figure."""
    return Costs(median([one.plain for one in rounds]), median([one.stream for one in rounds]))


async def _cost(gateway: Gateway, target: Target, seconds: float) -> Cost:
    seen = CountingConnection.seen
    found = await window(gateway, target, seconds, CountingConnection)
    done = max(1, found.result.done)
    return Cost(
        cpu=sum(found.services.values()),
        edge=_of(found.services, EDGES),
        relay=_of(found.services, RELAYS),
        stores=sum(found.stores.values()),
        rate=found.result.done / found.result.seconds,
        parts=(CountingConnection.seen - seen) / done,
        errors=found.result.errors,
    )


def _of(services: Mapping[str, float], names: Sequence[str]) -> float:
    return sum(services.get(name, 0.0) for name in names)
