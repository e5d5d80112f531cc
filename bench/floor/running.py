"""The floor's processes, started for a run: an edge for each line of the table, and the relay and Redis they share."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from bench.peers.peer import Peer, Place, Program
from bench.peers.running import Absent, Gateway, running_peer, started
from tools.servers import redis
from tools.servers.installed_environments import kept
from tools.servers.ports import LOOPBACK, free_port
from tools.stack.throwaway import UPSTREAM_KEY

ROOT: Final = Path(__file__).parents[2]
EDGE: Final = "edge"
RELAY: Final = "relay"
REDIS: Final = "redis"


@dataclass(frozen=True, slots=True)
class Variant:
    """One line: what an edge uses."""

    name: str
    folder: str
    uses_redis: bool = False
    uses_relay: bool = False
    uses_upstream: bool = False


# Each leaves out one part more than the one before it.
VARIANTS: Final = (
    Variant("Floor: edge, relay, Redis", "all", uses_redis=True, uses_relay=True, uses_upstream=True),
    Variant("… without Redis", "without-redis", uses_relay=True, uses_upstream=True),
    Variant("… nor a relay: the edge calls the upstream", "without-relay", uses_upstream=True),
    Variant("… nor an upstream: the edge makes answers up", "without-upstream"),
)


@dataclass(frozen=True, slots=True)
class _Shared:
    """What the edges have in common."""

    relay: str
    relay_pid: int
    redis: str
    redis_pid: int


@contextmanager
def running_floor(upstream_url: str, folder: Path) -> Iterator[list[Gateway | Absent]]:
    """Start all of it for the block; an edge whose answers are not whole is returned as absent."""
    with ExitStack() as stack:
        shared = stack.enter_context(_running_shared(upstream_url, folder))
        yield [stack.enter_context(_running_edge(variant, shared, upstream_url, folder)) for variant in VARIANTS]


@contextmanager
def _running_shared(upstream_url: str, folder: Path) -> Iterator[_Shared]:
    store = redis.prepare(folder / REDIS, free_port())
    port = free_port()
    relay = _program("relay", "--port", str(port), "--upstream", upstream_url, "--key", UPSTREAM_KEY)
    with (
        started(Program("", store.command(durable=False), kept(), ""), folder / REDIS) as redis_process,
        started(relay, folder / RELAY) as relay_process,
    ):
        redis.wait_until_ready(store.url, process_ended=lambda: redis_process.poll() is not None)
        yield _Shared(f"{LOOPBACK}:{port}", relay_process.pid, store.url, redis_process.pid)


@contextmanager
def _running_edge(variant: Variant, shared: _Shared, upstream_url: str, folder: Path) -> Iterator[Gateway | Absent]:
    def prepare(place: Place) -> Program:
        return _program("edge", "--port", str(place.port), *_parts(variant, shared, upstream_url))

    with running_peer(Peer(EDGE, "", prepare), upstream_url, folder / variant.folder) as found:
        yield _named(found, variant, shared)


def _named(found: Gateway | Absent, variant: Variant, shared: _Shared) -> Gateway | Absent:
    if isinstance(found, Absent):
        return replace(found, name=variant.name)
    pids = found.pids | ({RELAY: shared.relay_pid} if variant.uses_relay else {})
    stores = {REDIS: shared.redis_pid} if variant.uses_redis else {}
    return replace(found, name=variant.name, pids=pids, stores=stores)


def _parts(variant: Variant, shared: _Shared, upstream_url: str) -> list[str]:
    parts = ["--redis", shared.redis] if variant.uses_redis else []
    if variant.uses_relay:
        return [*parts, "--relay", shared.relay]
    return [*parts, "--upstream", upstream_url, "--key", UPSTREAM_KEY] if variant.uses_upstream else parts


def _program(module: str, *arguments: str) -> Program:
    # Started in a folder of its own, as every peer is: Python has to be told where we are.
    command = [sys.executable, "-m", f"bench.floor.{module}", *arguments]
    return Program("", command, kept(PYTHONPATH=str(ROOT)), UPSTREAM_KEY)
