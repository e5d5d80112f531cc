"""A Redis Cluster of our own: three primaries, one of them with a replica, each in a folder on a loopback port."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import redis

from tools.servers.errors import ServerError
from tools.servers.ports import LOOPBACK, free_port
from tools.servers.redis import prepare, wait_until_ready

PRIMARIES: Final = 3
SLOTS: Final = 16_384
AGREE_S: Final = 60.0
# A primary that is silent for so long is replaced.
NODE_TIMEOUT_MS: Final = 1_000


class Node:
    """One server of the cluster."""

    def __init__(self, folder: Path) -> None:
        self.port, self.bus = free_port(), free_port()
        self.server = prepare(folder / str(self.port), self.port)
        more = ("--cluster-enabled", "yes", "--cluster-port", str(self.bus), "--repl-diskless-sync-delay", "0")
        timeout = ("--cluster-node-timeout", str(NODE_TIMEOUT_MS))
        with (folder / f"{self.port}.log").open("wb") as log:
            command = [*self.server.command(durable=False), *more, *timeout]
            self.process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        self.client = redis.Redis(port=self.port, host=LOOPBACK, socket_timeout=5)

    @property
    def id(self) -> str:
        """Return by which name the others know it."""
        return str(self.ask("CLUSTER", "MYID").decode())

    def ask(self, *words: str | int | bytes) -> Any:
        """Return what it answers."""
        return self.client.execute_command(*words)  # type: ignore[no-untyped-call]

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.wait()


class RedisCluster:
    """The running servers; `nodes` has the primaries first, then the replica of the first of them."""

    def __init__(self, nodes: list[Node]) -> None:
        self.nodes = nodes

    @property
    def addresses(self) -> str:
        """Return what a setting says: host and port of each."""
        return ",".join(f"{LOOPBACK}:{node.port}" for node in self.nodes)

    @property
    def alive(self) -> list[Node]:
        """Return those that were not killed."""
        return [node for node in self.nodes if node.process.poll() is None]

    def flush(self) -> None:
        """Empty it."""
        for node in self.alive:
            if node.ask("ROLE")[0] == b"master":
                node.client.flushall()

    def wait(self) -> None:
        """Return when all of them know of each other and every slot is served.

        Raises:
            ServerError: they do not agree.
        """
        give_up_at = time.monotonic() + AGREE_S
        while not all(self._is_content(node) for node in self.alive):
            if time.monotonic() > give_up_at:
                raise ServerError("the servers of the Redis Cluster do not agree")
            time.sleep(0.02)

    def _is_content(self, node: Node) -> bool:
        told = node.ask("CLUSTER INFO")
        return bool(told["cluster_state"] == "ok" and int(told["cluster_known_nodes"]) == len(self.nodes))


@contextmanager
def running_cluster(folder: Path) -> Iterator[RedisCluster]:
    """Run the cluster for the block.

    Raises:
        ServerError: a server does not start, or they do not agree.
    """
    with ExitStack() as opened:
        nodes: list[Node] = []
        for _ in range(PRIMARIES + 1):
            nodes.append(Node(folder))
            opened.callback(nodes[-1].kill)
        for node in nodes:
            wait_until_ready(node.server.url)
        cluster = RedisCluster(nodes)
        _share_slots(nodes[:PRIMARIES])
        for node in nodes[1:]:
            nodes[0].ask("CLUSTER", "MEET", LOOPBACK, node.port, node.bus)
        cluster.wait()
        _follow(nodes[-1], nodes[0])
        yield cluster


def _share_slots(primaries: list[Node]) -> None:
    size = -(-SLOTS // len(primaries))
    for number, node in enumerate(primaries):
        node.ask("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        node.ask("CLUSTER", "ADDSLOTSRANGE", number * size, min(SLOTS, (number + 1) * size) - 1)


def _follow(replica: Node, primary: Node) -> None:
    """Make a server the replica of another, and wait until that has told it everything."""
    give_up_at = time.monotonic() + AGREE_S
    replica.ask("CLUSTER", "REPLICATE", primary.id)
    while replica.client.info("replication").get("master_link_status") != "up":
        if time.monotonic() > give_up_at:
            raise ServerError("the replica does not follow its primary")
        time.sleep(0.02)
