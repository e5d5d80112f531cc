"""What each gateway does every so often: say that it lives, and compare the counters of budgets with the books."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import redis.asyncio
from prometheus_client import REGISTRY
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from structlog.testing import capture_logs

from servicekit.clock import Clock, SystemClock
from servicekit.lifecycle import background
from servicekit.testing import FakeClock
from services.gateway.admission.degraded.breaker import Breaker
from services.gateway.admission.degraded.redis_time import RedisTime
from services.gateway.admission.degraded.replicas import KEY, Replicas
from services.gateway.admission.reconcile import LOCK, Reconciler
from services.gateway.admission.redis.script_runner import ScriptRunner
from services.gateway.tests.admission_kit import USER, Ledger, counters

BUDGET = f"gw:{{{USER}}}:b:user:{USER}:t"


def replicas(client: Any, boot_id: str = "a", clock: Clock | None = None) -> tuple[Replicas, list[str]]:
    """Return a gateway's heartbeat, and what it calls lost."""
    lost: list[str] = []
    return Replicas(client, clock or FakeClock(), boot_id=boot_id, on_data_lost=lambda: lost.append("all")), lost


async def until(fact: Callable[[], object]) -> None:
    """Wait until it is so."""
    async with asyncio.timeout(20):
        while not fact():
            await asyncio.sleep(0.005)


def lost_client(port: int) -> redis.asyncio.Redis:
    """Return a client of no Redis."""
    return redis.asyncio.Redis(port=port, retry=Retry(NoBackoff(), 0))


async def test_a_gateway_counts_for_twenty_seconds_after_its_last_beat(redis_client: Any) -> None:
    """By the clock of Redis; who is gone for longer is forgotten."""
    seconds, _ = await redis_client.time()
    await redis_client.zadd(KEY, {"gone": seconds, "alive": seconds + 60})
    one, lost = replicas(redis_client)
    assert one.count() == 1

    await one.beat()

    later, _ = await redis_client.time()
    found = dict(await redis_client.zrange(KEY, 0, -1, withscores=True))
    assert found.keys() == {b"alive", b"a"}
    assert seconds + 20 <= found[b"a"] <= later + 20
    assert (one.count(), lost) == (2, [])


async def test_a_gateway_beats_every_second_until_it_leaves(redis_client: Any) -> None:
    """At once, and after each pause."""
    clock = FakeClock()
    one, _ = replicas(redis_client, clock=clock)
    async with background() as owner:
        owner.start(one.serve(), name="replicas")
        for _ in range(2):
            await until(lambda: clock.sleepers)
            assert await redis_client.zcard(KEY) == 1
            await one.leave()
            assert await redis_client.zcard(KEY) == 0
            clock.advance(1)
        await until(lambda: clock.sleepers)

    assert clock.slept_s == [1.0, 1.0, 1.0]


async def test_data_that_was_lost_is_told_to_an_operator(redis_client: Any) -> None:
    """Once for each loss."""
    one, lost = replicas(redis_client)
    await one.beat()
    with capture_logs() as logs:
        for _ in range(2):
            await redis_client.flushdb()
            await one.beat()
            await one.beat()

    assert logs == [{"event": "admission.redis_lost_its_data", "log_level": "warning"}] * 2
    assert lost == ["all"] * 2


async def test_a_lost_redis_leaves_the_last_count(redis_client: Any, free_port: int) -> None:
    """Whether it is asked or told."""
    seconds, _ = await redis_client.time()
    await redis_client.zadd(KEY, {"b": seconds + 60, "c": seconds + 60})
    one, _ = replicas(redis_client)
    await one.beat()
    async with lost_client(free_port) as lost:
        one._client = lost
        with capture_logs() as logs:
            await one.beat()
            await one.leave()

    assert one.count() == 3
    assert [(entry["event"], entry["log_level"], entry["error"]) for entry in logs] == [
        ("admission.heartbeat_missed", "debug", "ConnectionError"),
        ("admission.leave_missed", "debug", "ConnectionError"),
    ]


@asynccontextmanager
async def reconciler_on(client: Any, ledger: Ledger, clock: Clock) -> AsyncIterator[Reconciler]:
    """Yield a reconciler whose scripts are run."""
    async with background() as owner:
        runner = ScriptRunner(
            client.connection_pool.make_connection, Breaker(SystemClock()), RedisTime(SystemClock()), timeout_s=10.0
        )
        owner.start(runner.serve(), name="runner")
        yield Reconciler(client, runner, ledger.spend_of, clock=clock, every_s=300.0)


def corrected() -> float:
    """Return how many counters were corrected."""
    return REGISTRY.get_sample_value("razvilka_gateway_budget_reconciled_total") or 0.0


