"""A Redis Cluster that changes under admission, and how a gateway gets in: slots, replicas, rights, connections."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any, cast

import pytest
from msgspec import structs
from pydantic import SecretStr, ValidationError
from redis.asyncio import Redis
from redis.crc import key_slot
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from servicekit.redis import open_redis, published
from servicekit.rediscluster.client import ClusterClient
from servicekit.settings import RedisSettings
from services.gateway.admission.admission import open_admission
from services.gateway.admission.dimensions import Limits
from services.gateway.admission.keys import details_key
from services.gateway.admission.options import AdmissionOptions
from services.gateway.metering.chores.leader_election import LeaderElection
from services.gateway.tests.admission.cluster_kit import (
    BOTH,
    OWN,
    OWN_KEY,
    SHARED_KEY,
    Room,
    opened,
    settings_of,
)
from services.gateway.tests.admission.held_redis import by_redis
from services.gateway.tests.admission_kit import PATIENT, USER, Ledger, request
from tools.servers.ports import LOOPBACK
from tools.servers.redis import USERS
from tools.servers.redis_cluster import RedisCluster
from tools.servers.redis_node import Node
from tools.testing.redis_clients import PATIENT_MS

pytestmark = pytest.mark.xdist_group("redis-cluster")


async def test_a_slot_on_its_way_is_waited_for(redis_cluster: RedisCluster, room: Room) -> None:
    """Nothing is counted on the server that it goes to before everything is there."""
    limits = Limits(requests_per_day=3)
    first = await room.admission.admit(request(budgets=(OWN,), user=limits))
    source = redis_cluster.owner_of_key(OWN_KEY)
    target = next(node for node in redis_cluster.alive[:3] if node is not source)
    slot = key_slot(OWN_KEY.encode())
    target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", source.id)
    source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", target.id)
    state = f"gw:{{{USER}}}:s:user"
    source.ask("MIGRATE", LOOPBACK, target.port, state, 0, 5_000)

    asking = asyncio.create_task(room.admission.admit(request(budgets=(OWN,), user=limits)))
    settling = asyncio.create_task(room.admission.settle(first.ticket, 1, 250))
    refused = tries(source)
    while tries(source) < refused + 6:
        await asyncio.sleep(0.01)
    assert (asking.done(), settling.done()) == (False, False)
    for key in source.ask("CLUSTER", "GETKEYSINSLOT", slot, 100):
        source.ask("MIGRATE", LOOPBACK, target.port, key, 0, 5_000)
    for node in (target, source):
        node.ask("CLUSTER", "SETSLOT", slot, "NODE", target.id)
    second = await asking
    await settling

    assert redis_cluster.owner_of_key(OWN_KEY) is target
    assert not second.degraded
    assert await room.counter(OWN_KEY) == (250, 1_000)
    assert await room.client.hget(state, "rpd") == b"2"
    await room.admission.cancel(second.ticket)


async def test_admission_goes_on_at_a_replica_when_a_primary_dies(redis_cluster: RedisCluster) -> None:
    """Those on other servers notice nothing; the others' limits are shares until the replica has taken over."""
    first = redis_cluster.nodes[0]
    there, elsewhere = (
        next(
            user
            for user in map(str, range(100))
            if (redis_cluster.owner_of_key(details_key(user)) is first) is is_there
        )
        for is_there in (True, False)
    )
    quick = AdmissionOptions(timeout_s=1.0, replicas=1, breaker_open_s=0.2)
    async with opened(redis_cluster, quick) as room, open_redis(settings_of(redis_cluster)) as other:
        for user in (there, elsewhere):
            await room.admission.admit(of_user(user))
        written = replication_of(first)["master_repl_offset"]
        async with asyncio.timeout(60):
            while replication_of(first)["slave0"]["offset"] < written:
                await asyncio.sleep(0.05)

        await asyncio.to_thread(first.kill)
        assert not (await room.admission.admit(of_user(elsewhere))).degraded
        assert (await room.admission.admit(of_user(there))).degraded
        async with asyncio.timeout(60):
            while (await room.admission.admit(of_user(there))).degraded:
                await asyncio.sleep(0.05)

        assert await other.hlen(details_key(there)) >= 2
        assert redis_cluster.owner_of_key(details_key(there)) is redis_cluster.nodes[3]


