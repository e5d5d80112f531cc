"""Months go to files and come back; a row is always in one of the two."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias

import asyncpg
import duckdb
import pytest
from pydantic import ValidationError

from servicekit.testing import FakeClock
from services.usage.archiving import store as archive_sql
from services.usage.archiving.archive import Archive, ProofFailed
from services.usage.archiving.parquet import NAMES, prove
from services.usage.archiving.settings import ArchiveSettings
from services.usage.archiving.store import ArchiveStore
from services.usage.ingest import Ingest
from services.usage.spending import Spending
from services.usage.statistics.domain.query import Bucket, Dimension, Query
from services.usage.statistics.store import StatisticsStore
from services.usage.store.usage_store import UsageStore
from services.usage.tests.records import full_record, record, request_id
from services.usage.upkeep import Upkeep
from tools.testing.databases import Databases

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
OLD = datetime(2024, 3, 5, 12, tzinfo=UTC)
MONTH = date(2024, 3, 1)
COST = record(0).cost_micro_rub
EVERYTHING = "SELECT * FROM usage.usage ORDER BY id"


@pytest.fixture
async def owner(databases: Databases, pool: Pool) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """Yield a connection of the schema's owner, who brings months back."""
    name = await pool.fetchval("SELECT current_database()")
    connection = await asyncpg.connect(databases.dsn("usage", name, owner=True))
    yield connection
    await connection.close()


@pytest.fixture
def archive(pool: Pool, tmp_path: Path, clock: FakeClock) -> Archive:
    """Return an archive that keeps three months."""
    return Archive(ArchiveStore(pool), tmp_path, 3, clock=clock)


def names_in(folder: Path) -> list[str]:
    """Return what lies in a folder."""
    return sorted(path.name for path in folder.iterdir())


def read_back(file: Path, rows: Path) -> None:
    """Write the rows of a file as CSV, by the statement of docs/operations/usage.md."""
    with duckdb.connect() as connection:
        connection.execute(f"COPY (SELECT * FROM '{file}') TO '{rows}' (HEADER)")


async def store_old_and_new(ingest: Ingest) -> None:
    """Store rows of an old month, odd ones among them, and a few of this month."""
    odd = [
        replace(
            record(90, OLD), finish_reason='a "quoted", text\nand юникод 💸', started_at=None, prompt_digest=b"\0\xff"
        ),
        replace(record(91, OLD), finish_reason="NULL", error_code="", metadata={"team": "a,b"}, key_id=""),
        replace(full_record(92), request_id=request_id(92, OLD)),
    ]
    await ingest.record([*[record(n, OLD + timedelta(hours=7 * n)) for n in range(20)], *odd, record(1), record(2)])


async def test_a_month_that_is_due_leaves_and_its_sums_stay(
    ingest: Ingest, archive: Archive, upkeep: Upkeep, pool: Pool, tmp_path: Path
) -> None:
    """The file holds every row, its checksum is beside it, and checks go on."""
    await store_old_and_new(ingest)
    asked = Query(None, OLD - timedelta(days=4), OLD + timedelta(days=20), "UTC", Bucket.DAY, (Dimension.KEY,))
    before = await StatisticsStore(pool).figures(asked)

    await archive.round()

    file = tmp_path / "usage-2024-03.parquet"
    assert await pool.fetchval("SELECT count(*) FROM usage.usage") == 2
    assert prove(file).rows == 23
    (noted,) = await pool.fetch("SELECT month, rows, file, sha256 FROM usage.archived_months")
    checksum = hashlib.sha256(file.read_bytes()).hexdigest()
    assert tuple(noted) == (MONTH, 23, file.name, checksum)
    assert (tmp_path / f"{file.name}.sha256").read_text() == f"{checksum}  {file.name}\n"
    assert list(await StatisticsStore(pool).figures(asked)) == list(before) != []
    assert (await upkeep.check_since(OLD)).broken == ()
    assert names_in(tmp_path) == [file.name, f"{file.name}.sha256"]


async def test_what_members_spent_since_they_joined_stays_though_its_rows_leave(
    ingest: Ingest, archive: Archive, pool: Pool
) -> None:
    """An organization's budget without end begins with them, in the middle of a day, and ends so when they leave."""
    joined, left = OLD - timedelta(hours=3), OLD + timedelta(days=2, hours=3)
    at = [joined - timedelta(minutes=1), joined, joined + timedelta(hours=2), left - timedelta(hours=2), left]
    await ingest.record([replace(record(n, moment), user_id="anna") for n, moment in enumerate(at)])
    spending = Spending(UsageStore(pool))
    parts = [("anna", joined, left), ("anna", left, None)]
    before = [await spending.sum_of_many([part]) for part in parts]

    await archive.round()

    assert await pool.fetchval("SELECT count(*) FROM usage.usage") == 0
    assert [await spending.sum_of_many([part]) for part in parts] == before == [3 * COST, COST]


async def test_a_late_record_of_an_archived_month_is_refused_by_name(ingest: Ingest, archive: Archive) -> None:
    """Whether it is in the file nobody looks; the others of its batch are stored."""
    await store_old_and_new(ingest)
    await archive.round()

    outcome = await ingest.record([record(3), record(0, OLD)])

    assert (outcome.inserted, [each.request_id for each in outcome.rejected]) == (1, [record(0, OLD).request_id])


