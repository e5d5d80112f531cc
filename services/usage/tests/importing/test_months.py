"""Months built apart: nobody sees a row before all of its month are there, with their sums and indexes, once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Final, TypeAlias

import asyncpg
import pytest

from servicekit.errors import Conflict, Unavailable
from services.usage.importing import months
from services.usage.importing.imports import BEGINNING, Batch, Imports
from services.usage.store import UsageStore
from services.usage.tests.importing.test_imports import batch, id_of, row
from tools.testing.plugin import MakeDatabase

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
EVER: Final = datetime(2015, 1, 1, tzinfo=UTC)
MAY: Final = datetime(2022, 5, 31, 22, 0, 0, tzinfo=UTC)
FIRSTS: Final = [date(2022, 5, 1), date(2022, 6, 1)]
# Two months that share a week, hours with several rows, tags, users and models that are told apart.
ROWS: Final = [
    row(
        number,
        MAY + timedelta(minutes=7 * number),
        user_id=f"user-{number % 3}",
        model=f"model-{number % 2}",
        tokens_input=number,
        cost=number * 1_001,
        tags={"team": str(number % 4)} if number % 5 == 0 else {},
    )
    for number in range(60)
]
INDEXES: Final = """
SELECT regexp_replace(pg_get_indexdef(indexrelid), ' INDEX .* ON ', ' '), indisunique, indisprimary
FROM pg_index WHERE indrelid = 'usage.usage_2022_05'::regclass
"""


def apart(*rows: bytes, from_row: int = BEGINNING, to_row: int = 60) -> Batch:
    """Return a batch of many rows."""
    return batch(*rows, from_row=from_row, to_row=to_row, builds_apart=True)


async def attach_all(imports: Imports) -> None:
    """Have what was built apart take its place."""
    for month in sorted(await imports.months_apart()):
        await imports.attach(month)


async def seen_by_all(pool: Pool, *queries: str) -> list[list[str]]:
    """Return answers to one who sees all users."""
    async with pool.acquire() as connection:
        await connection.execute("SELECT set_config('razvilka.user', '*', false)")
        return [sorted(map(repr, await connection.fetch(query))) for query in queries]


async def everything(pool: Pool) -> Mapping[str, list[str]]:
    """Return the rows and all sums."""
    found = await pool.fetch("SELECT tablename FROM pg_tables WHERE tablename LIKE 'rollup%' ORDER BY 1")
    names = ["usage", *(name for (name,) in found)]
    return dict(zip(names, await seen_by_all(pool, *(f"SELECT * FROM usage.{name}" for name in names)), strict=True))


async def tables_apart(pool: Pool) -> int:
    """Return how many tables of months wait."""
    found: int = await pool.fetchval("SELECT count(*) FROM pg_tables WHERE tablename ~ '^import_[0-9a-f]{16}_'")
    return found


async def test_a_month_is_there_as_if_its_rows_had_come_the_way_of_others(
    store: UsageStore, pool: Pool, make_database: MakeDatabase
) -> None:
    """To the last byte of rows and of every rollup, with the same indexes."""
    other = await make_database("usage")
    await Imports(UsageStore(other), "old.db").put(batch(*ROWS))
    imports = Imports(store, "old.db")

    await imports.put(apart(*ROWS))
    await attach_all(imports)

    assert await everything(pool) == await everything(other)
    assert await seen_by_all(pool, INDEXES) == await seen_by_all(other, INDEXES)
    assert (await store.check(EVER)).broken == ()
    assert await tables_apart(pool) == 0


async def test_nobody_sees_a_row_of_a_month_that_waits(store: UsageStore, pool: Pool) -> None:
    """Nor a sum: rows and rollups agree all the time."""
    imports = Imports(store, "old.db")

    await imports.put(apart(*ROWS))

    assert list(await imports.months_apart()) == FIRSTS
    assert await imports.progress() == (60, {"rows": 60})
    assert await imports.days() == {}
    assert not any((await everything(pool)).values())
    await imports.attach(FIRSTS[0])
    assert list(await imports.days()) == [MAY.date()]
    assert (await store.check(EVER)).broken == ()


async def test_a_month_that_has_its_indexes_takes_more_rows_and_has_an_id_once(store: UsageStore, pool: Pool) -> None:
    """Nobody sees its rows: it is summed and attached as others are, and has indexes once."""
    imports = Imports(store, "old.db")
    await imports.put(apart(*ROWS[:30], to_row=30))
    for month in FIRSTS[:1] * 2:
        await imports.index(month)

    with pytest.raises(Conflict, match="is another row's"):
        await imports.put(apart(*ROWS[:31], from_row=30, to_row=60))
    assert not any((await everything(pool)).values())
    await imports.put(apart(*ROWS[30:], from_row=30, to_row=60))
    await attach_all(imports)

    assert len((await everything(pool))["usage"]) == 60
    assert (await store.check(EVER)).broken == ()
    assert len((await seen_by_all(pool, INDEXES))[0]) == await pool.fetchval(
        "SELECT count(*) FROM pg_index WHERE indrelid = 'usage.usage'::regclass"
    )


async def test_a_mover_that_was_killed_is_followed_by_one_that_goes_on(store: UsageStore, pool: Pool) -> None:
    """Rows of the same month go to its table, few as they are; a month that has taken its place stays there."""
    first = Imports(store, "old.db")
    await first.put(apart(*ROWS[:30], to_row=30))
    await first.attach(FIRSTS[0])

    second = Imports(store, "old.db")
    await second.put(batch(*ROWS[30:], from_row=30, to_row=60))
    assert list(await second.months_apart()) == FIRSTS[1:]
    await asyncio.gather(*(each.attach(month) for month in FIRSTS for each in (first, second)))

    assert len((await everything(pool))["usage"]) == 60
    assert (await store.check(EVER)).broken == ()


async def test_a_month_that_has_a_partition_by_now_takes_the_rows(store: UsageStore, pool: Pool) -> None:
    """A late request of 1.1, or another source, was there before; rows without a partition move into it."""
    imports, other = Imports(store, "old.db"), Imports(store, "other.db")
    await imports.put(apart(*ROWS))
    await other.put(batch(row(100, MAY)))
    async with pool.acquire() as connection:
        await connection.execute("SELECT set_config('razvilka.user', '*', false)")
        await connection.execute(
            "INSERT INTO usage.usage (id, user_id, provider, model, tokens_input, tokens_output, cost, created_at)"
            " VALUES ($1, 'u', 'p', 'm', 0, 0, 0, $2)", id_of(101), MAY + timedelta(days=3)
        )  # fmt: skip

    await attach_all(imports)

    assert len((await everything(pool))["usage"]) == 62
    assert await store.count_strays() == 0
    assert await tables_apart(pool) == 0
    assert await other.take_back() == 1
    assert sum(day[0] for day in (await imports.days()).values()) == 60


async def test_months_that_others_write_to_are_not_built_apart(store: UsageStore, pool: Pool) -> None:
    """The present one, one that has a partition, and those that have none."""
    imports = Imports(store, "old.db")
    await store.ensure_months({FIRSTS[0]})
    strange = [row(90, datetime.now(UTC)), row(91, datetime(1999, 1, 1, tzinfo=UTC))]

    await imports.put(apart(*ROWS, *strange))

    assert list(await imports.months_apart()) == FIRSTS[1:]
    await attach_all(imports)
    assert len((await everything(pool))["usage"]) == 62


async def test_an_id_that_is_there_twice_stops_its_month_and_no_other(store: UsageStore, pool: Pool) -> None:
    imports = Imports(store, "old.db")
    await imports.put(apart(*ROWS, ROWS[0]))

    for act in (imports.index, imports.attach):
        with pytest.raises(Conflict, match="is another row's"):
            await act(FIRSTS[0])
    await imports.attach(FIRSTS[1])

    assert list(await imports.months_apart()) == FIRSTS[:1]
    assert list(await imports.days()) == [date(2022, 6, 1)]
    assert (await store.check(EVER)).broken == ()


async def test_what_waits_is_taken_back_too(store: UsageStore, pool: Pool) -> None:
    """And its users are not taken from it by another source."""
    imports, other = Imports(store, "old.db"), Imports(store, "other.db")
    await imports.put(apart(*ROWS))
    await imports.attach(FIRSTS[0])
    assert await other.users_of_others(["user-1", "user-9"]) == ["user-1"]
    assert await imports.users_of_others(["user-1", "user-9"]) == []

    assert await imports.take_back() == 60

    assert await tables_apart(pool) == 0
    assert await other.users_of_others(["user-1"]) == []
    await imports.put(apart(*ROWS))
    await attach_all(imports)
    assert (await store.check(EVER)).broken == ()
    assert len((await everything(pool))["usage"]) == 60


async def test_a_backup_that_reads_the_rows_is_told_of_and_waited_for(
    store: UsageStore, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(months, "TRIES", 1)
    imports = Imports(store, "old.db")
    await imports.put(apart(*ROWS))
    name = await pool.fetchval(months.NAME_APART, "import:old.db", FIRSTS[0])
    async with pool.acquire() as backup, backup.transaction():
        await backup.execute(f"SELECT FROM usage.{name}")
        for act in (imports.index, imports.attach):
            with pytest.raises(Unavailable, match="A backup or a long query"):
                await act(FIRSTS[0])
    assert not any((await everything(pool)).values())

    await attach_all(imports)

    assert len((await everything(pool))["usage"]) == 60


async def test_the_service_can_make_no_other_table(pool: Pool) -> None:
    """Of a day, of a time to come."""
    for month in (date(2022, 5, 2), date(2014, 12, 1), date(9999, 1, 1)):
        assert await pool.fetchval(months.BUILD_APART, "import:old.db", month) is None
