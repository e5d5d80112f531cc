"""Admission on a real Redis Cluster: members of an organization touch two servers, and nothing is looser for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any, Final, cast

import pytest
from pydantic import SecretStr, ValidationError
from redis.crc import key_slot
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from servicekit.errors import ErrorReason
from servicekit.redis import open_redis, published
from servicekit.rediscluster.client import ClusterClient
from servicekit.settings import RedisSettings
from services.gateway.admission.admission import Admission, open_admission
from services.gateway.admission.caps import Budget, CapMode
from services.gateway.admission.dimensions import Dimension, Limits
from services.gateway.admission.keys import budget_key, details_key
from services.gateway.admission.options import AdmissionOptions
from services.gateway.admission.periods import BudgetPeriod
from services.gateway.admission.redis.holds import Holds
from services.gateway.admission.request import AdmissionRefused
from services.gateway.metering.leader_election import LeaderElection
from services.gateway.tests.admission_kit import PATIENT, USER, Ledger, request
from tools.servers.ports import LOOPBACK
from tools.servers.redis import USERS
from tools.servers.redis_cluster import Node, RedisCluster

pytestmark = pytest.mark.xdist_group("redis-cluster")

ORGANIZATION: Final = "organization:org-1"
OWN: Final = Budget(f"user:{USER}", BudgetPeriod.TOTAL, 10_000)
SHARED: Final = Budget(ORGANIZATION, BudgetPeriod.TOTAL, 5_000)
BOTH: Final = (OWN, SHARED)
OWN_KEY: Final = budget_key(USER, OWN.subject, BudgetPeriod.TOTAL, "UTC", 0)
SHARED_KEY: Final = budget_key(ORGANIZATION, ORGANIZATION, BudgetPeriod.TOTAL, "UTC", 0)


def settings_of(cluster: RedisCluster) -> RedisSettings:
    """Return how a gateway finds it; the host in the URL is nobody's."""
    return RedisSettings(url=SecretStr("redis://nowhere.invalid:1/0"), cluster=cluster.addresses, timeout_ms=5_000)


def owner_of(cluster: RedisCluster, key: str) -> Node:
    """Return the primary that has the key."""
    slot = key_slot(key.encode())
    served = cluster.alive[0].ask("CLUSTER SLOTS")
    port = next(port for first, last, (_, port, *_rest), *_replicas in served if first <= slot <= last)
    return next(node for node in cluster.nodes if node.port == port)


class Room:
    """An admission and a client of the same cluster."""

    def __init__(self, client: ClusterClient, admission: Admission, ledger: Ledger) -> None:
        self.client, self.admission, self.ledger = client, admission, ledger
        self.holds = Holds(cast(Any, client))

    async def counter(self, key: str) -> tuple[int, int]:
        """Return what a counter has spent and held."""
        used, held = await self.client.hmget(key, ["u", "h"])
        return int(used or -1), int(held or -1)

    async def held(self) -> dict[str, list[Any]]:
        """Return ids of holds by owner."""
        found: dict[str, list[Any]] = {}
        for owner in (USER, ORGANIZATION):
            found[owner] = [*await self.client.hkeys(details_key(owner))]
        return found


@asynccontextmanager
async def opened(cluster: RedisCluster, options: AdmissionOptions = PATIENT) -> AsyncIterator[Room]:
    ledger = Ledger()
    async with (
        open_redis(settings_of(cluster)) as client,
        open_admission(client, ledger.spend_of, boot_id="boot", options=options) as admission,
    ):
        yield Room(cast(ClusterClient, client), admission, ledger)


@pytest.fixture
async def room(redis_cluster: RedisCluster) -> AsyncIterator[Room]:
    """Return an admission on an empty cluster."""
    async with opened(redis_cluster) as made:
        yield made


NOTHING: Final[dict[str, list[str]]] = {USER: [], ORGANIZATION: []}


async def test_a_member_is_held_and_billed_on_both_servers(redis_cluster: RedisCluster, room: Room) -> None:
    """The user's key and the organization's have no server in common."""
    assert owner_of(redis_cluster, OWN_KEY) is not owner_of(redis_cluster, SHARED_KEY)
    asked = request(budgets=BOTH, hold=3_000)

    admitted = await room.admission.admit(asked)

    assert not admitted.degraded
    assert admitted.budget_left == (7_000, 2_000)
    assert [await room.counter(key) for key in (OWN_KEY, SHARED_KEY)] == [(0, 3_000), (0, 3_000)]
    await room.admission.settle(admitted.ticket, 10, 1_200)
    await room.admission.settle(admitted.ticket, 10, 1_200)
    assert [await room.counter(key) for key in (OWN_KEY, SHARED_KEY)] == [(1_200, 0), (1_200, 0)]
    assert await room.held() == NOTHING


