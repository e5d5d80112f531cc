"""What all routers see, put together and written down by one of them, over a real PostgreSQL and a real Redis."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from datetime import timedelta

import asyncpg
import msgspec
import pytest
from redis.asyncio import Redis

from servicekit import lifecycle, postgres, redis
from servicekit.settings import PostgresSettings, RedisSettings
from servicekit.testing import FakeClock
from services.router.circuits.channel import CHANNEL, NewsChannel
from services.router.circuits.circuits import Circuits
from services.router.circuits.domain.news import Drain
from services.router.circuits.domain.target import Target
from services.router.circuits.settings import CircuitSettings
from services.router.circuits.sharing import CircuitSharing
from services.router.circuits.store import CircuitStore
from services.router.domain.catalog import Catalog, Model
from services.router.status.domain.health import HealthTracker, ModelHealth
from services.router.status.reporter import StatusReporter
from services.router.status.store import StatusStore
from services.router.store import Pool
from services.router.tests.adapters import LONG_S, NOBODY_DSN, NOBODY_REDIS
from services.router.tests.circuits.test_circuits import Named
from services.router.tests.circuits.test_circuits import fail as fail_circuit
from tools.testing.plugin import MakeDatabase

CATALOG = Catalog(
    [Model("gigachat", "gigachat", "GigaChat-2", []), Model("pro", "gigachat", "GigaChat-2-Pro", [])], "1"
)
MODEL = Named("gigachat", "gigachat")


class Replica:
    """As much of a router as tells statuses."""

    def __init__(self, name: str, pool: Pool, client: Redis, clock: FakeClock) -> None:
        self.tracker = HealthTracker()
        self.circuits = Circuits(CircuitSettings(), clock, random.Random(1))
        self.store = StatusStore(pool)
        channel = NewsChannel(client, name)
        self.reporter = StatusReporter(self.tracker, self.circuits, self.store, channel, clock, history_days=90)
        self._clock = clock

    def see(self, *, failed: bool = False) -> None:
        now, monotonic = self._clock.now(), self._clock.monotonic()
        if failed:
            self.tracker.failed("gigachat", "gigachat", now, monotonic, had_answered=False)
        else:
            self.tracker.answered("gigachat", "gigachat", 0.1, now, monotonic)

    def told(self) -> ModelHealth:
        return self.reporter.statuses(CATALOG)[0]


async def test_one_router_writes_and_another_takes_over(
    make_database: MakeDatabase, redis_client: Redis, clock: FakeClock
) -> None:
    """While the first renews its turn, the second only reads; when the first is gone, the second writes."""
    pool = await make_database("router")
    one, two = (Replica(name, pool, redis_client, clock) for name in ("one", "two"))
    one.see()
    await one.reporter.exchange(CATALOG)
    for _ in range(5):
        two.see(failed=True)
    await two.reporter.exchange(CATALOG)
    assert [each.status for each in await two.store.find()] == ["operational"]

    clock.advance(16)
    await two.reporter.exchange(CATALOG)

    assert [(each.status, each.calls) for each in await one.store.find()] == [("down", 5)]


async def test_what_one_router_saw_counts_at_its_peers(
    make_database: MakeDatabase, redis_client: Redis, clock: FakeClock
) -> None:
    """By what is said over Redis: a router that answers no calls itself knows how the provider is."""
    pool = await make_database("router")
    one, two = (Replica(name, pool, redis_client, clock) for name in ("one", "two"))
    ear = CircuitSharing(two.circuits, CircuitStore(pool), NewsChannel(redis_client, "two"), clock)
    ear.on_seen = two.reporter.hear

    async with lifecycle.background() as jobs, asyncio.timeout(LONG_S):
        jobs.start(ear.listen(), name="listen")
        while not dict(await redis_client.pubsub_numsub(CHANNEL)).get(CHANNEL.encode()):
            await asyncio.sleep(0.01)
        for _ in range(5):
            one.see(failed=True)
        await one.reporter.exchange(CATALOG)
        while not two.told().calls:
            await asyncio.sleep(0.01)

    assert (two.told().status, two.told().calls) == ("down", 5)


async def test_what_a_router_wrote_whose_clock_was_ahead_is_written_over(
    make_database: MakeDatabase, redis_client: Redis, clock: FakeClock
) -> None:
    """It had its turn for hours, too; a status that began stands in the history once, not once a round."""
    pool = await make_database("router")
    ahead = FakeClock(clock.now() + timedelta(hours=2))
    strange, right = Replica("one", pool, redis_client, ahead), Replica("two", pool, redis_client, clock)
    for _ in range(5):
        strange.see(failed=True)
    await strange.reporter.exchange(CATALOG)

    for _ in range(3):
        right.see()
        await right.reporter.exchange(CATALOG)
        clock.advance(5)

    assert [each.status for each in await right.store.find()] == ["operational"]
    assert [each.status for each in await right.store.find_history("gigachat", "", 10)] == ["down", "operational"]


async def test_the_writer_writes_what_the_others_have_told(
    make_database: MakeDatabase, redis_client: Redis, clock: FakeClock
) -> None:
    """The table is everybody's view, not one router's."""
    pool = await make_database("router")
    writer = Replica("one", pool, redis_client, clock)
    other = HealthTracker()
    for _ in range(4):
        other.failed("gigachat", "gigachat", clock.now(), clock.monotonic(), had_answered=False)
    writer.see()

    writer.reporter.hear(msgspec.json.encode(other.take_untold()))
    writer.reporter.hear(b'[{"provider": 5}]')
    await writer.reporter.exchange(CATALOG)

    assert [(each.status, each.error_rate, each.calls) for each in await writer.store.find()] == [("down", 0.8, 5)]


async def test_history_has_one_line_for_each_time_a_status_began(
    make_database: MakeDatabase, redis_client: Redis, clock: FakeClock
) -> None:
    """Newest first; written again by nobody, however often routers exchange; forgotten after its days."""
    pool = await make_database("router")
    one = Replica("one", pool, redis_client, clock)
    began = clock.now()
    one.see()
    for _ in range(3):
        await one.reporter.exchange(CATALOG)
        clock.advance(5)
        one.see()
    fail_circuit(one.circuits, MODEL)
    for _ in range(3):
        await one.reporter.exchange(CATALOG)

    lines = await one.store.find_history("gigachat", "", 10)

    assert [(line.status, line.reason, line.since) for line in lines] == [
        ("down", "circuit_open", clock.now()),
        ("operational", "", began),
    ]
    assert await one.store.find_history("gigachat", "pro", 10) == []
    clock.advance(timedelta(days=91).total_seconds())
    await one.reporter.exchange(CATALOG)
    left = [line.reason for line in await one.store.find_history("", "", 10)]
    assert "" not in left


async def test_a_router_that_starts_knows_since_when(
    make_database: MakeDatabase, redis_client: Redis, clock: FakeClock
) -> None:
    """From the table: without calls of its own it tells what was written."""
    pool = await make_database("router")
    one = Replica("one", pool, redis_client, clock)
    for _ in range(5):
        one.see(failed=True)
    await one.reporter.exchange(CATALOG)
    clock.advance(60)

    late = Replica("late", pool, redis_client, clock)
    await late.reporter.exchange(CATALOG)

    assert late.told() == one.told()
    assert late.told().since == clock.now() - timedelta(seconds=60)
    assert late.reporter.statuses(CATALOG)[1].status == "unknown"


async def test_a_circuit_or_a_drain_says_more_than_calls(
    make_database: MakeDatabase, redis_client: Redis, clock: FakeClock
) -> None:
    """At once, and no longer than it lasts."""
    pool = await make_database("router")
    one = Replica("one", pool, redis_client, clock)
    one.see()
    assert (one.told().status, one.told().reason) == ("operational", "")

    one.circuits.set_drains([Drain(Target("gigachat", ""), "", "user:1", clock.now())])
    assert (one.told().status, one.told().reason) == ("down", "drained")
    await one.reporter.exchange(CATALOG)
    one.circuits.set_drains([])
    assert one.told().status == "operational"

    fail_circuit(one.circuits, MODEL)
    assert (one.told().status, one.told().reason) == ("down", "circuit_open")
    clock.advance(40)
    assert (one.told().status, one.told().reason) == ("degraded", "circuit_probing")
    clock.advance(400)
    one.circuits.reset(Target("gigachat", ""))
    await one.reporter.exchange(CATALOG)
    assert one.told().status == "unknown", "nobody has asked for minutes, and nothing is known against it"


async def test_everything_is_told_without_postgresql_and_redis(clock: FakeClock) -> None:
    """From memory."""
    async with (
        postgres.open_pool(PostgresSettings(dsn=NOBODY_DSN)) as pool,
        redis.open_redis(RedisSettings(url=NOBODY_REDIS)) as client,
    ):
        alone = Replica("alone", pool, client, clock)
        alone.see()
        await alone.reporter.exchange(CATALOG)

    assert [each.status for each in alone.reporter.statuses(CATALOG)] == ["operational", "unknown"]


async def test_an_older_observation_never_replaces_a_newer_one(make_database: MakeDatabase, clock: FakeClock) -> None:
    """Of a router that was the writer until a moment ago."""
    store = StatusStore(await make_database("router"))
    new = ModelHealth("gigachat", "gigachat", "down", 900, 0.75, clock.now())
    old = replace(new, status="operational", updated_at=clock.now() - timedelta(seconds=5))

    await store.save([new], [], clock.now())
    await store.save([old], [], clock.now())

    assert await store.find() == [new]


@pytest.mark.parametrize("rate", [-0.1, 1.1])
async def test_rates_are_rates(make_database: MakeDatabase, clock: FakeClock, rate: float) -> None:
    """The table refuses what cannot be."""
    store = StatusStore(await make_database("router"))

    with pytest.raises(asyncpg.CheckViolationError):
        await store.save([ModelHealth("p", "m", "down", 1, rate, clock.now())], [], clock.now())
