"""Circuits and drains are the same on every router, over a real Redis and a real PostgreSQL."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from redis.asyncio import Redis

from servicekit import lifecycle, postgres, redis
from servicekit.settings import PostgresSettings, RedisSettings
from servicekit.testing import FakeClock
from services.router.circuits.channel import CHANNEL, NewsChannel
from services.router.circuits.circuits import Circuits
from services.router.circuits.domain.circuit import State
from services.router.circuits.domain.news import Cause, Change, Drain
from services.router.circuits.domain.target import ONLY_CREDENTIAL, SkipReason, Target
from services.router.circuits.settings import CircuitSettings
from services.router.circuits.sharing import CircuitSharing
from services.router.circuits.store import CircuitStore
from services.router.providers import failures
from services.router.store import Pool
from services.router.tests.adapters import LONG_S, NOBODY_DSN, NOBODY_REDIS
from services.router.tests.circuits.test_circuits import GIGA, PRO, admitted, fail
from tools.testing.plugin import MakeDatabase

TARGET = Target(PRO.provider, ONLY_CREDENTIAL, PRO.id)


class Replica:
    """As much of a router as shares circuits."""

    def __init__(self, name: str, pool: Pool, client: Redis, clock: FakeClock) -> None:
        self.circuits = Circuits(CircuitSettings(), clock, random.Random(1))
        self.store = CircuitStore(pool)
        self.sharing = CircuitSharing(self.circuits, self.store, NewsChannel(client, name), clock)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(LONG_S):
        while not holds():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def listening(*replicas: Replica, client: Redis) -> AsyncIterator[None]:
    """Run what the replicas run, but for the looks every two seconds."""
    async with lifecycle.background() as jobs:
        for replica in replicas:
            jobs.start(replica.sharing.tell(), name="tell")
            jobs.start(replica.sharing.listen(), name="listen")
        while dict(await client.pubsub_numsub(CHANNEL)).get(CHANNEL.encode()) != len(replicas):
            await asyncio.sleep(0.01)
        yield


async def test_peers_hear_of_openings_closings_and_pauses(
    make_database: MakeDatabase, redis_client: Redis, clock: FakeClock
) -> None:
    """Without a look at any table: the clock stands still."""
    pool = await make_database("router")
    one, two = (Replica(name, pool, redis_client, clock) for name in ("one", "two"))

    async with listening(one, two, client=redis_client):
        fail(one.circuits, PRO)
        await until(lambda: two.circuits.admit(PRO) is SkipReason.CIRCUIT_OPEN)
        fail(one.circuits, GIGA, failures.rate_limited(20.0), times=1)
        await until(lambda: two.circuits.admit(GIGA) is SkipReason.COOLING)
        clock.advance(1)
        two.circuits.reset(Target("yandexgpt", ""))
        await until(lambda: one.circuits.is_available(PRO))


async def test_a_drain_reaches_a_peer_that_is_told_to_look(
    make_database: MakeDatabase, redis_client: Redis, clock: FakeClock
) -> None:
    """Within the time of one message."""
    pool = await make_database("router")
    one, two = (Replica(name, pool, redis_client, clock) for name in ("one", "two"))
    drain = Drain(Target("yandexgpt", ""), "maintenance", "user:1", clock.now())

    async with listening(two, client=redis_client):
        await one.store.save_drain(drain)
        await NewsChannel(redis_client, "one").tell_look()
        await until(lambda: two.circuits.admit(PRO) is SkipReason.DRAINED)

    assert await one.store.find_drains() == [drain]
    assert await one.store.delete_drain(drain.scope)
    assert not await one.store.delete_drain(drain.scope)


async def test_an_order_that_was_missed_is_read_as_soon_as_peers_are_heard(
    make_database: MakeDatabase, redis_client: Redis, clock: FakeClock
) -> None:
    """It was announced before this router listened, or while its connection was broken: of the catalogue, too."""
    late = Replica("late", await make_database("router"), redis_client, clock)
    is_read = asyncio.Event()

    async def read() -> None:
        is_read.set()

    late.sharing.on_orders = read
    async with listening(late, client=redis_client):
        await asyncio.wait_for(is_read.wait(), LONG_S)


class HesitantStore(CircuitStore):
    """What it has read first it hands out only when it may."""

    def __init__(self, pool: Pool) -> None:
        super().__init__(pool)
        self.has_read, self.may_answer = asyncio.Event(), asyncio.Event()

    async def find_drains(self) -> list[Drain]:
        found = await super().find_drains()
        if not self.has_read.is_set():
            self.has_read.set()
            await self.may_answer.wait()
        return found


async def test_an_older_look_never_ends_a_drain_that_was_just_ordered(
    make_database: MakeDatabase, redis_client: Redis, clock: FakeClock
) -> None:
    """The look that comes with the order may meet the one that comes every two seconds."""
    pool = await make_database("router")
    replica, store = Replica("one", pool, redis_client, clock), HesitantStore(pool)
    sharing = CircuitSharing(replica.circuits, store, NewsChannel(redis_client, "one"), clock)
    first = asyncio.create_task(sharing.look())
    await store.has_read.wait()
    await store.save_drain(Drain(Target(PRO.provider, ""), "maintenance", "admin", clock.now()))

    second = asyncio.create_task(sharing.announce())
    # As long as a look takes that waits for nobody; a shorter pause only makes this prove less.
    await asyncio.wait([second], timeout=0.5)
    store.may_answer.set()
    await asyncio.gather(first, second)

    assert replica.circuits.admit(PRO) is SkipReason.DRAINED


async def test_a_reset_ends_a_pause_at_the_peers_too(clock: FakeClock) -> None:
    """And what was said of the pause before does not bring it back when it comes late."""
    one, two = (Circuits(CircuitSettings(), clock, random.Random(1)) for _ in range(2))
    told: list[Change] = []
    one.on_change = told.append
    one.failed(admitted(one, PRO), failures.rate_limited(20.0))
    two.adopt(told[0])
    assert not two.is_available(PRO)
    clock.advance(1)

    one.reset(TARGET)
    two.adopt(told[1])
    two.adopt(told[0])

    assert two.is_available(PRO)


async def test_the_table_is_enough_without_redis(make_database: MakeDatabase, clock: FakeClock) -> None:
    """A router that was started later, or whose Redis is lost, reads it every two seconds."""
    pool = await make_database("router")
    async with redis.open_redis(RedisSettings(url=NOBODY_REDIS)) as nobody:
        one, two = (Replica(name, pool, nobody, clock) for name in ("one", "two"))
        changes: list[Change] = []
        one.circuits.on_change = changes.append
        fail(one.circuits, PRO)

        await one.sharing.tell_one(changes[-1])
        await two.sharing.look()

    assert two.circuits.admit(PRO) is SkipReason.CIRCUIT_OPEN
    assert two.circuits.view(PRO).until == one.circuits.view(PRO).until


async def test_an_older_word_never_replaces_a_newer_one(make_database: MakeDatabase, clock: FakeClock) -> None:
    """Whichever comes last."""
    store = CircuitStore(await make_database("router"))
    now = clock.now()
    newer = Change(TARGET, State.CLOSED, Cause.PROBES_ANSWERED, now, now, 1)
    older = Change(TARGET, State.OPEN, Cause.FAILURES, now - timedelta(seconds=1), now + timedelta(seconds=30), 1)

    await store.save_change(newer, "one", clock.now())
    await store.save_change(older, "two", clock.now())

    assert await store.find_changes() == [newer]


async def test_a_word_of_a_clock_that_was_ahead_gives_way(make_database: MakeDatabase, clock: FakeClock) -> None:
    """Whoever has the right time writes over it: nothing else would be written for two hours."""
    store = CircuitStore(await make_database("router"))
    now, ahead = clock.now(), clock.now() + timedelta(hours=2)
    strange = Change(TARGET, State.OPEN, Cause.FAILURES, ahead, ahead + timedelta(seconds=30), 1)
    closed = Change(TARGET, State.CLOSED, Cause.RESET, now, now)

    await store.save_change(strange, "one", ahead)
    await store.save_change(closed, "two", now)

    assert await store.find_changes() == [closed]


async def test_without_redis_and_postgresql_each_goes_by_what_it_sees(clock: FakeClock) -> None:
    """Deciding waits for neither; drains that were known stay."""
    async with (
        postgres.open_pool(PostgresSettings(dsn=NOBODY_DSN)) as pool,
        redis.open_redis(RedisSettings(url=NOBODY_REDIS)) as client,
    ):
        alone = Replica("alone", pool, client, clock)
        alone.circuits.set_drains([Drain(Target("gigachat", ""), "", "user:1", clock.now())])
        async with lifecycle.background() as jobs:
            jobs.start(alone.sharing.tell(), name="tell")
            fail(alone.circuits, PRO)
            await alone.sharing.look()

    assert alone.circuits.admit(PRO) is SkipReason.CIRCUIT_OPEN
    assert alone.circuits.admit(GIGA) is SkipReason.DRAINED


async def test_what_a_newer_release_says_is_passed_over(
    make_database: MakeDatabase, redis_client: Redis, clock: FakeClock
) -> None:
    """During a rollout both run; what cannot be read must not end the listening."""
    pool = await make_database("router")
    one, two = (Replica(name, pool, redis_client, clock) for name in ("one", "two"))

    async with listening(one, two, client=redis_client):
        await redis_client.publish(CHANNEL, b'{"sender": 1}')
        fail(one.circuits, PRO)
        await until(lambda: two.circuits.admit(PRO) is SkipReason.CIRCUIT_OPEN)


async def test_a_row_of_a_newer_release_hides_no_other(
    make_database: MakeDatabase, redis_client: Redis, clock: FakeClock
) -> None:
    """It may know a cause that this one does not; what else stands there counts, drains too."""
    pool = await make_database("router")
    one, two = (Replica(name, pool, redis_client, clock) for name in ("one", "two"))
    row = "INSERT INTO router.circuits VALUES ('gigachat', '', 'm', 'open', 'too_many_moons', 1, $1, $1, 'new')"
    await pool.execute(row, clock.now())
    await one.store.save_drain(Drain(Target("gigachat", ""), "", "user:1", clock.now()))
    await one.store.save_change(Change(TARGET, State.OPEN, Cause.SLOW, clock.now(), clock.now(), 1), "one", clock.now())

    await two.sharing.look()

    assert two.circuits.admit(GIGA) is SkipReason.DRAINED
    assert two.circuits.view(PRO).cause == Cause.SLOW


@pytest.mark.parametrize("state", ["half_open", "shut"])
async def test_the_table_refuses_states_that_are_nobody_s(make_database: MakeDatabase, state: str) -> None:
    """A half-open circuit is each router's own."""
    pool = await make_database("router")

    with pytest.raises(Exception, match="circuits_state_check"):
        await pool.execute(
            "INSERT INTO router.circuits VALUES ('p', 'c', 'm', $1, 'failures', 1, now(), now(), 'one')", state
        )
