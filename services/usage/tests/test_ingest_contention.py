"""Record under contention: deadlocks, batches that collide, and what time and log say of them."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import TypeAlias

import asyncpg
import pytest

from servicekit.errors import ErrorReason, Unavailable
from servicekit.testing import FakeClock
from servicekit.testing.fake_clock import MIDDAY
from servicekit.testing.sampled import sampled
from services.usage.domain.record import UsageRecord
from services.usage.ingest import Ingest
from services.usage.settings import IngestSettings
from services.usage.store import Collision, Refusal, Transaction, UsageStore
from services.usage.store.connection import connection_of
from services.usage.tests.records import record
from services.usage.upkeep import Upkeep
from tools.testing.plugin import EVERYBODY, MakeDatabaseDsn

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


async def test_a_deadlock_is_tried_again(store: UsageStore, upkeep: Upkeep, pool: Pool) -> None:
    """PostgreSQL ends one of two writers that wait for each other; the caller does not notice."""
    ingest = Ingest(store, IngestSettings(), clock=FakeClock(auto_advance=True), rng=random.Random(1))
    await ingest.record([record(0)])
    before = sampled("razvilka_usage_transaction_retries_total")

    numbers = itertools.count(1)
    # PostgreSQL ends the writer that looks first; on a busy machine that may be the other one.
    won = False
    while not won:
        won = await is_ended_in_favour_of_another(ingest, pool, record(next(numbers)))

    # A try that follows at once may take the locks before the other writer wakes, and meet it again.
    assert sampled("razvilka_usage_transaction_retries_total") > before
    assert (await upkeep.check_since(None)).broken == ()


async def test_a_batch_that_is_searched_for_a_bad_record_holds_no_sums_from_record_to_record(
    store: UsageStore, ingest: Ingest, pool: Pool
) -> None:
    """Whoever stores meanwhile has a user's sums and wants the others': both would wait, and one end."""
    one, two = replace(record(1), user_id="user-1"), replace(record(2), user_id="user-2")
    await ingest.record([replace(record(3), user_id="user-1"), replace(record(4), user_id="user-2")])

    async with pool.acquire() as other, other.transaction():
        await other.execute("SELECT FROM usage.rollup_day_user WHERE user_id = 'user-2' FOR UPDATE")
        searching = asyncio.create_task(store.find_refused([one, two]))
        await wait_until_blocked(pool)
        await other.execute("SELECT FROM usage.rollup_day_user WHERE user_id = 'user-1' FOR UPDATE NOWAIT")

    assert await searching == {}


async def test_a_deadlock_of_any_statement_says_that_it_may_be_tried_again(pool: Pool) -> None:
    """Not that we have a fault."""
    with pytest.raises(Unavailable) as refusal:
        async with connection_of(pool):
            raise asyncpg.DeadlockDetectedError("deadlock detected")

    assert refusal.value.reason is ErrorReason.DATABASE_ERROR
    assert refusal.value.retry_after_s


async def is_ended_in_favour_of_another(ingest: Ingest, pool: Pool, one: UsageRecord) -> bool:
    """Store a record against a writer that takes the locks the other way round; tell whether the other one got them."""
    async with pool.acquire() as other:
        transaction = other.transaction()
        await transaction.start()
        await other.execute("UPDATE usage.rollup_hour_platform SET requests = requests")
        writing = asyncio.ensure_future(ingest.record([one]))
        await wait_until_blocked(pool)
        try:
            # The writer holds the day's row and wants the platform's: now both wait.
            await other.execute("UPDATE usage.rollup_day SET requests = requests")
            won = True
        except asyncpg.DeadlockDetectedError:
            won = False
        await transaction.rollback()
    assert (await writing).inserted == 1
    return won


async def wait_until_blocked(pool: Pool) -> None:
    """Return when some connection of this database waits for a lock."""
    blocked = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    while not await pool.fetchval(blocked):
        await asyncio.sleep(0)


def batches_with_shared_ids(task: int) -> list[list[UsageRecord]]:
    """Return batches whose ids other tasks write too, each task in an order of its own."""
    rng = random.Random(task)
    return [[costing(rng.randrange(400)) for _ in range(60)] for _ in range(10)]


def batches_with_shared_sums(task: int) -> list[list[UsageRecord]]:
    """Return batches with ids of their own that fall into the same rollup rows, met in random order."""
    rng = random.Random(task)
    numbers = [400 * number + 50 * task for number in range(600)]
    records = [replace(costing(number), user_id=f"user-{rng.randrange(20)}") for number in numbers]
    return [records[start : start + 60] for start in range(0, len(records), 60)]


def costing(number: int) -> UsageRecord:
    """Return a record that is the same for the same number, within the last day."""
    one = record(number, MIDDAY - timedelta(minutes=number % 400))
    return replace(one, user_id=f"user-{number % 5}", model=f"model-{number % 3}", cost_micro_rub=number + 1)


@pytest.mark.parametrize("batches_of", [batches_with_shared_ids, batches_with_shared_sums])
async def test_eight_writers_of_the_same_keys_do_not_deadlock(
    make_database_dsn: MakeDatabaseDsn, batches_of: Callable[[int], list[list[UsageRecord]]]
) -> None:
    """Everybody takes locks in one order, so that no transaction is ever repeated; sums are exact."""
    before = sampled("razvilka_usage_transaction_retries_total")
    dsn = await make_database_dsn("usage")
    async with asyncpg.create_pool(dsn, min_size=8, max_size=8, server_settings=EVERYBODY) as pool:
        store = UsageStore(pool)
        settings = IngestSettings(transactions=8)
        ingest = Ingest(store, settings, clock=FakeClock(auto_advance=True), rng=random.Random(1))
        batches = [batches_of(task) for task in range(8)]

        async def write(task: int) -> int:
            return sum([(await ingest.record(batch)).inserted for batch in batches[task]])

        inserted = await asyncio.gather(*[write(task) for task in range(8)])

        expected = {one.request_id: one.cost_micro_rub for task in batches for batch in task for one in batch}
        assert sum(inserted) == len(expected)
        assert await pool.fetchval("SELECT sum(cost_micro_rub) FROM usage.rollup_day") == sum(expected.values())
        assert (await store.check(MIDDAY - timedelta(days=2, hours=12))).broken == ()
    assert sampled("razvilka_usage_transaction_retries_total") == before


class Contended(UsageStore):
    """A store whose every transaction collides with another one, or is refused although each record is fit."""

    def __init__(self, pool: Pool, error: type[Exception]) -> None:
        super().__init__(pool)
        self.error = error
        self.tried = 0

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Undo what was done in it."""
        self.tried += 1
        async with super().transaction() as transaction:
            yield transaction
            raise self.error


