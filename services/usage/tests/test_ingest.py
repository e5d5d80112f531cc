"""Record: once, whole, and in step with the rollups."""

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
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from servicekit.errors import ErrorReason, InvalidRequest, Unavailable
from servicekit.testing import FakeClock
from servicekit.testing.fake_clock import MIDDAY
from services.usage.domain.record import Source, UsageRecord
from services.usage.ingest import Ingest
from services.usage.settings import IngestSettings
from services.usage.store import Collision, Refusal, Transaction, UsageStore
from services.usage.tests.records import record
from services.usage.upkeep import Upkeep
from tools.testing.databases import Databases
from tools.testing.plugin import EVERYBODY, MakeDatabaseDsn

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


def counted(name: str, **labels: str) -> float:
    """Return a counter's value now."""
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def test_a_batch_sent_twice_is_stored_once(ingest: Ingest, upkeep: Upkeep, pool: Pool) -> None:
    """A lost answer costs nothing: the second call finds everything there."""
    batch = [record(number) for number in range(20)]

    first = await ingest.record(batch)
    second = await ingest.record(batch)

    assert (first.inserted, first.duplicates) == (20, 0)
    assert (second.inserted, second.duplicates) == (0, 20)
    assert await pool.fetchval("SELECT sum(requests) FROM usage.rollup_day") == 20
    result = await upkeep.check_since(None)
    assert (result.broken, result.rows_checked) == ((), 20)


async def test_a_reaped_guess_is_replaced_once(ingest: Ingest, upkeep: Upkeep, pool: Pool) -> None:
    """The journal's record takes the place of the reaper's guess, the next one is a duplicate."""
    known = record(1)
    guess = replace(known, source=Source.REAPED, cost_micro_rub=999, model="gigachat", first_token_ms=0, key_id="")

    outcomes = [await ingest.record([one]) for one in (guess, known, known, guess)]

    assert [(o.inserted, o.replaced, o.duplicates) for o in outcomes] == [(1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 0, 1)]
    assert await pool.fetchval("SELECT sum(cost_micro_rub) FROM usage.rollup_hour_user") == known.cost_micro_rub
    assert (await upkeep.check_since(None)).broken == ()


async def test_two_journals_replace_one_guess_once(ingest: Ingest, upkeep: Upkeep) -> None:
    """The row's lock lets one of them through; the other finds no guess any more."""
    guess = replace(record(1), source=Source.REAPED, cost_micro_rub=5)
    await ingest.record([guess])

    await asyncio.gather(*[ingest.record([record(number)]) for number in range(2, 12)])  # opens all connections

    outcomes = await asyncio.gather(*[ingest.record([record(1)]) for _ in range(5)])

    assert sum(outcome.replaced for outcome in outcomes) == 1
    assert sum(outcome.duplicates for outcome in outcomes) == 4
    assert (await upkeep.check_since(None)).broken == ()


async def test_a_contradiction_keeps_the_first_and_is_counted(ingest: Ingest, store: UsageStore) -> None:
    """Two different bills for one request are a bug somewhere: seen, not summed."""
    before = counted("razvilka_usage_conflicting_duplicates_total")
    await ingest.record([record(1)])

    outcome = await ingest.record([replace(record(1), tokens_output=51), record(2)])

    assert (outcome.inserted, outcome.duplicates) == (1, 1)
    assert await store.find_of_user("user-1", record(1).request_id) == record(1)
    assert counted("razvilka_usage_conflicting_duplicates_total") == before + 1


async def test_unfit_records_are_named_and_the_others_stored(ingest: Ingest, upkeep: Upkeep) -> None:
    """One poisoned record must not hold up a journal."""
    unfit = replace(record(1), tokens_input=-1)

    outcome = await ingest.record([unfit, record(2)])

    assert outcome.inserted == 1
    assert [(problem.request_id, problem.field) for problem in outcome.rejected] == [(unfit.request_id, "tokens_input")]
    assert (await upkeep.check_since(None)).rows_checked == 1


async def test_a_batch_of_nothing_needs_no_database(clock: FakeClock) -> None:
    """Only unfit records: the answer comes without a transaction."""
    async with asyncpg.create_pool("postgresql://nobody@127.0.0.1:1/none", min_size=0) as pool:
        ingest = Ingest(UsageStore(pool), IngestSettings(), clock=clock, rng=random.Random(1))

        outcome = await ingest.record([replace(record(1), user_id="")])

    assert len(outcome.rejected) == 1


