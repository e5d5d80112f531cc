"""What happens to a Redis of several servers: one is killed, slots move, each is restarted."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from redis.crc import key_slot

from tools.servers.errors import ServerError
from tools.servers.redis_cluster import RedisCluster
from tools.servers.redis_node import Node
from tools.servers.redis_sentinel import Watched

REPLACED_S: Final = 60.0
# Besides those with keys: an empty slot moves at once, and whoever asks for it finds that out, too.
EMPTY_SLOTS: Final = 200


@dataclass(frozen=True, slots=True)
class Change:
    """Something that is done to the servers under load; `happen` returns when it is over, and says what it was."""

    name: str
    happen: Callable[[], str]


def changes_of(servers: RedisCluster | Watched) -> list[Change]:
    """Return what a kind of servers is put through, in this order."""
    moving = [Change("slots move", lambda: _move(servers))] if isinstance(servers, RedisCluster) else []
    return [
        Change("a primary is killed", lambda: _kill(servers)),
        *moving,
        Change("all are restarted", lambda: _restart_each(servers)),
    ]


def _kill(servers: RedisCluster | Watched) -> str:
    victim = servers.primaries[0]
    before = {node.port for node in servers.primaries}
    began = time.monotonic()
    victim.kill()
    replaced_s = _until_replaced(servers, before, began)
    victim.start()
    victim.ready()
    servers.wait()
    return f"a replica took over after {replaced_s:.1f} s, the killed one came back as a replica"


def _until_replaced(servers: RedisCluster | Watched, before: set[int], began: float) -> float:
    while time.monotonic() < began + REPLACED_S:
        if {node.port for node in servers.primaries} - before:
            return time.monotonic() - began
        time.sleep(0.02)
    raise ServerError("no replica took over")


def _move(servers: RedisCluster) -> str:
    source, target = servers.primaries[:2]
    used = sorted({key_slot(key) for key in source.client.scan_iter(count=1_000)})
    empty = [slot for slot in range(16_384) if slot not in used and servers.owner_of(slot) is source][:EMPTY_SLOTS]
    began = time.monotonic()
    servers.move([*used, *empty], target)
    there_s = time.monotonic() - began
    servers.move(used, source)
    return f"{len(used)} slots with keys and {len(empty)} without went over in {there_s:.1f} s, the former came back"


def _restart_each(servers: RedisCluster | Watched) -> str:
    took = [_restart(servers, node) for node in servers.nodes]
    return f"{len(took)} servers, one after another, the slowest in {max(took):.1f} s"


def _restart(servers: RedisCluster | Watched, node: Node) -> float:
    began = time.monotonic()
    node.stop()
    node.start()
    node.ready()
    servers.wait()
    return time.monotonic() - began