async def test_what_comes_back_is_what_left(
    ingest: Ingest, archive: Archive, upkeep: Upkeep, pool: Pool, owner: Any, tmp_path: Path
) -> None:
    """To the last byte, NULL apart from an empty text; sums were never gone."""
    await store_old_and_new(ingest)
    before = await owner.fetch(EVERYTHING)
    await archive.round()

    assert await owner.fetchval("SELECT usage.reopen_month($1)", MONTH)
    read_back(tmp_path / "usage-2024-03.parquet", tmp_path / "rows.csv")
    await owner.copy_to_table(
        "usage", schema_name="usage", columns=NAMES, source=tmp_path / "rows.csv", format="csv", header=True
    )

    assert await owner.fetch(EVERYTHING) == before
    assert (await upkeep.check_since(OLD)).broken == ()
    assert (await ingest.record([record(0, OLD)])).duplicates == 1


async def test_rows_that_no_file_holds_stay(ingest: Ingest, pool: Pool, tmp_path: Path, clock: FakeClock) -> None:
    """Where the folder is gone, and where a row came after the file was written."""
    await store_old_and_new(ingest)
    async with pool.acquire() as connection:
        await connection.execute("SELECT set_config('razvilka.user', '*', false)")
        proof = await archive_sql.prove(connection, MONTH)
        await connection.execute("SELECT set_config('razvilka.user', '', false)")
    await ingest.record([record(50, OLD)])
    gone = Archive(ArchiveStore(pool), tmp_path / "gone", 3, clock=clock)

    with pytest.raises(OSError, match=r"\.writing-"):
        await gone.round()
    async with ArchiveStore(pool).alone() as alone:
        assert alone is not None
        assert not await archive_sql.drop_month(alone, MONTH, proof, "usage-2024-03.parquet", "0" * 64)

    assert await pool.fetchval("SELECT count(*) FROM usage.usage") == 26


async def test_a_file_with_other_rows_is_not_written_over(
    ingest: Ingest, archive: Archive, pool: Pool, owner: Any, tmp_path: Path
) -> None:
    """A month that was opened again and not filled would replace the only copy of its rows by nothing."""
    await store_old_and_new(ingest)
    (killed := tmp_path / ".writing-by-one-that-was-killed").mkdir()
    await archive.round()
    await owner.execute("SELECT usage.reopen_month($1)", MONTH)

    with pytest.raises(ProofFailed, match="copy it back or move it away"):
        await archive.round()

    assert prove(tmp_path / "usage-2024-03.parquet").rows == 23
    assert names_in(tmp_path) == ["usage-2024-03.parquet", "usage-2024-03.parquet.sha256"]
    assert killed.name not in names_in(tmp_path)


async def test_a_month_that_could_not_leave_leaves_with_the_row_that_came_meanwhile(
    ingest: Ingest, archive: Archive, pool: Pool, tmp_path: Path
) -> None:
    """Somebody read the table when it was to be dropped; the file of before stood in the way of all months for ever."""
    await store_old_and_new(ingest)
    async with pool.acquire() as reader, reader.transaction():
        await reader.execute("SELECT FROM usage.usage LIMIT 1")
        await archive.round()
    left = names_in(tmp_path)
    await ingest.record([record(50, OLD)])

    await archive.round()

    assert left == []
    assert prove(tmp_path / "usage-2024-03.parquet").rows == 24
    assert await pool.fetchval("SELECT count(*) FROM usage.usage") == 2


async def test_months_that_are_not_due_stay(ingest: Ingest, pool: Pool, tmp_path: Path, clock: FakeClock) -> None:
    """Three whole months and the current one."""
    moments = [datetime(2026, month, 9, tzinfo=UTC) for month in (8, 9, 10, 11)]
    await ingest.record([record(number, at) for number, at in enumerate(moments)])

    await Archive(ArchiveStore(pool), tmp_path, 3, clock=clock).round()

    assert await pool.fetchval("SELECT count(*) FROM usage.usage") == 4
    with pytest.raises(asyncpg.CheckViolationError):
        await pool.execute("SELECT usage.archive_month('2999-01-01', 0, 0, 0, '', '', '')")


async def test_two_instances_archive_a_month_once(ingest: Ingest, archive: Archive, pool: Pool) -> None:
    """The second finds the first at work, or nothing to do."""
    await store_old_and_new(ingest)

    await asyncio.gather(archive.round(), archive.round())
    await archive.round()

    assert await pool.fetchval("SELECT count(*) FROM usage.archived_months") == 1


@pytest.mark.parametrize(
    ("given", "said"),
    [({"after_months": 2, "folder": "/x"}, "at least 3"), ({"after_months": 3}, "folder must name")],
)
def test_settings_that_cannot_be_stop_the_start(given: dict[str, Any], said: str) -> None:
    """With the name of the field and what is allowed."""
    with pytest.raises(ValidationError, match=said):
        ArchiveSettings(**given)
    assert ArchiveSettings().after_months == 0