def replication_of(node: Node) -> dict[str, Any]:
    """Return how far a server has written, and how far its replica has read."""
    told: dict[str, Any] = node.client.info("replication")
    return told


def tries(node: Node) -> int:
    """Return how many scripts a server was asked for."""
    return int(cast(Any, node.client.info("commandstats"))["cmdstat_evalsha"]["calls"])


def of_user(user: str) -> Any:
    """Return a request of somebody whose keys are on a certain server."""
    return structs.replace(request(), user_id=user)


async def test_the_gateways_user_of_redis_may_do_all_of_it(redis_cluster: RedisCluster) -> None:
    """The list of what services may do is for one server and for a cluster."""
    (line,) = (each for each in USERS.read_text().splitlines() if each.startswith("user gateway "))
    rules = line.format(gateway=">secret").split()[2:]
    for node in redis_cluster.alive:
        node.ask("ACL", "SETUSER", "gateway", *rules)
    url = SecretStr("redis://gateway:secret@x/0")
    settings = RedisSettings(url=url, cluster=redis_cluster.addresses, timeout_ms=PATIENT_MS)

    async with (
        open_redis(settings) as client,
        open_admission(client, Ledger().spend_of, boot_id="boot", options=PATIENT) as admission,
    ):
        admitted = await by_redis(admission, budgets=BOTH)
        await admission.settle(admitted.ticket, 1, 10)
        async with aclosing(published(client, "razvilka:auth:revoked", poll_s=5.0)) as messages:
            assert await anext(messages) is None
        async with LeaderElection(client).elected("chore", timeout_s=5.0) as chosen:
            assert chosen
        assert await client.hmget(SHARED_KEY, ["u", "h"]) == [b"10", b"0"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"cluster": "a:1,b"}, "b is no host:port"),
        ({"cluster": "a:1", "sentinels": "b:2"}, "set either sentinels or cluster"),
        ({"cluster": "a:1", "url": "redis://a:1/3"}, "end it in /0"),
    ],
)
def test_settings_that_name_no_cluster_say_what_is_wrong(given: dict[str, str], said: str) -> None:
    """At the start, with the remedy."""
    with pytest.raises(ValidationError, match=said):
        RedisSettings.model_validate({"url": "redis://a:1/0"} | given)


async def test_commands_wait_for_a_connection_when_all_are_taken(redis_cluster: RedisCluster) -> None:
    """As with one server: a burst is late, not refused. Pipelines too, while a listener has a connection as well."""
    few = settings_of(redis_cluster).model_copy(update={"pool_max": 2})
    async with open_redis(few) as client, aclosing(published(client, "news", poll_s=1.0)) as heard:
        assert await anext(heard) is None

        async def piped() -> list[Any]:
            pipeline = client.pipeline(transaction=False)
            pipeline.incr("n")
            pipeline.incr("n")
            return await pipeline.execute()

        await asyncio.gather(*[client.incr("n") for _ in range(20)], *[piped() for _ in range(20)])

        assert await client.get("n") == b"60"


async def test_who_waits_too_long_for_a_connection_is_told_so(redis_cluster: RedisCluster) -> None:
    """No longer than for an answer; and nothing is lost by it: whoever comes later is served."""
    impatient = settings_of(redis_cluster).model_copy(update={"pool_max": 1, "timeout_ms": 200})
    async with open_redis(impatient) as client:
        # As another caller: it does not know of the connection that is held here.
        waiting = asyncio.ensure_future(client.incr("n"))
        async with cast(ClusterClient, client).room(more_s=60.0):
            with pytest.raises(RedisConnectionError):
                await waiting
        server = redis_cluster.owner_of_key("n")
        server.ask("CLIENT PAUSE 60000 WRITE")
        with pytest.raises((RedisError, TimeoutError)):
            await client.incr("n")
        server.ask("CLIENT UNPAUSE")

        async with asyncio.timeout(60):
            while not await is_served(client):
                pass


async def is_served(client: Redis) -> bool:
    """Tell whether a command is answered within the little time that it has."""
    try:
        return bool(await client.set("n", 1))
    except (RedisError, TimeoutError):
        return False
