"""A primary of Redis, its replicas and a sentinel that watches them, on loopback ports."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import redis

from tools.private_file import write_private
from tools.servers import binaries
from tools.servers.ports import LOOPBACK, free_port
from tools.servers.redis import wait_until_ready
from tools.servers.redis_node import Access, Node, wait_for

NAME: Final = "books"
WATCHING: Final = """\
port {port}
bind 127.0.0.1
dir {folder}
sentinel monitor {name} 127.0.0.1 {primary} 1
sentinel down-after-milliseconds {name} 300
sentinel failover-timeout {name} 2000
"""
LOGGING_IN: Final = "sentinel auth-user {name} {user}\nsentinel auth-pass {name} {password}\n"


class Watched:
    """The servers, of which the first was the primary at the beginning, and the sentinel.

    Args:
        folder: where they live.
        opened: ends them.
        replicas: how many follow the primary.
        access: their users; None: everybody may do everything.
        durable: what they hold outlives their processes.
    """

    def __init__(
        self, folder: Path, opened: ExitStack, *, replicas: int = 1, access: Access | None = None, durable: bool = False
    ) -> None:
        self.nodes: list[Node] = []
        for _ in range(1 + replicas):
            follows = ("--replicaof", f"{LOOPBACK} {self.nodes[0].port}") if self.nodes else ()
            self.nodes.append(Node(folder, *follows, access=access, durable=durable))
            opened.callback(self.nodes[-1].kill)
            self.nodes[-1].ready()
        self.sentinel = free_port()
        file = folder / "sentinel.conf"
        write_private(file, self._configuration(folder, access))
        with (folder / "sentinel.log").open("ab") as log:
            command = [str(binaries.redis_binary()), str(file), "--sentinel"]
            process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        opened.callback(process.wait)
        opened.callback(process.kill)
        wait_until_ready(f"redis://{LOOPBACK}:{self.sentinel}/0")

    @property
    def primaries(self) -> list[Node]:
        """Return the server that takes writes now; none while it is being replaced."""
        return [node for node in self.nodes if node.is_alive and node.is_primary]

    def wait(self) -> None:
        """Return when one server takes writes, all others that run follow it, and the sentinel knows all of that.

        Raises:
            ServerError: they do not agree.
        """
        wait_for(self._is_whole, "the sentinel and the servers of Redis do not agree")

    def _is_whole(self) -> bool:
        alive = [node for node in self.nodes if node.is_alive]
        links = [node.client.info("replication").get("master_link_status") for node in alive if not node.is_primary]
        with redis.Redis(LOOPBACK, self.sentinel, socket_timeout=5) as sentinel:
            known: Any = sentinel.execute_command("SENTINEL", "REPLICAS", NAME)
            _, port = sentinel.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME)
        followed = [node.port for node in alive if node.is_primary] == [int(port)]
        return followed and len(known) >= len(links) and all(link == "up" for link in links)

    def _configuration(self, folder: Path, access: Access | None) -> str:
        watching = WATCHING.format(port=self.sentinel, folder=folder, primary=self.nodes[0].port, name=NAME)
        if access is None:
            return watching
        return watching + LOGGING_IN.format(name=NAME, user=access.user, password=access.password)


@contextmanager
def running_watched(folder: Path, **more: Any) -> Iterator[Watched]:
    """Run a primary, replicas and a sentinel for the block; `more` is what `Watched` takes.

    Raises:
        ServerError: one does not start, or they do not agree.
    """
    with ExitStack() as opened:
        watched = Watched(folder, opened, **more)
        watched.wait()
        yield watched