@pytest.mark.parametrize("order", [BOTH, BOTH[::-1]], ids=["own first", "shared first"])
async def test_what_the_organization_refuses_takes_nothing_of_its_member(room: Room, order: tuple[Budget, ...]) -> None:
    """And the member is told how all its limits stand, as by one server."""
    with pytest.raises(AdmissionRefused) as refused:
        await room.admission.admit(request(budgets=order, hold=6_000, user=Limits(requests_per_minute=7)))

    assert refused.value.reason is ErrorReason.BUDGET_EXCEEDED
    assert refused.value.report.reached[0].owner == "organization"
    assert refused.value.budget_left_micro_rub == 5_000
    (figure,) = refused.value.report.figures
    assert (figure.dimension, figure.limit, figure.remaining) == (Dimension.REQUESTS_PER_MINUTE, 7, 7)
    assert await room.held() == NOTHING
    assert [await room.counter(key) for key in (OWN_KEY, SHARED_KEY)] == [(0, 0), (0, 0)]


async def test_what_the_members_own_limit_refuses_is_given_back_to_the_organization(room: Room) -> None:
    """Also when the same request is asked again until it fits."""
    first = await room.admission.admit(request(budgets=BOTH, user=Limits(concurrent_requests=1)))
    again = request(budgets=BOTH, user=Limits(concurrent_requests=1), hold=2_000)
    for _ in range(2):
        with pytest.raises(AdmissionRefused, match="at once"):
            await room.admission.admit(again)
        assert await room.counter(SHARED_KEY) == (0, 1_000)

    await room.admission.settle(first.ticket, 1, 0)
    second = await room.admission.admit(again)

    assert await room.counter(SHARED_KEY) == (0, 2_000)
    await room.admission.settle(second.ticket, 1, 2_000)
    assert await room.counter(SHARED_KEY) == (2_000, 0)


async def test_all_members_of_many_at_once_share_the_budget_exactly(room: Room) -> None:
    """Five of twenty fit, whatever else refuses the others."""
    asked = [request(budgets=BOTH, hold=1_000) for _ in range(20)]

    found = await asyncio.gather(*(room.admission.admit(each) for each in asked), return_exceptions=True)

    admitted = [each for each in found if not isinstance(each, BaseException)]
    assert len(admitted) == 5
    assert await room.counter(SHARED_KEY) == (0, 5_000)
    await asyncio.gather(*(room.admission.settle(each.ticket, 1, 700) for each in admitted))
    assert [await room.counter(key) for key in (OWN_KEY, SHARED_KEY)] == [(3_500, 0), (3_500, 0)]


async def test_who_joins_with_requests_under_way_keeps_every_count(room: Room) -> None:
    """A user's keys stay where they are, and the hold itself says what it holds in: none moves, none begins anew."""
    limits = Limits(requests_per_minute=3, requests_per_day=3)
    before = await room.admission.admit(request(budgets=(OWN,), user=limits))
    joined = await room.admission.admit(request(budgets=BOTH, user=limits))
    left = await room.admission.admit(request(budgets=(OWN,), user=limits))

    with pytest.raises(AdmissionRefused):
        await room.admission.admit(request(budgets=BOTH, user=limits))

    for each in (left, before, joined):
        await room.admission.settle(each.ticket, 1, 100)
    assert [await room.counter(key) for key in (OWN_KEY, SHARED_KEY)] == [(300, 0), (100, 0)]
    assert await room.held() == NOTHING


async def test_a_watching_budget_of_the_organization_counts_there(room: Room) -> None:
    """What it would have refused is counted where all members see it."""
    watching = Budget(ORGANIZATION, BudgetPeriod.TOTAL, 10, CapMode.SHADOW, "watching")

    admitted = await room.admission.admit(request(budgets=(*BOTH, watching)))

    assert await room.client.hget(f"gw:{{{ORGANIZATION}}}:w", "watching") == b"1"
    assert [each.id for each in admitted.report.reached] == ["watching"]
    await room.admission.cancel(admitted.ticket)


async def test_holds_that_one_server_lost_are_written_again_there(redis_cluster: RedisCluster, room: Room) -> None:
    """The other server still has its half."""
    admitted = await room.admission.admit(request(budgets=BOTH))
    owner_of(redis_cluster, SHARED_KEY).client.flushall()

    await room.admission.admit(request(budgets=BOTH))

    assert [await room.counter(key) for key in (OWN_KEY, SHARED_KEY)] == [(0, 2_000), (0, 2_000)]
    await room.admission.settle(admitted.ticket, 1, 300)
    assert [await room.counter(key) for key in (OWN_KEY, SHARED_KEY)] == [(300, 1_000), (300, 1_000)]


async def test_a_hold_that_is_found_settles_both_halves(room: Room) -> None:
    """The reaper and the recovery know nothing but the user's half, which names the others' counters."""
    await room.admission.admit(request(budgets=BOTH))

    (hold,) = [hold async for hold in room.holds.all()]
    await room.admission.settle(hold.ticket, 1, 400)

    assert [await room.counter(key) for key in (OWN_KEY, SHARED_KEY)] == [(400, 0), (400, 0)]
    assert await room.held() == NOTHING


