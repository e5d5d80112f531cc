"""A ClickHouse in trouble costs who asks a moment at most: PostgreSQL answers, requests are stored, nothing is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from prometheus_client import REGISTRY

from servicekit.errors import Unavailable
from servicekit.testing import FakeClock
from services.usage.column_store.choosing import AWAY_S, Chooser, ChosenReader, ChosenSnapshots
from services.usage.column_store.column_reader import ColumnReader
from services.usage.column_store.engine import open_engine
from services.usage.column_store.feeder import Feeder
from services.usage.domain.record import UsageRecord
from services.usage.ingest import Ingest
from services.usage.reports.domain.order import Format, Kind, Order, Wishes
from services.usage.reports.generation import Generation
from services.usage.reports.store.snapshot import Snapshots
from services.usage.statistics.store import StatisticsStore
from services.usage.tests.column_store.in_between import InBetween, Trouble, standing_between
from services.usage.tests.column_store.opened import (
    WHOLE,
    ColumnsUnderTest,
    PostgresMustNotBeAsked,
    both,
    open_columns,
)
from services.usage.tests.reports.histories import BEGINS, ENDS, file_of, history
from services.usage.tests.statistics.samples import sample
from tools.chaos.surroundings import small_disk
from tools.servers.column_engine import running_engine

# Whoever is kept waiting is kept so long.
PATIENCE_S = 0.2
TROUBLES = [trouble for trouble in Trouble if trouble is not Trouble.NONE]


@pytest.fixture
async def between(column_engine_url: str, free_port: int) -> AsyncIterator[InBetween]:
    """Stand between the column store and its engine."""
    async with standing_between(column_engine_url, free_port) as standing:
        yield standing


@pytest.fixture
async def columns(
    between: InBetween, free_port: int, pool: asyncpg.Pool[asyncpg.Record], clock: FakeClock
) -> AsyncIterator[ColumnsUnderTest]:
    """Yield a column store that has everything, behind whoever stands between."""
    async with open_columns(f"http://default@127.0.0.1:{free_port}", pool, clock) as opened:
        await opened.fill()
        yield opened
        between.trouble = Trouble.NONE


@pytest.fixture
async def impatient(columns: ColumnsUnderTest, clock: FakeClock) -> AsyncIterator[tuple[Chooser, ColumnReader, Feeder]]:
    """Yield who chooses, reads and feeds and does not wait long."""
    chooser = Chooser(columns.feed, behind_max_s=60, question_timeout_s=PATIENCE_S, clock=clock)
    async with open_engine(columns.settings.model_copy(update={"timeout_s": PATIENCE_S})) as engine:
        yield chooser, ColumnReader(columns.engine), Feeder(columns.feed, engine, rows_max=1_000)


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: trouble.name.lower())
async def test_postgres_answers_and_requests_are_stored_meanwhile(
    columns, impatient, between, pool, ingest, clock, trouble
):
    """Also when ClickHouse says nothing at all; what was stored meanwhile is fed when it is back."""
    chooser, reader, feeder = impatient
    store = StatisticsStore(pool)
    chosen = ChosenReader(chooser, reader, store)
    between.trouble = trouble

    outcome = await ingest.record(sample(40))
    with pytest.raises(Unavailable, match="column store"):
        await feeder.round()
    found = await chosen.figures(WHOLE)

    assert (outcome.inserted, outcome.rejected) == (40, ())
    assert list(found) == list(await store.figures(WHOLE))
    assert behind_s() > 0
    between.trouble = Trouble.NONE
    await columns.feeder.round()
    await both(columns, pool)
    assert behind_s() == 0


async def test_one_question_tries_whether_it_is_back(columns, impatient, between, pool, ingest, clock: FakeClock):
    """The others do not wait with it; once it was answered everybody is."""
    chooser, reader, _ = impatient
    chosen = ChosenReader(chooser, reader, StatisticsStore(pool))
    await ingest.record(sample(10))
    await columns.feeder.round()
    between.trouble = Trouble.HANGS
    await chosen.figures(WHOLE)
    asked = between.asked

    await asyncio.gather(*[chosen.figures(WHOLE) for _ in range(3)])
    asked_at_once = between.asked
    clock.advance(AWAY_S)
    await asyncio.gather(*[chosen.figures(WHOLE) for _ in range(4)])

    assert (asked_at_once, between.asked) == (asked, asked + 1)


async def test_a_report_is_made_from_postgres(columns, impatient, between, pool, ingest, clock, tmp_path):
    """The same file; whoever ordered it does not wait until a request to ClickHouse would give up."""
    chooser, reader, _ = impatient
    await ingest.record(history(60))
    await columns.feeder.round()
    order = Order("user-1", BEGINS, ENDS, Wishes(Format.JSON, Kind.SUMMARY, "Europe/Berlin"))
    between.trouble = Trouble.HANGS

    made, expected = [
        await file_of(Generation(snapshots, clock, scratch=str(tmp_path), rows_max=1_000), order)
        for snapshots in (ChosenSnapshots(chooser, reader, Snapshots(pool)), Snapshots(pool))
    ]

    assert made == expected


async def test_tables_of_an_earlier_version_are_widened_and_filled_again(columns, pool, ingest, clock: FakeClock):
    """Until then PostgreSQL answers: in what an earlier version copied the new column is empty."""
    await ingest.record(sample(30))
    await columns.feeder.round()
    for table in ("usage_rows", "usage_rows_filling"):
        await columns.engine.run(f"ALTER TABLE {table} DROP COLUMN saved_micro_rub, DROP COLUMN traits")
    with pytest.raises(PostgresMustNotBeAsked):
        await columns.reader.figures(WHOLE)

    await columns.feeder.round()
    await ingest.record(more_than(30))
    await columns.feeder.round()
    clock.advance(AWAY_S)

    assert await columns.chooser.number() is None
    assert REGISTRY.get_sample_value("razvilka_usage_column_store_unfilled") == 1
    assert await columns.fill()
    await both(columns, pool)
    assert await columns.engine.missing_columns() == []


async def test_a_full_disk_holds_up_the_feed_and_nothing_else(pool, ingest: Ingest, clock, tmp_path):
    """ClickHouse refuses rows and PostgreSQL keeps the notes of all of them; with room again they are fed."""
    with small_disk(tmp_path / "disk") as is_small:
        if not is_small:
            pytest.skip("no file system may be mounted here")
        with running_engine(tmp_path / "disk") as url:
            async with open_columns(url, pool, clock) as columns:
                await columns.fill()
                await ingest.record(sample(30))
                ballast = tmp_path / "disk" / "ballast"
                _fill_up(ballast)
                with pytest.raises(Unavailable, match="column store"):
                    await columns.feeder.round()
                outcome = await ingest.record(more_than(30))
                ballast.unlink()

                await columns.feeder.round()

                assert outcome.rejected == ()
                found = await both(columns, pool)
                assert sum(row.figures.requests for row in found) == 60


def behind_s() -> float:
    """Return what the alarm looks at."""
    return REGISTRY.get_sample_value("razvilka_usage_column_store_behind_seconds") or 0.0


def _fill_up(ballast: Path) -> None:
    """Write until there is no room."""
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(1 << 16))
        except OSError:
            return


def more_than(count: int) -> list[UsageRecord]:
    """Return as many requests again, none of those."""
    return sample(2 * count)[count:]