@pytest.fixture
async def owner(pool: Pool, databases: Databases) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """Yield a connection of the schema's owner, who may run DDL."""
    database = await pool.fetchval("SELECT current_database()")
    connection = await asyncpg.connect(databases.dsn("usage", database, owner=True))
    yield connection
    await connection.close()


async def test_what_only_the_database_refuses_is_named_too(
    ingest: Ingest, upkeep: Upkeep, owner: asyncpg.Connection[asyncpg.Record]
) -> None:
    """A rule that our validation does not know costs one record, not the batch and not the journal behind it."""
    await owner.execute("ALTER TABLE usage.usage ADD CONSTRAINT unknown_rule CHECK (model <> 'poison')")
    poison = replace(record(1), model="poison")

    outcome = await ingest.record([record(0), poison, record(2)])

    assert outcome.inserted == 2
    assert [(problem.request_id, problem.field) for problem in outcome.rejected] == [(poison.request_id, "record")]
    assert (await upkeep.check_since(None)).broken == ()


async def test_refuses_a_batch_above_the_limit(store: UsageStore, clock: FakeClock) -> None:
    """A batch of any size would hold its locks for any time."""
    ingest = Ingest(store, IngestSettings(batch_max=2), clock=clock, rng=random.Random(1))

    at_the_limit = await ingest.record([record(number) for number in range(2)])

    assert at_the_limit.inserted == 2
    with pytest.raises(InvalidRequest):
        await ingest.record([record(number) for number in range(3)])


async def test_a_deadlock_is_tried_again(store: UsageStore, upkeep: Upkeep, pool: Pool) -> None:
    """PostgreSQL ends one of two writers that wait for each other; the caller does not notice."""
    ingest = Ingest(store, IngestSettings(), clock=FakeClock(auto_advance=True), rng=random.Random(1))
    await ingest.record([record(0)])
    before = counted("razvilka_usage_transaction_retries_total")

    numbers = itertools.count(1)
    # PostgreSQL ends the writer that looks first; on a busy machine that may be the other one.
    won = False
    while not won:
        won = await is_ended_in_favour_of_another(ingest, pool, record(next(numbers)))

    assert counted("razvilka_usage_transaction_retries_total") == before + 1
    assert (await upkeep.check_since(None)).broken == ()


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


async def test_an_unreachable_database_is_an_outage(clock: FakeClock) -> None:
    """The gateway keeps the batch in its journal and sends it again."""
    async with asyncpg.create_pool("postgresql://nobody@127.0.0.1:1/none", min_size=0) as pool:
        ingest = Ingest(UsageStore(pool), IngestSettings(), clock=clock, rng=random.Random(1))

        with pytest.raises(Unavailable) as caught:
            await ingest.record([record(1)])

    assert caught.value.retry_after_s


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
    before = counted("razvilka_usage_transaction_retries_total")
    dsn = await make_database_dsn("usage")
    async with asyncpg.create_pool(dsn, min_size=8, max_size=8, server_settings=EVERYBODY) as pool:
        store = UsageStore(pool)
        ingest = Ingest(store, IngestSettings(), clock=FakeClock(auto_advance=True), rng=random.Random(1))
        batches = [batches_of(task) for task in range(8)]

        async def write(task: int) -> int:
            return sum([(await ingest.record(batch)).inserted for batch in batches[task]])

        inserted = await asyncio.gather(*[write(task) for task in range(8)])

        expected = {one.request_id: one.cost_micro_rub for task in batches for batch in task for one in batch}
        assert sum(inserted) == len(expected)
        assert await pool.fetchval("SELECT sum(cost_micro_rub) FROM usage.rollup_day") == sum(expected.values())
        assert (await store.check(MIDDAY - timedelta(days=2, hours=12))).broken == ()
    assert counted("razvilka_usage_transaction_retries_total") == before


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
    before = counted("razvilka_usage_transaction_retries_total")

    with pytest.raises(Unavailable) as caught:
        await ingest.record([record(1)])

    assert clock.slept_s == [0.02, 0.04, 0.08, 0.16, 0.2, 0.2]
    assert store.tried == 7
    assert counted("razvilka_usage_transaction_retries_total") == before + 6
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


