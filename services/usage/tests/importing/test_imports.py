"""Usage rows of release 1.0: stored once, summed like all others, and taken back to the last micro-rouble."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, TypeAlias

import asyncpg
import pytest

from servicekit.errors import Conflict, NotFound
from services.usage.domain.record import Source, Status
from services.usage.importing import store as importing
from services.usage.importing.copy_rows import checksum, copy_row, micros_of, month_at, texts_of
from services.usage.importing.imports import BEGINNING, Batch, Imports, tag_of
from services.usage.ingest import Ingest
from services.usage.spending import Spending
from services.usage.store import UsageStore
from services.usage.tests.records import record

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
OLD: Final = datetime(2022, 5, 6, 7, 8, 9, 123_456, tzinfo=UTC)
ROLLUPS: Final = ("rollup_day", "rollup_hour_user", "rollup_hour_platform", "rollup_hour_latency")


def id_of(number: int) -> uuid.UUID:
    """Return the id of version 4 of a row."""
    return uuid.UUID(int=number, version=4)


def values(number: int, at: datetime = OLD, **changes: Any) -> tuple[bytes, int, int, int, int, bytes]:
    """Return what a row of 1.0 is made of."""
    known: dict[str, Any] = {
        "user_id": "user-1", "provider": "gigachat", "model": "gigachat-2:latest", "requested_model": "GigaChat",
        "tokens_input": 10, "cost": 1_500, "tags": {},
    } | changes  # fmt: skip
    texts = texts_of(*(known[name] for name in ("user_id", "provider", "model", "requested_model", "tags")))
    return id_of(number).bytes, micros_of(at), known["tokens_input"], 20, known["cost"], texts


def row(number: int, at: datetime = OLD, **changes: Any) -> bytes:
    """Return a row of 1.0."""
    return copy_row(*values(number, at, **changes))


def batch(
    *rows: bytes,
    from_row: int = BEGINNING,
    to_row: int = 1,
    ids: dict[str, str] | None = None,
    builds_apart: bool = False,
) -> Batch:
    """Return a batch of rows."""
    by_month: dict[date, list[bytes]] = {}
    for each in rows:
        # The time is the second field.
        micros = int.from_bytes(each[26:34], "big", signed=True)
        by_month.setdefault(month_at(micros)[0], []).append(each)
    return Batch(from_row, to_row, by_month, ids or {}, {"rows": to_row}, builds_apart)


async def sums(pool: Pool) -> dict[str, Any]:
    """Return what the rollups say."""
    async with pool.acquire() as connection:
        await connection.execute("SELECT set_config('razvilka.user', '*', false)")
        return {
            table: await connection.fetchval(f"SELECT coalesce(sum(requests), 0)::bigint FROM usage.{table}")
            for table in ROLLUPS
        }


async def test_a_batch_is_there_once_with_its_sums_and_how_far_it_came(store: UsageStore, pool: Pool) -> None:
    """In months of their own, from before 2023 too; without latencies that nobody measured."""
    imports = Imports(store, "old.db")
    rows = [row(number, OLD + timedelta(days=40 * number)) for number in range(5)]

    await imports.put(batch(*rows, to_row=5, ids={"gen-1": str(id_of(0))}))

    assert await imports.progress() == (5, {"rows": 5})
    assert await sums(pool) == {
        "rollup_day": 5, "rollup_hour_user": 5, "rollup_hour_platform": 5, "rollup_hour_latency": 0,
    }  # fmt: skip
    assert await store.count_strays() == 0
    assert (await store.check(datetime(2015, 1, 1, tzinfo=UTC))).broken == ()
    found = await store.find_of_user("user-1", str(id_of(0)))
    assert found is not None
    assert (found.requested_model, found.cost_micro_rub, found.latency_ms) == ("GigaChat", 1_500, 0)


async def test_a_client_finds_its_request_by_the_id_that_1_0_gave_it(store: UsageStore) -> None:
    """And nobody else's."""
    moved = str(id_of(1))
    await Imports(store, "old.db").put(batch(row(1), ids={"gen-1": moved}))
    spending = Spending(store)

    assert (await spending.find_request("user-1", "gen-1")).request_id == moved
    assert (await spending.find_request("user-1", moved)).model == "gigachat-2:latest"
    for user, id_ in (("user-2", "gen-1"), ("user-1", "gen-2"), ("user-1", "\0")):
        with pytest.raises(NotFound):
            await spending.find_request(user, id_)


async def test_an_id_of_1_0_that_looks_like_one_of_1_1_finds_its_request(store: UsageStore) -> None:
    """A UUIDv7 was made when a request began, and the row is of another time: it became another id."""
    moved, old = str(id_of(1)), "01890a5d-ac96-774b-bcce-b302099a8057"
    await Imports(store, "old.db").put(batch(row(1), ids={old: moved}))
    spending = Spending(store)

    assert (await spending.find_request("user-1", old)).request_id == moved
    with pytest.raises(NotFound):
        await spending.find_request("user-2", old)