class Longest(random.Random):
    """Chance that always says the most."""

    def uniform(self, a: float, b: float) -> float:
        """Return the upper end of what was asked for from nothing on."""
        assert a == 0
        return b


async def test_a_batch_that_always_collides_is_given_back_after_its_tries(pool: Pool) -> None:
    """Pauses double from 20 ms to 200 at most, none follows the last try; nothing is stored."""
    clock, store = FakeClock(auto_advance=True), Contended(pool, Collision)
    ingest = Ingest(store, IngestSettings(tries_max=7), clock=clock, rng=Longest())
    before = sampled("razvilka_usage_transaction_retries_total")

    with pytest.raises(Unavailable) as caught:
        await ingest.record([record(1)])

    assert clock.slept_s == [0.02, 0.04, 0.08, 0.16, 0.2, 0.2]
    assert store.tried == 7
    assert sampled("razvilka_usage_transaction_retries_total") == before + 6
    assert (caught.value.reason, caught.value.retry_after_s) == (ErrorReason.DATABASE_ERROR, 1.0)
    assert caught.value.message == "The usage database is contended."
    assert await pool.fetchval("SELECT count(*) FROM usage.usage") == 0


async def test_a_refusal_that_no_record_explains_is_an_outage(pool: Pool) -> None:
    """Leaving nothing out and trying again would never end."""
    ingest = Ingest(Contended(pool, Refusal), IngestSettings(), clock=FakeClock(), rng=Longest())

    with pytest.raises(Unavailable) as caught:
        await ingest.record([record(1)])

    assert caught.value.reason is ErrorReason.DATABASE_ERROR
    assert caught.value.message == "The batch was refused, but none of its records is."


async def test_the_time_of_a_batch_includes_its_pauses(pool: Pool) -> None:
    """A batch that had to wait is seen to."""
    clock, store = FakeClock(auto_advance=True), OnceContended(pool, Collision)
    before = sampled("razvilka_usage_record_seconds_sum")

    await Ingest(store, IngestSettings(), clock=clock, rng=Longest()).record([record(1)])

    assert sampled("razvilka_usage_record_seconds_sum") == pytest.approx(before + 0.02)


class OnceContended(Contended):
    """A store whose first transaction collides."""

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Go on after the first."""
        opened = super().transaction() if not self.tried else UsageStore.transaction(self)
        async with opened as transaction:
            yield transaction