async def test_one_gateway_compares_every_five_minutes(redis_client: Any) -> None:
    """The lock ends before the next round; who does not get it leaves everything as it is."""
    clock, ledger = FakeClock(), Ledger(300)
    await redis_client.hset(BUDGET, mapping={"u": 100, "h": 0})
    async with reconciler_on(redis_client, ledger, clock) as reconciler, background() as owner:
        owner.start(reconciler.serve(), name="reconcile")
        await until(lambda: clock.sleepers)
        await redis_client.set(LOCK, "another")
        clock.advance(300)
        await until(lambda: len(clock.slept_s) == 2 and clock.sleepers)
        left_alone = ledger.asked == []
        await redis_client.delete(LOCK)
        clock.advance(300)
        await until(lambda: len(clock.slept_s) == 3)

    assert left_alone
    assert await counters(redis_client) == {"used": 300, "held": 0}
    assert 250_000 < await redis_client.pttl(LOCK) <= 270_000
    assert clock.slept_s == [300.0] * 3


async def test_a_correction_is_counted_and_told(redis_client: Any) -> None:
    """Whose it is stays private; by how much does not."""
    ledger, before = Ledger(300), corrected()
    await redis_client.hset(BUDGET, mapping={"u": 100, "h": 0})
    async with reconciler_on(redis_client, ledger, FakeClock()) as reconciler:
        with capture_logs() as logs:
            found = [await reconciler.run_once() for _ in range(2)]

    assert found == [1, 0]
    assert corrected() == before + 1
    assert logs == [
        {"event": "admission.budget_corrected", "log_level": "warning", "subject": "user", "difference": 200}
    ]
    assert ledger.asked == [(USER, f"user:{USER}", None, None)] * 2


async def test_a_counter_that_nobody_counts_any_more_is_told_of_once(redis_client: Any) -> None:
    """Its budget was removed and its owner spends on: that is no fault each round until the period ends.

    Whichever gateway looks: what a round left behind is in the counter. One that is counted again is told of again.
    """
    ledger, told = Ledger(300), []
    await redis_client.hset(BUDGET, mapping={"u": 100, "h": 0})
    for spent, counted in ((300, 0), (400, 0), (500, 0), (600, 50)):
        ledger.spent, before = spent, corrected()
        await redis_client.hincrby(BUDGET, "u", counted)
        async with reconciler_on(redis_client, ledger, FakeClock()) as reconciler:
            assert await reconciler.run_once() == 1
        assert (await counters(redis_client))["used"] == spent
        told.append(corrected() - before)

    assert told == [1, 0, 0, 1]


async def test_what_is_no_counter_of_a_budget_is_left_alone(redis_client: Any) -> None:
    """A key of another kind, one without a sum, one that is held."""
    ledger = Ledger(300)
    await redis_client.set(BUDGET.replace(":t", ":d1-2"), "text")
    await redis_client.hset(BUDGET, mapping={"h": 0})
    await redis_client.hset(BUDGET.replace(":t", ":m1-2"), mapping={"u": 5, "h": 1})
    async with reconciler_on(redis_client, ledger, FakeClock()) as reconciler:
        assert await reconciler.run_once() == 0

    assert ledger.asked == []


async def test_a_difference_must_stay_the_same_to_count(redis_client: Any) -> None:
    """Rows arrive, or money is spent: a new difference, to be seen twice; a counter that is found right has none."""
    ledger, found = Ledger(), []
    async with reconciler_on(redis_client, ledger, FakeClock()) as reconciler:
        for used, spent in ((100, 40), (100, 50), (110, 50), (110, 110), (110, 50), (110, 50)):
            await redis_client.hset(BUDGET, mapping={"u": used, "h": 0})
            ledger.spent = spent
            found.append(await reconciler.run_once())

    assert found == [0, 0, 0, 0, 0, 1]
    assert await counters(redis_client) == {"used": 50, "held": 0}


async def test_what_was_seen_of_a_counter_goes_with_it(redis_client: Any) -> None:
    """One that comes again begins anew: its difference must be seen twice."""
    ledger = Ledger(50)
    async with reconciler_on(redis_client, ledger, FakeClock()) as reconciler:
        found = []
        for is_there in (True, False, True, True):
            await redis_client.delete(BUDGET)
            if is_there:
                await redis_client.hset(BUDGET, mapping={"u": 110, "h": 0})
            found.append(await reconciler.run_once())

    assert found == [0, 0, 0, 1]


async def test_a_round_that_fails_is_told_and_the_next_one_comes(free_port: int) -> None:
    """Redis is away, say."""
    clock = FakeClock()
    async with (
        lost_client(free_port) as lost,
        reconciler_on(lost, Ledger(), clock) as reconciler,
        background() as owner,
    ):
        with capture_logs() as logs:
            owner.start(reconciler.serve(), name="reconcile")
            for _ in range(2):
                await until(lambda: clock.sleepers)
                clock.advance(300)
            await until(lambda: len(clock.slept_s) == 3)

    assert logs == [{"event": "admission.reconcile_missed", "log_level": "warning", "error": "ConnectionError"}] * 2
