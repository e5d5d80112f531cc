"""What the usage service is asked for when a counter is missing, how often, and what callers hear meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
import redis.asyncio
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from servicekit.clock import SystemClock
from servicekit.errors import ErrorReason, Unavailable
from servicekit.lifecycle import background
from servicekit.testing import FakeClock
from servicekit.testing.fake_clock import MIDDAY
from services.gateway.admission.budgets import BudgetRebuild
from services.gateway.admission.degraded.breaker import Breaker
from services.gateway.admission.degraded.redis_time import RedisTime
from services.gateway.admission.keys import details_key
from services.gateway.admission.redis.running import RedisLost
from services.gateway.admission.redis.script_runner import ScriptRunner
from services.gateway.tests.admission_kit import USER, counters

SUBJECT = f"user:{USER}"
TOTAL = f"gw:{{{USER}}}:b:{SUBJECT}:t"
# Requests made up to then are in the stored rows that the first question counts.
EPOCH = MIDDAY + timedelta(seconds=5)
Asked = tuple[datetime | None, datetime | None]


def period(begins: datetime, ends: datetime) -> str:
    """Return the key of a budget that counts between two moments."""
    return f"gw:{{{USER}}}:b:{SUBJECT}:m{int(begins.timestamp())}-{int(ends.timestamp())}"


class Books:
    """Stands for the usage service: what was spent before the epoch and from it on."""

    def __init__(self, before: int = 0, later: int = 0) -> None:
        self.before, self.later = before, later
        self.asked: list[Asked] = []
        self.open = asyncio.Event()
        self.open.set()
        self.failure: Exception | None = None

    async def spend_of(self, user_id: str, subject: str, since: datetime | None, until: datetime | None) -> int:
        """Answer when the books are open."""
        assert (user_id, subject) == (USER, SUBJECT)
        self.asked.append((since, until))
        await self.open.wait()
        if self.failure is not None:
            raise self.failure
        return self.later if since is not None and since >= EPOCH else self.before


@asynccontextmanager
async def rebuild_on(url: str, books: Books, clock: FakeClock, timeout_s: float = 10) -> AsyncIterator[BudgetRebuild]:
    """Yield a rebuild on a connection of its own."""
    async with redis.asyncio.from_url(url) as client, background() as owner:
        runner = ScriptRunner(
            client.connection_pool.make_connection, Breaker(SystemClock()), RedisTime(SystemClock()), timeout_s=5.0
        )
        owner.start(runner.serve(), name="runner")
        yield BudgetRebuild(runner, books.spend_of, owner, clock=clock, timeout_s=timeout_s)


def metric(name: str) -> float:
    """Return a counter of budgets."""
    return REGISTRY.get_sample_value(f"razvilka_gateway_budget_{name}_total") or 0.0


async def until_asleep(clock: FakeClock) -> None:
    """Wait until somebody waits for the clock."""
    async with asyncio.timeout(20):
        while not clock.sleepers:
            await asyncio.sleep(0.005)


MONTH = timedelta(days=30)
NEXT = MIDDAY + MONTH, MIDDAY + 2 * MONTH


@pytest.mark.parametrize(
    ("key", "asked", "used"),
    [
        (TOTAL, [(EPOCH, None), (None, EPOCH)], 107),
        (
            period(MIDDAY - MONTH, MIDDAY + MONTH),
            [(EPOCH, MIDDAY + MONTH), (MIDDAY - MONTH, EPOCH)],
            107,
        ),
        (period(MIDDAY - MONTH, MIDDAY), [(MIDDAY - MONTH, MIDDAY)], 100),
        (period(MIDDAY - MONTH, EPOCH), [(MIDDAY - MONTH, EPOCH)], 100),
        (
            period(MIDDAY + MONTH, MIDDAY + 2 * MONTH),
            [(MIDDAY + MONTH, MIDDAY + 2 * MONTH), (MIDDAY + MONTH, EPOCH)],
            14,
        ),
    ],
    ids=["total", "this period", "the last one", "one that ends with the epoch", "the next one"],
)
async def test_a_counter_is_what_was_spent_before_and_from_the_epoch_on(
    redis_url: str, redis_client: Any, key: str, asked: list[Asked], used: int
) -> None:
    """The epoch is five seconds ahead; no moment is asked for twice."""
    books = Books(before=100, later=7)
    async with rebuild_on(redis_url, books, FakeClock()) as rebuild:
        before = metric("rebuilt")
        await rebuild.fill([key])

        assert metric("rebuilt") == before + 1
    assert books.asked == asked
    assert await redis_client.keys("gw:*:b:*") == [key.encode()]
    assert await counters(redis_client) == {"used": used, "held": 0}


async def test_a_counter_that_is_there_is_left_as_it_is(redis_url: str, redis_client: Any) -> None:
    """Somebody came first: it is neither counted as rebuilt nor counted again."""
    clock, books = FakeClock(), Books(before=100)
    await redis_client.hset(TOTAL, mapping={"u": 5, "h": 0})
    before = metric("rebuilt")
    async with rebuild_on(redis_url, books, clock) as rebuild:
        await rebuild.fill([TOTAL])
        await asyncio.sleep(0.02)

    assert (metric("rebuilt"), clock.slept_s) == (before, [])
    assert await counters(redis_client) == {"used": 5, "held": 0}


async def test_holds_that_name_other_counters_are_not_read(redis_url: str, redis_client: Any) -> None:
    """To read each of ten thousand kept everybody waiting for a quarter of a second whenever a day began.

    One that cannot be read shows that it was not.
    """
    held = msgspec.msgpack.encode({"hold": 70, "budget_keys": [TOTAL]})
    await redis_client.hset(details_key(USER), mapping={"ours": held, "of another": b"\xc1"})

    async with rebuild_on(redis_url, Books(before=100), FakeClock()) as rebuild:
        await rebuild.fill([TOTAL])

    assert await counters(redis_client) == {"used": 100, "held": 70}


async def test_rows_that_arrive_late_are_added_whenever_they_are_counted_again(
    redis_url: str, redis_client: Any
) -> None:
    """Five times in half a minute, by the same epoch; a count that fails is told and not the last."""
    clock, books = FakeClock(), Books(before=100, later=7)
    found, before = [], metric("recounted")
    async with rebuild_on(redis_url, books, clock) as rebuild:
        await rebuild.fill([TOTAL])
        books.asked.clear()
        with capture_logs() as logs:
            for spent in (100, 130, None, 160, 160):
                await until_asleep(clock)
                books.before = spent or 0
                books.failure = None if spent else Unavailable(ErrorReason.SERVICE_UNAVAILABLE, "away")
                asked = len(books.asked)
                clock.advance(clock.slept_s[-1])
                async with asyncio.timeout(20):
                    while len(books.asked) == asked or (len(clock.slept_s) < 5 and not clock.sleepers):
                        await asyncio.sleep(0.005)
                found.append((await counters(redis_client))["used"])

    assert clock.slept_s == [0.5, 1.5, 4.0, 8.0, 16.0]
    assert books.asked == [(None, EPOCH)] * 5
    assert found == [107, 137, 137, 167, 167]
    assert metric("recounted") == before + 2
    assert logs == [{"event": "admission.recount_missed", "log_level": "warning", "error": "SERVICE_UNAVAILABLE"}]


async def test_callers_that_miss_the_same_counter_wait_for_one_question(redis_url: str, redis_client: Any) -> None:
    """One that leaves does not end it for the others."""
    books = Books(before=100)
    books.open.clear()
    async with rebuild_on(redis_url, books, FakeClock()) as rebuild:
        leaving, staying = [asyncio.create_task(rebuild.fill([TOTAL])) for _ in range(2)]
        while not books.asked:
            await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.sleep(0)
        books.open.set()
        await staying

    assert leaving.cancelled()
    assert len(books.asked) == 2
    assert await counters(redis_client) == {"used": 100, "held": 0}


async def test_a_caller_waits_no_longer_than_it_may_and_the_question_goes_on(redis_url: str, redis_client: Any) -> None:
    """The next caller finds the counter."""
    books = Books(before=100)
    books.open.clear()
    async with rebuild_on(redis_url, books, FakeClock(), timeout_s=0.02) as rebuild:
        with pytest.raises(Unavailable) as refused:
            await rebuild.fill([TOTAL])
        books.open.set()
        async with asyncio.timeout(20):
            while not await redis_client.exists(TOTAL):
                await asyncio.sleep(0.005)

    assert (refused.value.reason, refused.value.retry_after_s) == (ErrorReason.SERVICE_UNAVAILABLE, 2.0)


async def test_when_nobody_says_what_was_spent_the_next_caller_asks_again(redis_url: str, redis_client: Any) -> None:
    """An operator reads why; a caller hears when to come again."""
    books = Books(before=100)
    books.failure = Unavailable(ErrorReason.DATABASE_ERROR, "away")
    async with rebuild_on(redis_url, books, FakeClock()) as rebuild:
        with capture_logs() as logs, pytest.raises(Unavailable) as refused:
            await rebuild.fill([TOTAL])
        books.failure = None
        await rebuild.fill([TOTAL])

    assert (refused.value.reason, refused.value.retry_after_s) == (ErrorReason.SERVICE_UNAVAILABLE, 2.0)
    assert refused.value.message == "Spending cannot be checked right now; try again shortly."
    assert logs == [{"event": "admission.spend_unknown", "log_level": "warning", "reason": "DATABASE_ERROR"}]
    assert await counters(redis_client) == {"used": 100, "held": 0}


async def test_a_fault_of_ours_reaches_the_caller_as_it_is(redis_url: str) -> None:
    """Neither hangs nor passes for an outage."""
    async with rebuild_on(redis_url, Books(), FakeClock()) as rebuild:
        with pytest.raises(ValueError, match="BudgetPeriod"):
            await rebuild.fill(["no budget"])


async def test_a_lost_redis_is_told_to_the_caller(free_port: int) -> None:
    """Whose limits are local then."""
    async with rebuild_on(f"redis://127.0.0.1:{free_port}/0", Books(), FakeClock()) as rebuild:
        with pytest.raises(RedisLost):
            await rebuild.fill([TOTAL])


async def test_who_waits_for_a_rebuild_that_is_stopped_is_told_to_come_again(redis_url: str) -> None:
    """A gateway that ends leaves nobody waiting."""
    books = Books()
    books.open.clear()
    async with rebuild_on(redis_url, books, FakeClock()) as rebuild:
        waiting = asyncio.create_task(rebuild.fill([TOTAL]))
        while not books.asked:
            await asyncio.sleep(0)

    with pytest.raises(Unavailable) as refused:
        await waiting
    assert refused.value.retry_after_s == 2.0
