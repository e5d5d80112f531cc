"""Commands, scripts and pipelines of services while a Redis Cluster changes under them: `make test-cluster`."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis
from redis.crc import key_slot

from servicekit.redis import LOST, open_redis
from servicekit.settings import RedisSettings
from tools.servers.redis_cluster import RedisCluster
from tools.servers.redis_node import Node
from tools.testing.redis_clients import CLUSTER_VARIABLE

COUNT: Final = "return redis.call('INCR', KEYS[1])"
# With the time to start a cluster it is too long for the whole suite.
pytestmark = pytest.mark.skipif(CLUSTER_VARIABLE not in os.environ, reason="make test-cluster")
Way = Callable[[Redis, str], Awaitable[Any]]


async def by_command(client: Redis, key: str) -> Any:
    """Count with a command."""
    return await client.incr(key)


async def by_script(client: Redis, key: str) -> Any:
    """Count with a script."""
    return await client.register_script(COUNT)(keys=[key])


async def by_pipeline(client: Redis, key: str) -> Any:
    """Count with a pipeline, the second of its commands is of another slot."""
    pipeline = client.pipeline(transaction=False)
    pipeline.incr(key)
    pipeline.get(f"other-{key}")
    return (await pipeline.execute())[0]


WAYS: Final = (by_command, by_script, by_pipeline)
every_way = pytest.mark.parametrize("count", WAYS, ids=lambda way: way.__name__)


@asynccontextmanager
async def opened(cluster: RedisCluster, timeout_ms: int = 2_000) -> AsyncIterator[Redis]:
    """Open a client as a service does."""
    settings = RedisSettings(url=SecretStr("redis://x/0"), cluster=cluster.addresses, timeout_ms=timeout_ms)
    async with open_redis(settings) as client:
        yield client


def another(cluster: RedisCluster, key: str) -> Node:
    """Return a primary that does not have the key."""
    return next(node for node in cluster.primaries if node is not cluster.owner_of_key(key))


@every_way
async def test_a_slot_that_has_moved_is_found(redis_cluster: RedisCluster, count: Way) -> None:
    """By whoever asked before, at the first request after it."""
    async with opened(redis_cluster) as client:
        assert await count(client, "k") == 1
        await asyncio.to_thread(redis_cluster.move, [key_slot(b"k")], another(redis_cluster, "k"))

        assert await count(client, "k") == 2


@every_way
async def test_many_at_once_find_what_is_on_its_way(redis_cluster: RedisCluster, count: Way) -> None:
    """The key has not been made yet, so it is made where the slot goes: by each of twenty callers side by side."""
    source, target = redis_cluster.owner_of_key("k"), another(redis_cluster, "k")
    async with opened(redis_cluster) as client:
        await asyncio.gather(*[count(client, "warm{k}") for _ in range(20)])
        target.ask("CLUSTER", "SETSLOT", key_slot(b"k"), "IMPORTING", source.id)
        source.ask("CLUSTER", "SETSLOT", key_slot(b"k"), "MIGRATING", target.id)

        counted = await asyncio.gather(*[count(client, "k") for _ in range(20)], return_exceptions=True)

        await asyncio.to_thread(redis_cluster.finish, key_slot(b"k"), source, target)
        assert sorted(map(repr, counted)) == sorted(map(repr, range(1, 21)))
        assert await client.get("k") == b"20"


@every_way
async def test_a_slot_that_nobody_had_is_found_when_somebody_has_it(redis_cluster: RedisCluster, count: Way) -> None:
    """By a client that began while the cluster was being made, without a restart."""
    owner, slot = redis_cluster.owner_of_key("k"), key_slot(b"k")
    for node in redis_cluster.primaries:
        node.ask("CLUSTER", "DELSLOTS", slot)
    async with opened(redis_cluster, timeout_ms=300) as client:
        with pytest.raises(LOST):
            await count(client, "k")
        owner.ask("CLUSTER", "ADDSLOTS", slot)
        await asyncio.to_thread(redis_cluster.wait)

        await count(client, "k")


@every_way
async def test_a_moving_cluster_breaks_nobody(redis_cluster: RedisCluster, count: Way) -> None:
    """Slots go to and fro under callers of many keys; each count is made once."""
    keys, over = [f"k{number}" for number in range(40)], asyncio.Event()
    first, second, _ = redis_cluster.primaries
    counted = dict.fromkeys(keys, 0)

    async def ask(client: Redis, key: str) -> None:
        while not over.is_set():
            await count(client, key)
            counted[key] += 1

    async with opened(redis_cluster) as client, asyncio.TaskGroup() as tasks:
        for key in keys:
            tasks.create_task(ask(client, key))
        slots = [key_slot(key.encode()) for key in keys]
        for target in (first, second):
            await asyncio.to_thread(redis_cluster.move, slots, target)
        over.set()
    async with opened(redis_cluster) as client:
        assert {key: int(await client.get(key) or 0) for key in keys} == counted


@every_way
async def test_others_are_served_while_a_server_is_dead(redis_cluster: RedisCluster, count: Way) -> None:
    """Also by a client that begins now, and knows of no script and no slot."""
    for dead in redis_cluster.primaries:
        key = next(key for key in map(str, range(100)) if redis_cluster.owner_of_key(key) is not dead)
        with hanging([dead]):
            async with opened(redis_cluster, timeout_ms=200) as client:
                # Whom it asks first for the slots, and then for the commands, is chance.
                for _ in range(10):
                    with contextlib.suppress(*LOST):
                        await count(client, key)
        async with opened(redis_cluster) as client:
            assert int(await client.get(key) or 0) >= 1


@every_way
async def test_a_cluster_that_hangs_is_waited_for_as_one_server_is(redis_cluster: RedisCluster, count: Way) -> None:
    """Twice its timeout, whether it has four servers or forty; afterwards all is as before."""
    async with opened(redis_cluster, timeout_ms=700) as client:
        await count(client, "k")
        with hanging(redis_cluster.alive):
            began = time.monotonic()
            with pytest.raises(LOST):
                await count(client, "k")
            waited = time.monotonic() - began
        # Each of the servers asked in turn would be five times that and more.
        assert waited < 4 * 0.7
        assert await count(client, "k") >= 2


class hanging:
    """Servers that do not answer, and do not refuse either, for the block."""

    def __init__(self, nodes: list[Node]) -> None:
        self._pids = [node.process.pid for node in nodes]

    def __enter__(self) -> None:
        for pid in self._pids:
            os.kill(pid, signal.SIGSTOP)

    def __exit__(self, *_exc: object) -> None:
        for pid in self._pids:
            os.kill(pid, signal.SIGCONT)