async def test_every_received_record_is_counted_by_what_became_of_it(ingest: Ingest) -> None:
    """The four outcomes sum up to what came; size and seconds of the batch are observed."""
    await ingest.record([record(1), replace(record(2), source=Source.REAPED)])
    before, batches = outcomes(), counted("razvilka_usage_batch_records_sum")
    durable = counted("razvilka_usage_record_seconds_sum")

    outcome = await ingest.record(
        [record(number) for number in (1, 2, 3, 4, 5, 5)] + [replace(record(6), user_id="")] * 4
    )

    assert (outcome.inserted, outcome.duplicates, outcome.replaced, len(outcome.rejected)) == (3, 2, 1, 4)
    added = {name: value - before[name] for name, value in outcomes().items()}
    assert added == {"inserted": 3, "duplicate": 2, "replaced": 1, "rejected": 4}
    assert counted("razvilka_usage_batch_records_sum") == batches + 10
    assert counted("razvilka_usage_record_seconds_sum") == durable, "the clock of this test stands still"


def outcomes() -> dict[str, float]:
    """Return how many records were counted with each outcome."""
    names = ("inserted", "duplicate", "replaced", "rejected")
    return {name: counted("razvilka_usage_records_total", outcome=name) for name in names}


async def test_the_time_of_a_batch_includes_its_pauses(pool: Pool) -> None:
    """A batch that had to wait is seen to."""
    clock, store = FakeClock(auto_advance=True), OnceContended(pool, Collision)
    before = counted("razvilka_usage_record_seconds_sum")

    await Ingest(store, IngestSettings(), clock=clock, rng=Longest()).record([record(1)])

    assert counted("razvilka_usage_record_seconds_sum") == pytest.approx(before + 0.02)


class OnceContended(Contended):
    """A store whose first transaction collides."""

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Go on after the first."""
        opened = super().transaction() if not self.tried else UsageStore.transaction(self)
        async with opened as transaction:
            yield transaction


async def test_contradictions_and_refusals_are_told_in_the_log(ingest: Ingest, upkeep: Upkeep) -> None:
    """Within a batch, against what is stored, and where nothing is left to store."""
    await ingest.record([record(1), replace(record(4), source=Source.REAPED)])
    other = [replace(record(number), tokens_output=number) for number in (1, 2)]
    unfit = replace(record(3), user_id="")

    with capture_logs() as logs:
        outcome = await ingest.record([record(2), *other, unfit, record(4)])
        await ingest.record([unfit])

    assert (outcome.inserted, outcome.duplicates, outcome.replaced) == (1, 2, 1)
    rejected = ("usage.rejected", unfit.request_id, "user_id", "is missing")
    assert [(one["event"], one["request_id"], one.get("field"), one.get("problem")) for one in logs] == [
        ("usage.conflicting_duplicate", record(2).request_id, None, None),
        ("usage.conflicting_duplicate", record(1).request_id, None, None),
        rejected,
        rejected,
    ]
    assert (await upkeep.check_since(None)).broken == ()


async def test_nothing_to_store_is_counted_and_answered(ingest: Ingest) -> None:
    """Each outcome that is possible without a row."""
    unfit = replace(record(1), user_id="")

    outcome = await ingest.record([unfit, unfit])

    assert (outcome.inserted, outcome.duplicates, outcome.replaced, len(outcome.rejected)) == (0, 0, 0, 2)


async def test_a_batch_above_the_limit_is_told_the_limit(store: UsageStore, clock: FakeClock) -> None:
    """The sender halves it."""
    ingest = Ingest(store, IngestSettings(batch_max=2), clock=clock, rng=random.Random(1))

    with pytest.raises(InvalidRequest) as caught:
        await ingest.record([record(number) for number in range(3)])

    assert (caught.value.reason, caught.value.param) == (ErrorReason.PAYLOAD_TOO_LARGE, "records")
    assert caught.value.message == "More than 2 records."


def test_a_gateway_hears_the_clock_in_microseconds(ingest: Ingest) -> None:
    """By it the gateway knows how wrong its own is."""
    assert ingest.now_us() == 1_795_435_200_000_000
