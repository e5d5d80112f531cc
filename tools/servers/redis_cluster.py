"""A Redis Cluster of our own: three primaries, with a replica for as many as are asked for, on loopback ports."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from redis.crc import key_slot

from tools.servers.ports import LOOPBACK, free_port
from tools.servers.redis_node import Access, Node, wait_for

PRIMARIES: Final = 3
SLOTS: Final = 16_384
# A primary that is silent for so long is replaced.
NODE_TIMEOUT_MS: Final = 1_000
# Keys that go to another server in one step, and how long that may take.
KEYS_AT_ONCE: Final = 10
MIGRATE_MS: Final = 5_000


class RedisCluster:
    """The running servers; `nodes` has the primaries first, then a replica of the first of them, of the second ...

    Args:
        nodes: the servers.
        access: their users, where they have some.
    """

    def __init__(self, nodes: list[Node], access: Access | None) -> None:
        self.nodes = nodes
        self._login = ("AUTH2", access.user, access.password) if access else ()

    @property
    def addresses(self) -> str:
        """Return what a setting says: host and port of each."""
        return ",".join(f"{LOOPBACK}:{node.port}" for node in self.nodes)

    @property
    def alive(self) -> list[Node]:
        """Return those that were not killed."""
        return [node for node in self.nodes if node.is_alive]

    @property
    def primaries(self) -> list[Node]:
        """Return those that have slots now."""
        return [node for node in self.alive if node.is_primary]

    def owner_of(self, slot: int) -> Node:
        """Return the primary that has a slot."""
        served = self.alive[0].ask("CLUSTER SLOTS")
        port = next(port for first, last, (_, port, *_), *_ in served if first <= slot <= last)
        return next(node for node in self.nodes if node.port == port)

    def owner_of_key(self, key: str) -> Node:
        """Return the primary that has a key."""
        return self.owner_of(key_slot(key.encode()))

    def flush(self) -> None:
        """Empty it."""
        for node in self.primaries:
            node.client.flushall()

    def move(self, slots: Sequence[int], target: Node) -> None:
        """Move slots to another primary while they are in use, key by key, as `redis-cli --cluster reshard` does."""
        for slot in slots:
            source = self.owner_of(slot)
            if source is not target:
                self._move(slot, source, target)

    def _move(self, slot: int, source: Node, target: Node) -> None:
        target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", source.id)
        source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", target.id)
        self.finish(slot, source, target)

    def finish(self, slot: int, source: Node, target: Node) -> None:
        """Take along what is left of a slot that is on its way, and say to all that it has arrived."""
        while keys := source.ask("CLUSTER", "GETKEYSINSLOT", slot, KEYS_AT_ONCE):
            source.ask("MIGRATE", LOOPBACK, target.port, "", 0, MIGRATE_MS, *self._login, "KEYS", *keys)
        others = [node for node in self.primaries if node not in (source, target)]
        for node in (target, source, *others):
            node.ask("CLUSTER", "SETSLOT", slot, "NODE", target.id)

    def wait(self) -> None:
        """Return when all of them know of each other and every slot is served.

        Raises:
            ServerError: they do not agree.
        """
        wait_for(lambda: all(self._is_content(node) for node in self.alive), "Redis Cluster: the servers do not agree")

    def wait_for_replicas(self) -> None:
        """Return when every replica that runs has what its primary has.

        Raises:
            ServerError: one does not follow.
        """
        wait_for(lambda: all(map(_is_in_step, self.alive)), "Redis Cluster: a replica does not follow its primary")

    def _is_content(self, node: Node) -> bool:
        told = node.ask("CLUSTER INFO")
        return bool(told["cluster_state"] == "ok" and int(told["cluster_known_nodes"]) == len(self.nodes))


@contextmanager
def running_cluster(
    folder: Path, *, replicas: int = 1, access: Access | None = None, durable: bool = False
) -> Iterator[RedisCluster]:
    """Run the cluster for the block, with a replica for the first so many of its primaries.

    Raises:
        ServerError: a server does not start, or they do not agree.
    """
    with ExitStack() as opened:
        nodes: list[Node] = []
        for _ in range(PRIMARIES + replicas):
            nodes.append(Node(folder, *_of_cluster(), access=access, durable=durable))
            opened.callback(nodes[-1].kill)
        for node in nodes:
            node.ready()
        cluster = RedisCluster(nodes, access)
        _share_slots(nodes[:PRIMARIES])
        for node in nodes[1:]:
            bus = str(node.client.config_get("cluster-port")["cluster-port"])
            nodes[0].ask("CLUSTER", "MEET", LOOPBACK, node.port, bus)
        cluster.wait()
        for replica, primary in zip(nodes[PRIMARIES:], nodes, strict=False):
            replica.ask("CLUSTER", "REPLICATE", primary.id)
        cluster.wait_for_replicas()
        yield cluster


def _of_cluster() -> tuple[str, ...]:
    bus, timeout = ("--cluster-port", str(free_port())), ("--cluster-node-timeout", str(NODE_TIMEOUT_MS))
    return ("--cluster-enabled", "yes", *bus, *timeout)


def _share_slots(primaries: list[Node]) -> None:
    size = -(-SLOTS // len(primaries))
    for number, node in enumerate(primaries):
        node.ask("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        node.ask("CLUSTER", "ADDSLOTSRANGE", number * size, min(SLOTS, (number + 1) * size) - 1)


def _is_in_step(node: Node) -> bool:
    told = node.client.info("replication")
    return bool(told["role"] == "master" or told.get("master_link_status") == "up")
