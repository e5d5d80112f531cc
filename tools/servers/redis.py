"""An own Redis (or Valkey): say how to start it, wait until it answers."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import redis

from tools.servers import binaries
from tools.servers.errors import ServerError
from tools.servers.ports import LOOPBACK


@dataclass(frozen=True, slots=True)
class RedisServer:
    """A server that lives in one folder and listens on one loopback port."""

    binary: Path
    data_dir: Path
    port: int

    @property
    def url(self) -> str:
        """Return the address of database 0."""
        return f"redis://{LOOPBACK}:{self.port}/0"

    def command(self, *, durable: bool) -> list[str]:
        """Return the command line that runs the server in the foreground."""
        # Limits and holds must survive a restart; one second of them may be lost, the journal and PostgreSQL have it.
        persistence = ["--appendonly", "yes", "--appendfsync", "everysec"] if durable else ["--appendonly", "no"]
        network = ["--bind", LOOPBACK, "--port", str(self.port)]
        return [str(self.binary), *network, "--dir", str(self.data_dir), "--save", "", *persistence]


def prepare(data_dir: Path, port: int) -> RedisServer:
    """Return a server description for this machine; its folder is made, nothing is started.

    Raises:
        ServerError: no suitable Redis.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    return RedisServer(binaries.redis_binary(), data_dir, port)


def wait_until_ready(url: str, *, deadline_s: float = 30.0, process_ended: Callable[[], bool] = lambda: False) -> None:
    """Return when the server answers PING and has loaded its data.

    Raises:
        ServerError: it did not within the deadline, or its process ended.
    """
    give_up_at = time.monotonic() + deadline_s
    with redis.Redis.from_url(url, socket_timeout=2) as client:
        while True:
            try:
                client.ping()
            except (redis.ConnectionError, redis.TimeoutError) as exc:
                if process_ended() or time.monotonic() > give_up_at:
                    raise ServerError(f"Redis does not answer: {exc}") from exc
                time.sleep(0.02)
            else:
                return
