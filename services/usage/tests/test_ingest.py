"""Record: once, whole, and in step with the rollups."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import TypeAlias

import asyncpg
import pytest
from structlog.testing import capture_logs

from servicekit.errors import ErrorReason, InvalidRequest, Unavailable
from servicekit.testing import FakeClock
from servicekit.testing.sampled import sampled
from services.usage.domain.record import Source
from services.usage.ingest import Ingest
from services.usage.settings import IngestSettings
from services.usage.store import UsageStore
from services.usage.tests.conftest import NoPauses
from services.usage.tests.records import record
from services.usage.upkeep import Upkeep
from tools.testing.databases import Databases

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


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


async def test_a_contradiction_keeps_the_first_and_is_sampled(ingest: Ingest, store: UsageStore) -> None:
    """Two different bills for one request are a bug somewhere: seen, not summed."""
    before = sampled("razvilka_usage_conflicting_duplicates_total")
    await ingest.record([record(1)])

    outcome = await ingest.record([replace(record(1), tokens_output=51), record(2)])

    assert (outcome.inserted, outcome.duplicates) == (1, 1)
    assert await store.find_of_user("user-1", record(1).request_id) == record(1)
    assert sampled("razvilka_usage_conflicting_duplicates_total") == before + 1


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
        ingest = Ingest(UsageStore(pool), IngestSettings(), clock=clock, rng=NoPauses())

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
    ingest = Ingest(store, IngestSettings(batch_max=2), clock=clock, rng=NoPauses())

    at_the_limit = await ingest.record([record(number) for number in range(2)])

    assert at_the_limit.inserted == 2
    with pytest.raises(InvalidRequest):
        await ingest.record([record(number) for number in range(3)])


async def test_an_unreachable_database_is_an_outage(clock: FakeClock) -> None:
    """The gateway keeps the batch in its journal and sends it again."""
    async with asyncpg.create_pool("postgresql://nobody@127.0.0.1:1/none", min_size=0) as pool:
        ingest = Ingest(UsageStore(pool), IngestSettings(), clock=clock, rng=NoPauses())

        with pytest.raises(Unavailable) as caught:
            await ingest.record([record(1)])

    assert caught.value.retry_after_s


async def test_every_received_record_is_counted_by_what_became_of_it(ingest: Ingest) -> None:
    """The four outcomes sum up to what came; size and seconds of the batch are observed."""
    await ingest.record([record(1), replace(record(2), source=Source.REAPED)])
    before, batches = outcomes(), sampled("razvilka_usage_batch_records_sum")
    durable = sampled("razvilka_usage_record_seconds_sum")

    outcome = await ingest.record(
        [record(number) for number in (1, 2, 3, 4, 5, 5)] + [replace(record(6), user_id="")] * 4
    )

    assert (outcome.inserted, outcome.duplicates, outcome.replaced, len(outcome.rejected)) == (3, 2, 1, 4)
    added = {name: value - before[name] for name, value in outcomes().items()}
    assert added == {"inserted": 3, "duplicate": 2, "replaced": 1, "rejected": 4}
    assert sampled("razvilka_usage_batch_records_sum") == batches + 10
    assert sampled("razvilka_usage_record_seconds_sum") == durable, "the clock of this test stands still"


def outcomes() -> dict[str, float]:
    """Return how many records were counted with each outcome."""
    names = ("inserted", "duplicate", "replaced", "rejected")
    return {name: sampled("razvilka_usage_records_total", outcome=name) for name in names}


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
    ingest = Ingest(store, IngestSettings(batch_max=2), clock=clock, rng=NoPauses())

    with pytest.raises(InvalidRequest) as caught:
        await ingest.record([record(number) for number in range(3)])

    assert (caught.value.reason, caught.value.param) == (ErrorReason.PAYLOAD_TOO_LARGE, "records")
    assert caught.value.message == "More than 2 records."


def test_a_gateway_hears_the_clock_in_microseconds(ingest: Ingest) -> None:
    """By it the gateway knows how wrong its own is."""
    assert ingest.now_us() == 1_795_435_200_000_000
