"""One Redis of several that know each other: of a cluster, or a primary with replicas. It may end and begin again."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from tools.private_file import write_private
from tools.servers.errors import ServerError
from tools.servers.ports import LOOPBACK, free_port
from tools.servers.redis import prepare, wait_until_ready

# A replica that joins is told everything at once, not after the five seconds in which others might join.
AT_ONCE: Final = ("--repl-diskless-sync-delay", "0")
END_S: Final = 30.0
AGREE_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Access:
    """The users of the servers, and the one who may do everything: as that one they log in to each other."""

    file: Path
    user: str
    password: str = field(repr=False)


class Node:
    """A server on a loopback port, in a folder of its own.

    Args:
        folder: where that folder is.
        options: of its command line, besides its port and folder.
        access: its users; None: everybody may do everything.
        durable: what it holds outlives its process.
    """

    def __init__(self, folder: Path, *options: str, access: Access | None = None, durable: bool = False) -> None:
        self.port = free_port()
        self.server = prepare(folder / str(self.port), self.port)
        self._log = folder / f"{self.port}.log"
        program, *ours = self.server.command(durable=durable, users=access.file if access else None)
        self._command = [program, *self._own_file(access), *ours, *AT_ONCE, *options]
        self.url = f"redis://{access.user}:{access.password}@{LOOPBACK}:{self.port}/0" if access else self.server.url
        # One that becomes a replica ends its connections, and may do so twice.
        patient = Retry(ConstantBackoff(0.1), 20)
        self.client = redis.Redis.from_url(self.url, socket_timeout=5, retry=patient)
        self.start()

    @property
    def id(self) -> str:
        """Return by which name the others of a cluster know it."""
        return str(self.ask("CLUSTER", "MYID").decode())

    @property
    def is_alive(self) -> bool:
        """Tell whether its process runs."""
        return self.process.poll() is None

    @property
    def is_primary(self) -> bool:
        """Tell whether it takes writes."""
        return bool(self.ask("ROLE")[0] == b"master")

    def ask(self, *words: str | int | bytes) -> Any:
        """Return what it answers."""
        return self.client.execute_command(*words)  # type: ignore[no-untyped-call]

    def start(self) -> None:
        """Run it, with what it held if it is durable."""
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(self._command, stdout=log, stderr=subprocess.STDOUT)

    def ready(self) -> None:
        """Return when it answers.

        Raises:
            ServerError: it does not.
        """
        wait_until_ready(self.url, process_ended=lambda: not self.is_alive)

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """End it in order: a primary gives its replicas what they have not yet."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(END_S)

    def _own_file(self, access: Access | None) -> list[str]:
        if access is None:
            return []
        # A password on the command line is everybody's on this machine.
        file = self.server.data_dir / "login.conf"
        write_private(file, f"masteruser {access.user}\nmasterauth {access.password}\n")
        return [str(file)]


def wait_for(is_so: Callable[[], bool], otherwise: str) -> None:
    """Return when something is so of servers that know each other.

    Raises:
        ServerError: what `otherwise` says: it is not, after a minute.
    """
    give_up_at = time.monotonic() + AGREE_S
    while not is_so():
        if time.monotonic() > give_up_at:
            raise ServerError(otherwise)
        time.sleep(0.02)
