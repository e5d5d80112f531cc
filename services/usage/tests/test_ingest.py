"""Record: once, whole, and in step with the rollups."""

from __future__ import annotations

from dataclasses import replace

import asyncpg

from services.usage.domain.record import Source
from services.usage.ingest import Ingest
from services.usage.tests.records import record
from services.usage.upkeep import Upkeep


async def test_a_batch_sent_twice_is_stored_once(
    ingest: Ingest, upkeep: Upkeep, pool: asyncpg.Pool[asyncpg.Record]
) -> None:
    """A lost answer costs nothing: the second call finds everything there."""
    batch = [record(number) for number in range(20)]

    first = await ingest.record(batch)
    second = await ingest.record(batch)

    assert (first.inserted, first.duplicates) == (20, 0)
    assert (second.inserted, second.duplicates) == (0, 20)
    assert await pool.fetchval("SELECT sum(requests) FROM usage.rollup_day") == 20
    result = await upkeep.check_since(None)
    assert (result.broken, result.rows_checked) == ((), 20)


async def test_a_reaped_guess_is_replaced_once(ingest: Ingest, upkeep: Upkeep) -> None:
    """The journal's record takes the place of the reaper's guess, the next one is a duplicate."""
    known = record(1)
    guess = replace(known, source=Source.REAPED, cost_micro_rub=999, model="gigachat", first_token_ms=0, key_id="")

    outcomes = [await ingest.record([one]) for one in (guess, known, known, guess)]

    assert [(o.inserted, o.replaced, o.duplicates) for o in outcomes] == [(1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 0, 1)]
    assert (await upkeep.check_since(None)).broken == ()