async def test_rows_are_stored_as_they_were_given(store: UsageStore, pool: Pool) -> None:
    """Every digit of money, every microsecond, texts of any script; what 1.0 did not know is as a row's defaults."""
    at = datetime(2022, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    costs = [0, 1, 99, 100, 10_000, 1_000_000, 1_010_203, 9_999_999_999]
    known: dict[str, Any] = {
        "user_id": "юзер {:}",
        "tokens_input": 2**31 - 1,
        "tags": {"команда": 'a\\"b\x1f\x7f', "b": "", "a": "\t"},
    }

    await Imports(store, "old.db").put(batch(*(row(cost, at, cost=cost, **known) for cost in costs)))

    sums = (len(costs), len(costs) * (2**31 - 1), len(costs) * 20, sum(costs))
    checksums = sum(checksum(*values(cost, at, cost=cost, **known)) for cost in costs)
    assert await Imports(store, "old.db").days() == {at.date(): (*sums, checksums)}
    for cost in costs:
        found = await store.find_of_user("юзер {:}", str(id_of(cost)))
        assert found is not None
        assert (found.cost_micro_rub, found.tokens_input, found.tokens_output) == (cost, 2**31 - 1, 20)
        assert (found.metadata, found.attempts, found.source) == (known["tags"], (), Source.IMPORTED)
        assert (found.status, found.endpoint, found.price_version) == (Status.COMPLETED, "", "import:old.db")
    assert await pool.fetchval("SELECT count(*) FROM pg_tables WHERE tablename = 'import_rows'") == 0
    async with pool.acquire() as connection:
        await connection.execute("SELECT set_config('razvilka.user', '*', false)")
        assert {row_[0] for row_ in await connection.fetch("SELECT created_at FROM usage.usage")} == {at}


async def test_the_checksum_of_a_day_tells_any_value_that_changed(store: UsageStore, pool: Pool) -> None:
    """Sums alone would not see most of these."""
    await Imports(store, "old.db").put(batch(row(1), row(2, user_id="user-2", tags={"team": "a"})))
    changes = (
        "cost = cost + 0.000001",
        "user_id = 'user-3'",
        "provider = ''",
        "model = 'another'",
        "requested_model = 'another'",
        "created_at = created_at + interval '1 microsecond'",
        "id = gen_random_uuid()",
        """metadata = '{"team": "b"}'""",
        "tokens_input = tokens_output, tokens_output = tokens_input",
    )

    async with pool.acquire() as connection:
        await connection.execute("SELECT set_config('razvilka.user', '*', false)")
        before = await importing.sum_days(connection, tag_of("old.db"))
        for change in changes:
            changing = connection.transaction()
            await changing.start()
            await connection.execute(f"UPDATE usage.usage SET {change} WHERE user_id = 'user-2'")
            assert (await importing.sum_days(connection, tag_of("old.db")))[OLD.date()][4] != before[OLD.date()][4]
            await changing.rollback()


async def test_two_movers_of_one_source_do_not_move_a_row_twice(store: UsageStore, pool: Pool) -> None:
    imports = [Imports(store, "old.db"), Imports(store, "old.db")]

    outcomes = await asyncio.gather(
        *(each.put(batch(row(1), row(2), to_row=2)) for each in imports), return_exceptions=True
    )

    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Conflict", "NoneType"]
    assert (await sums(pool))["rollup_day"] == 2


async def test_an_id_that_is_another_row_s_stops_the_batch_whole(store: UsageStore, pool: Pool) -> None:
    """Never `do nothing`: the mover looks for such rows before, and this is the wall behind it."""
    await Imports(store, "old.db").put(batch(row(1)))

    with pytest.raises(Conflict, match="is another row's"):
        await Imports(store, "other.db").put(batch(row(2), row(1)))

    assert (await sums(pool))["rollup_day"] == 1
    assert await Imports(store, "other.db").progress() == (BEGINNING, {})


async def test_taking_back_leaves_everything_else_to_the_micro_rouble(
    store: UsageStore, pool: Pool, ingest: Ingest
) -> None:
    await ingest.record([record(number) for number in range(3)])
    before = await sums(pool)
    other = Imports(store, "other.db")
    await other.put(batch(row(9)))
    imports = Imports(store, "old.db")
    await imports.put(batch(*(row(number, OLD + timedelta(hours=number)) for number in range(50)), to_row=50))

    assert await imports.take_back() == 50
    assert await imports.take_back() == 0
    assert await imports.progress() == (BEGINNING, {})
    assert (await store.check(datetime(2015, 1, 1, tzinfo=UTC))).broken == ()
    assert await other.take_back() == 1
    assert await sums(pool) == before


async def test_two_sources_move_at_the_same_time(store: UsageStore, pool: Pool) -> None:
    """Each waits for the other's batch and none fails."""
    movers = [Imports(store, name) for name in ("old.db", "other.db", "third.db")]

    await asyncio.gather(*(mover.put(batch(row(number))) for number, mover in enumerate(movers)))

    assert (await sums(pool))["rollup_day"] == 3


async def test_a_cost_that_is_no_number_is_refused_by_the_table(pool: Pool) -> None:
    """NaN is not below 0, and one of them would make every sum NaN."""
    async with pool.acquire() as connection:
        await connection.execute("SELECT set_config('razvilka.user', '*', false)")
        with pytest.raises(asyncpg.CheckViolationError, match="usage_cost_is_a_number"):
            await connection.execute(
                "INSERT INTO usage.usage (id, user_id, provider, model, tokens_input, tokens_output, cost, created_at)"
                " VALUES (gen_random_uuid(), 'u', 'p', 'm', 0, 0, 'NaN', now())"
            )
