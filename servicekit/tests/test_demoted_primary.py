"""A managed Redis keeps its address over a failover: what is a replica now is left, though it keeps its connections."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from pydantic import SecretStr
from redis.asyncio import SSLConnection

from servicekit.redis import open_redis
from servicekit.settings import RedisSettings
from servicekit.testing.relay import Relay
from tools.servers.ports import LOOPBACK
from tools.servers.redis_node import Node
from tools.testing.redis_clients import PATIENT_MS


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[tuple[Node, Node]]:
    """Return two servers that know nothing of each other yet."""
    with ExitStack() as opened:
        first, second = Node(tmp_path), Node(tmp_path)
        for node in (first, second):
            opened.callback(node.kill)
            node.ready()
        yield first, second


async def test_who_met_a_primary_that_is_none_any_more_connects_anew(servers: tuple[Node, Node]) -> None:
    """Else each command on a connection from before is refused until the process is restarted."""
    before, now = servers
    relay = Relay(LOOPBACK, before.port)
    url = SecretStr(f"redis://{LOOPBACK}:{await relay.open()}/0")
    async with open_redis(RedisSettings(url=url, timeout_ms=PATIENT_MS)) as client:
        await client.set("kept", "before")
        relay.lead_to(LOOPBACK, now.port)
        await asyncio.to_thread(before.ask, "REPLICAOF", LOOPBACK, now.port)

        await client.set("kept", "now")
        await client.incr("count")

    relay.shut()
    assert (now.client.get("kept"), now.client.get("count")) == (b"now", b"1")


@pytest.mark.parametrize(("scheme", "is_tls"), [("redis", False), ("rediss", True)])
async def test_the_scheme_says_whether_tls_is_spoken(scheme: str, is_tls: bool) -> None:
    """As it says to redis-py itself."""
    url = SecretStr(f"{scheme}://user:password@localhost:1/3")
    async with open_redis(RedisSettings(url=url)) as client:
        connection = client.connection_pool.make_connection()

    assert isinstance(connection, SSLConnection) is is_tls
    assert (connection.host, connection.port, connection.db) == ("localhost", 1, 3)
    assert (connection.username, connection.password) == ("user", "password")