async def test_a_half_without_the_other_is_found_once_its_owner_is_gone(room: Room) -> None:
    """A gateway was killed between two round trips; while the other half is there, it is not forsaken."""
    whole = await room.admission.admit(request(budgets=BOTH))
    cut = await room.admission.admit(request(budgets=BOTH))
    await room.client.hdel(details_key(USER), cut.ticket.request_id)
    later_s = -PATIENT.lease_s - 1

    assert [ticket async for ticket in room.holds.forsaken(older_than_s=0)] == []
    (ticket,) = [ticket async for ticket in room.holds.forsaken(older_than_s=later_s)]
    await room.admission.settle(ticket, 0, 0)

    assert ticket.request_id == cut.ticket.request_id
    assert await room.counter(SHARED_KEY) == (0, 1_000)
    await room.admission.settle(whole.ticket, 1, 0)


async def test_leases_are_prolonged_on_both_servers(room: Room) -> None:
    """Else the half of a long stream would be taken for forsaken."""
    admitted = await room.admission.admit(request(budgets=BOTH))
    await room.client.zadd(f"gw:{{{ORGANIZATION}}}:h", {admitted.ticket.request_id: 1})

    await room.admission._leases.restore(USER)

    ends_at_us = await room.client.zscore(f"gw:{{{ORGANIZATION}}}:h", admitted.ticket.request_id)
    assert (ends_at_us or 0) > 1
    await room.admission.cancel(admitted.ticket)


async def test_a_slot_on_its_way_is_waited_for(redis_cluster: RedisCluster, room: Room) -> None:
    """Nothing is counted on the server that it goes to before everything is there."""
    limits = Limits(requests_per_day=3)
    first = await room.admission.admit(request(budgets=(OWN,), user=limits))
    source = owner_of(redis_cluster, OWN_KEY)
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

    assert owner_of(redis_cluster, OWN_KEY) is target
    assert not second.degraded
    assert await room.counter(OWN_KEY) == (250, 1_000)
    assert await room.client.hget(state, "rpd") == b"2"
    await room.admission.cancel(second.ticket)


async def test_admission_goes_on_at_a_replica_when_a_primary_dies(redis_cluster: RedisCluster) -> None:
    """Those on other servers notice nothing; the others' limits are shares until the replica has taken over."""
    first = redis_cluster.nodes[0]
    there, elsewhere = (
        next(user for user in map(str, range(100)) if (owner_of(redis_cluster, details_key(user)) is first) is is_there)
        for is_there in (True, False)
    )
    quick = AdmissionOptions(timeout_s=1.0, replicas=1, breaker_open_s=0.2)
    async with opened(redis_cluster, quick) as room, open_redis(settings_of(redis_cluster)) as other:
        for user in (there, elsewhere):
            await room.admission.admit(of_user(user))
        await asyncio.to_thread(first.client.wait, 1, 5_000)

        await asyncio.to_thread(first.kill)
        assert not (await room.admission.admit(of_user(elsewhere))).degraded
        assert (await room.admission.admit(of_user(there))).degraded
        async with asyncio.timeout(60):
            while (await room.admission.admit(of_user(there))).degraded:
                await asyncio.sleep(0.05)

        assert await other.hlen(details_key(there)) >= 2
        assert owner_of(redis_cluster, details_key(there)) is redis_cluster.nodes[3]


def tries(node: Node) -> int:
    """Return how many scripts a server was asked for."""
    return int(cast(Any, node.client.info("commandstats"))["cmdstat_evalsha"]["calls"])


def of_user(user: str) -> Any:
    """Return a request of somebody whose keys are on a certain server."""
    asked = request()
    object.__setattr__(asked, "user_id", user)
    return asked


async def test_the_gateways_user_of_redis_may_do_all_of_it(redis_cluster: RedisCluster) -> None:
    """The list of what services may do is for one server and for a cluster."""
    (line,) = (each for each in USERS.read_text().splitlines() if each.startswith("user gateway "))
    rules = line.format(gateway=">secret").split()[2:]
    for node in redis_cluster.alive:
        node.ask("ACL", "SETUSER", "gateway", *rules)
    settings = RedisSettings(url=SecretStr("redis://gateway:secret@x/0"), cluster=redis_cluster.addresses)

    async with open_redis(settings) as client, open_admission(client, Ledger().spend_of, boot_id="boot") as admission:
        admitted = await admission.admit(request(budgets=BOTH))
        assert not admitted.degraded
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
        await client.ping()
        server = owner_of(redis_cluster, "n")
        server.ask("CLIENT PAUSE 60000 WRITE")
        first, second = await asyncio.gather(client.incr("n"), client.incr("n"), return_exceptions=True)
        server.ask("CLIENT UNPAUSE")

        assert isinstance(first, (RedisError, TimeoutError))
        assert isinstance(second, RedisConnectionError)
        assert await client.set("n", 1)
