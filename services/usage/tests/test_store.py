"""SQL against the migrated schema, as the service's own role."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TypeAlias

import asyncpg
import pytest

from servicekit.testing.fake_clock import MIDDAY
from services import usage
from services.usage.domain.record import MAX_COST_MICRO_RUB, Source, Status, UsageRecord
from services.usage.store import UsageStore
from services.usage.tests.records import record
from tools.testing.statements import statements_of, unprepared

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


async def insert(store: UsageStore, *records: UsageRecord) -> None:
    async with store.transaction() as transaction:
        await transaction.insert(records)


async def test_every_query_prepares(pool: Pool) -> None:
    """No statement names a column, a type or a right that the migrated schema does not have."""
    faults = await unprepared(pool, usage)

    # Two are about a table that each import makes for itself, one is ClickHouse's. None found would prove nothing.
    elsewhere = {"INSERT_STAGED", "ADD_STAGED", "_CHECK"}
    assert ({name.rsplit(".", 1)[1] for name in faults}, len(statements_of(usage)) > 200) == (elsewhere, True), faults


def test_the_driver_keeps_every_statement_prepared() -> None:
    """One above its limit is planned anew for each batch: 4 ms, unnoticed by any other test."""
    of_store = {name: query for name, query in statements_of(usage).items() if name.startswith("services.usage.store.")}

    too_long = {name: len(query) for name, query in of_store.items() if len(query) > 15 * 1024}

    assert too_long == {}


@pytest.mark.parametrize("cost", [0, 1, 999_999, 1_000_000, 123_456_789, MAX_COST_MICRO_RUB])
async def test_money_survives_the_way_through_numeric(store: UsageStore, cost: int) -> None:
    """Micro-roubles in, roubles at rest, the same micro-roubles out."""
    await insert(store, replace(record(1), cost_micro_rub=cost))

    found = await store.find_of_user("user-1", record(1).request_id)

    assert found is not None
    assert found.cost_micro_rub == cost


async def test_cost_is_at_rest_in_roubles(store: UsageStore, pool: Pool) -> None:
    """30,000 micro-roubles are three kopecks."""
    await insert(store, record(1))

    assert str(await pool.fetchval("SELECT cost FROM usage.usage")) == "0.030000"


async def test_a_record_comes_back_as_it_was_stored(store: UsageStore) -> None:
    """Every field, the odd ones too."""
    odd = replace(
        record(1),
        status=Status.INTERRUPTED,
        source=Source.ESTIMATED,
        finish_reason='quote " and \\ and юникод 💸',
        attempts=(),
        started_at=None,
        grant_id="grant-1",
        key_id="",
        stream=False,
    )
    await insert(store, record(2), odd)

    assert await store.find_of_user("user-1", odd.request_id) == odd
    assert await store.find_of_user("user-1", record(2).request_id) == record(2)
    assert await store.find_of_user("user-2", odd.request_id) is None


async def test_a_row_lies_in_the_month_of_its_id(store: UsageStore, pool: Pool) -> None:
    """A journal replayed after midnight of the month's last day books into the old month."""
    moments = {
        datetime(2026, 10, 31, 23, 59, 59, 999_000, tzinfo=UTC): "2026_10",
        datetime(2026, 11, 1, tzinfo=UTC): "2026_11",
    }
    await store.ensure_months({date(2026, 10, 1), date(2026, 11, 1)})

    await insert(store, *[record(1, at) for at in moments])

    rows = await pool.fetch("SELECT created_at, tableoid::regclass::text AS name FROM usage.usage")
    assert {row["created_at"]: row["name"] for row in rows} == {at: f"usage_{name}" for at, name in moments.items()}


async def test_rows_that_waited_for_their_partition_move_over(store: UsageStore, pool: Pool) -> None:
    """The default partition empties when the month gets its own."""
    await insert(store, *[record(number) for number in range(3)])
    waiting = await store.count_strays()

    await store.ensure_months({date(2026, 11, 1)})

    assert waiting == 3
    assert await store.count_strays() == 0
    assert await pool.fetchval("SELECT count(*) FROM usage.usage") == 3
    assert (await store.check(MIDDAY - timedelta(hours=12))).broken == ()


async def test_a_new_partition_has_the_parents_indexes(store: UsageStore, pool: Pool) -> None:
    """ATTACH takes over the copies instead of building second ones."""
    await store.ensure_months({date(2026, 11, 1)})

    names = "SELECT count(*) FROM pg_indexes WHERE schemaname = 'usage' AND tablename = $1"
    assert await pool.fetchval(names, "usage_2026_11") == await pool.fetchval(names, "usage") == 7
    invalid = (
        "SELECT count(*) FROM pg_index JOIN pg_class ON oid = indexrelid WHERE NOT indisvalid AND relname LIKE 'usage%'"
    )
    assert await pool.fetchval(invalid) == 0


@pytest.mark.parametrize("month", [date(1970, 1, 1), date(2014, 12, 1), date(2090, 1, 1)])
async def test_makes_no_partition_for_an_absurd_month(pool: Pool, month: date) -> None:
    """A gateway with a broken clock must not fill the catalogue with tables."""
    assert await pool.fetchval("SELECT usage.ensure_month($1)", month) is False


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE usage.mine (a int)",
        "ALTER TABLE usage.usage ADD COLUMN mine int",
        "DROP TABLE usage.rollup_day",
        "TRUNCATE usage.usage",
        "DELETE FROM usage.usage",
        "DELETE FROM usage.rollup_day",
        "INSERT INTO usage.usage_default SELECT * FROM usage.usage",
        "CREATE SCHEMA mine",
        "CREATE TABLE public.mine (a int)",
        "CREATE TABLE auth.mine (a int)",
        "SET ROLE razvilka_usage_owner",
        "CREATE OR REPLACE FUNCTION usage.ensure_month(month date) RETURNS boolean LANGUAGE sql AS 'SELECT true'",
    ],
)
async def test_the_services_role_may_not(pool: Pool, statement: str) -> None:
    """Neither DDL, nor other schemas, nor the deletion of what was billed."""
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await pool.execute(statement)


async def test_partitions_are_not_a_way_round(store: UsageStore, pool: Pool) -> None:
    """A month's own table is closed to the service; it goes through the parent."""
    await store.ensure_months({date(2026, 11, 1)})

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await pool.execute("DELETE FROM usage.usage_2026_11")


async def test_a_commit_is_durable_before_it_is_answered(pool: Pool) -> None:
    """An acknowledged record survives a crash of the server: nobody turned synchronous_commit off."""
    assert await pool.fetchval("SHOW synchronous_commit") == "on"
