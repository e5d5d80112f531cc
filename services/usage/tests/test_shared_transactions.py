"""Batches that wait for each other become one transaction, and each has an outcome of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TypeAlias

import asyncpg
import pytest

from servicekit.errors import ErrorReason, Unavailable
from servicekit.testing import FakeClock
from services.usage.domain.batch import Batch, Outcome
from services.usage.domain.record import Source, UsageRecord
from services.usage.ingest import Ingest
from services.usage.settings import IngestSettings
from services.usage.shared_transactions import SharedTransactions
from services.usage.store import Transaction, UsageStore
from services.usage.tests.conftest import NoPauses
from services.usage.tests.records import record
from services.usage.upkeep import Upkeep
from tools.testing.databases import Databases

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


def batch(*numbers: int) -> Batch:
    """Return a batch of these records."""
    return Batch(tuple(map(record, numbers)), 0, (), ())


class Held:
    """Stores nothing, and not before it is let: what is called together is told by the first ids' numbers."""

    def __init__(self) -> None:
        self.calls: list[list[Batch]] = []
        self.let = asyncio.Event()
        self.error: Exception | None = None

    async def store(self, batches: Sequence[Batch]) -> Sequence[Outcome]:
        """Say that all was new."""
        self.calls.append(list(batches))
        await self.let.wait()
        if self.error is not None:
            raise self.error
        return [Outcome(len(each.records), 0, 0, ()) for each in batches]


async def begun(held: Held, *batches: Batch, records_max: int = 5) -> list[asyncio.Task[Outcome]]:
    """Return the callers of one transaction at a time, all waiting."""
    shared = SharedTransactions(held.store, at_once=1, records_max=records_max)
    callers = [asyncio.create_task(shared.store(each)) for each in batches]
    while not held.calls:
        await asyncio.sleep(0)
    return callers


async def test_what_comes_meanwhile_is_stored_together() -> None:
    """In the order in which it came, as far as it fits; each caller learns of its own batch."""
    held = Held()
    batches = [batch(1), batch(2, 3), batch(4), batch(5, 6, 7), batch(8)]
    callers = await begun(held, *batches)
    held.let.set()

    outcomes = await asyncio.gather(*callers)

    assert [outcome.inserted for outcome in outcomes] == [1, 2, 1, 3, 1]
    assert held.calls == [[batches[0]], [batches[1], batches[2], batches[4]], [batches[3]]]


async def test_a_batch_with_an_id_of_another_waits_for_the_next_turn() -> None:
    """One statement cannot insert an id twice; and a batch larger than a transaction goes alone."""
    held = Held()
    batches = [batch(1), batch(2), batch(2, 3), batch(10, 11, 12, 13, 14, 15, 16)]
    callers = await begun(held, *batches)
    held.let.set()

    await asyncio.gather(*callers)

    assert held.calls == [[batches[0]], [batches[1]], [batches[2]], [batches[3]]]


async def test_a_failure_is_everybodys() -> None:
    """None of them is known to be stored: all are sent again."""
    held = Held()
    held.error = Unavailable(ErrorReason.DATABASE_ERROR, "Away.")
    callers = await begun(held, batch(1), batch(2), batch(3))
    held.let.set()

    assert await asyncio.gather(*callers, return_exceptions=True) == [held.error] * 3


async def test_a_caller_that_goes_away_takes_nobody_with_it() -> None:
    """Whether its batch waits, and is then not stored, or is being stored for others too."""
    held = Held()
    first, gone, last = await begun(held, batch(1), batch(2), batch(3))
    first.cancel()
    gone.cancel()
    held.let.set()

    assert (await last).inserted == 1
    assert held.calls == [[batch(1)], [batch(3)]]


class Counting(UsageStore):
    """A store that counts its transactions."""

    transactions = 0

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Count it."""
        self.transactions += 1
        async with super().transaction() as transaction:
            yield transaction


async def together(ingest: Ingest, *batches: Sequence[UsageRecord]) -> list[Outcome]:
    """Store batches at once."""
    return await asyncio.gather(*[ingest.record(each) for each in batches])


async def test_batches_in_one_transaction_are_counted_apart(pool: Pool, upkeep: Upkeep, clock: FakeClock) -> None:
    """New ones, one sent twice, one that replaces a guess, one that contradicts; the books hold."""
    store = Counting(pool)
    ingest = Ingest(store, IngestSettings(transactions=1), clock=clock, rng=NoPauses())
    guess = replace(record(4), source=Source.REAPED, cost_micro_rub=5)
    await ingest.record([record(1), record(3), guess])
    store.transactions = 0

    outcomes = await together(
        ingest,
        [record(0)],
        [record(1), record(2)],
        [replace(record(3), tokens_output=51), replace(record(5), tokens_input=-1)],
        [record(4)],
    )

    told = [(each.inserted, each.duplicates, each.replaced, len(each.rejected)) for each in outcomes]
    assert told == [(1, 0, 0, 0), (1, 1, 0, 0), (0, 1, 0, 1), (0, 0, 1, 0)]
    assert [each.conflicting for each in outcomes] == [(), (), (record(3).request_id,), ()]
    assert store.transactions == 2
    assert (await upkeep.check_since(None)).broken == ()


@pytest.mark.parametrize("poisoned", [1, 2, 3])
async def test_a_record_that_the_database_refuses_costs_no_other_batch(
    pool: Pool, upkeep: Upkeep, clock: FakeClock, databases: Databases, poisoned: int
) -> None:
    """They are stored one by one then, and only that record is named."""
    owner = await asyncpg.connect(databases.dsn("usage", await pool.fetchval("SELECT current_database()"), owner=True))
    await owner.execute("ALTER TABLE usage.usage ADD CONSTRAINT unknown_rule CHECK (model <> 'poison')")
    await owner.close()
    ingest = Ingest(UsageStore(pool), IngestSettings(transactions=1), clock=clock, rng=NoPauses())
    batches = [[record(10 * number), record(10 * number + 1)] for number in range(5)]
    batches[poisoned][0] = replace(batches[poisoned][0], model="poison")

    outcomes = await together(ingest, *batches)

    assert [each.inserted for each in outcomes] == [1 if number == poisoned else 2 for number in range(5)]
    assert [len(each.rejected) for each in outcomes] == [int(number == poisoned) for number in range(5)]
    assert (await upkeep.check_since(None)).broken == ()
