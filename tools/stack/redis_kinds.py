"""A suite's Redis of another kind than the one server that it starts by itself: a cluster, or a primary under Sentinel.

The servers live beside the suite, with the users of its own one; services find them by their settings.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import urlsplit

from redis import Redis
from redis.cluster import ClusterNode
from redis.cluster import RedisCluster as ClusterClient
from redis.sentinel import Sentinel

from servicekit.settings import RedisSettings
from tools.private_file import write_private
from tools.servers import redis
from tools.servers.ports import LOOPBACK
from tools.servers.redis_cluster import PRIMARIES, RedisCluster, running_cluster
from tools.servers.redis_node import Access
from tools.servers.redis_sentinel import NAME, Watched, running_watched
from tools.stack.errors import StackError
from tools.stack.home import Home
from tools.stack.remembered import REDIS_USERS, redis_secret, remembered_secrets
from tools.stack.up import Stack

USING_REDIS: Final = ("GATEWAY", "AUTH", "ROUTER")
REPLICAS_WATCHED: Final = 2


class RedisKind(StrEnum):
    """Kinds of several servers."""

    CLUSTER = "cluster"
    SENTINEL = "sentinel"


@dataclass(frozen=True, slots=True)
class RedisServers:
    """Servers that run, and the settings by which services find them."""

    servers: RedisCluster | Watched
    environment: Mapping[str, str]

    @property
    def pids(self) -> list[int]:
        """Return the processes of all."""
        return [node.process.pid for node in self.servers.nodes]

    def begin_anew(self) -> None:
        """Kill all of them at once and return when they serve again what they had on disk."""
        for node in self.servers.nodes:
            node.kill()
        for node in self.servers.nodes:
            node.start()
        for node in self.servers.nodes:
            node.ready()
        self.servers.wait()


@contextmanager
def running_redis(home: Home, kind: RedisKind) -> Iterator[RedisServers]:
    """Run the servers for the block: of a cluster three primaries with a replica each.

    Raises:
        ServerError: they do not start, or do not agree.
    """
    home.prepare()
    folder = home.root / kind
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    access = _access(home, folder)
    if kind is RedisKind.CLUSTER:
        with running_cluster(folder, replicas=PRIMARIES, access=access, durable=True) as cluster:
            yield RedisServers(cluster, _settings(cluster=cluster.addresses))
        return
    with running_watched(folder, replicas=REPLICAS_WATCHED, access=access, durable=True) as watched:
        yield RedisServers(watched, _settings(sentinels=f"{LOOPBACK}:{watched.sentinel}", primary=NAME))


def _access(home: Home, folder: Path) -> Access:
    secrets = remembered_secrets(home)
    file = folder / "users.acl"
    write_private(file, redis.users_text({user: secrets[redis_secret(user)] for user in REDIS_USERS}))
    return Access(file, "operator", secrets[redis_secret("operator")])


def _settings(**named: str) -> dict[str, str]:
    return {f"{who}_REDIS_{name.upper()}": value for who in USING_REDIS for name, value in named.items()}


def nobody_is_at_the_suites_own(stack: Stack) -> None:
    """Raise `StackError` when something was written on the one server, which the settings of all services pass by."""
    with Redis.from_url(stack.environments.redis_url) as own:
        if keys := own.keys():
            raise StackError(f"somebody wrote on the server that nobody should use: {keys}")


def sync_client(settings: RedisSettings, user: str, password: str) -> Redis:
    """Return a client for a program without a loop, of whichever kind the settings name."""
    login: dict[str, Any] = {"username": user, "password": password, "socket_timeout": settings.timeout_ms / 1000}
    if settings.cluster:
        nodes = [ClusterNode(host, port) for host, port in settings.cluster_addresses()]  # type: ignore[no-untyped-call]
        return cast(Redis, ClusterClient(startup_nodes=nodes, require_full_coverage=False, **login))
    if settings.sentinels:
        sentinel: Any = Sentinel(settings.sentinel_addresses())  # type: ignore[no-untyped-call]
        return cast(Redis, sentinel.master_for(settings.primary, **login))
    where = urlsplit(settings.url.get_secret_value())
    return Redis(host=str(where.hostname), port=int(where.port or 0), **login)
