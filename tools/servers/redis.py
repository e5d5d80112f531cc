"""An own Redis (or Valkey): say how to start it, wait until it answers."""

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import redis

from tools.servers import binaries
from tools.servers.errors import ServerError
from tools.servers.ports import LOOPBACK

# What each user may do; `{name}` is where its password goes.
USERS: Final = Path(__file__).parents[2] / "deploy" / "redis" / "users.acl"


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

    def command(self, *, durable: bool, users: Path | None = None) -> list[str]:
        """Return the command line that runs the server in the foreground, with a file of users when there is one."""
        # Limits and holds must survive a restart; one second of them may be lost, the journal and PostgreSQL have it.
        persistence = ["--appendonly", "yes", "--appendfsync", "everysec"] if durable else ["--appendonly", "no"]
        network = ["--bind", LOOPBACK, "--port", str(self.port)]
        access = ["--aclfile", str(users)] if users else []
        return [str(self.binary), *network, *access, "--dir", str(self.data_dir), "--save", "", *persistence]


def users_text(passwords: Mapping[str, str]) -> str:
    """Return the file of users for Redis, with the digests of their passwords."""
    digests = {user: f"#{hashlib.sha256(password.encode()).hexdigest()}" for user, password in passwords.items()}
    return USERS.read_text().format(**digests)


def load_users(url: str) -> None:
    """Make a running server read its file of users again."""
    with redis.Redis.from_url(url, socket_timeout=5) as client:
        client.acl_load()


def prepare(data_dir: Path, port: int) -> RedisServer:
    """Return a server description for this machine; its folder is made, nothing is started.

    Raises:
        ServerError: no suitable Redis.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    return RedisServer(binaries.redis_binary(), data_dir, port)


def wait_until_ready(url: str, *, deadline_s: float = 60.0, process_ended: Callable[[], bool] = lambda: False) -> None:
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
