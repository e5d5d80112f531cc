"""What PostgreSQL has the column store has, once, to the micro-rouble, whatever was killed in between."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import asyncpg
import pytest

from servicekit.errors import InvalidRequest, Unavailable
from servicekit.testing import FakeClock
from services.usage.column_store import feed_store
from services.usage.column_store.choosing import AWAY_S, Chooser, ChosenReader
from services.usage.column_store.column_reader import ColumnReader
from services.usage.column_store.engine import open_engine
from services.usage.column_store.feeder import Feeder
from services.usage.domain.record import Source, UsageRecord
from services.usage.ingest import Ingest
from services.usage.statistics.domain.query import Dimension
from services.usage.statistics.domain.request_line import LogQuery
from services.usage.statistics.store import StatisticsStore
from services.usage.tests.column_store.opened import WHOLE, PostgresMustNotBeAsked, both
from services.usage.tests.records import record, request_id
from services.usage.tests.statistics.samples import BEGIN, sample


async def test_a_feeder_killed_before_it_could_say_so_feeds_nothing_twice(columns, pool, ingest):
    """Its rows do not count while nobody knows that they came, and count once when they are sent again."""
    await columns.fill()
    await ingest.record(records := sample(120))
    async with columns.feed.alone(wait=True) as connection:
        batches, _ = await feed_store.find_pending(connection, 1_000)
        number = await feed_store.next_number(connection)
        await columns.engine.put(await feed_store.copy_pending(connection, batches, number))
    unseen = await columns.reader.figures(WHOLE)

    await columns.feeder.round()

    assert list(unseen) == []
    await both(columns, pool)
    (total,) = await columns.reader.figures(replace(WHOLE, bucket=None, group_by=()))
    assert total.figures.requests == len(records)


async def test_a_guess_that_gives_way_leaves_nothing_behind(columns, pool, ingest):
    """A reaper's record is replaced by the exact one in the column store too, also when only that was fed before."""
    await columns.fill()
    exact = record(1)
    await ingest.record([replace(exact, source=Source.REAPED, cost_micro_rub=5, model="guessed:latest")])
    await columns.feeder.round()
    await ingest.record([exact])
    await columns.feeder.round()

    (row,) = await both(columns, pool, replace(WHOLE, group_by=(Dimension.VERSION,)))

    assert (row.group, row.figures.cost_micro_rub, row.figures.requests) == ((exact.model,), exact.cost_micro_rub, 1)


async def test_the_newest_of_two_batches_on_their_way_counts(columns, pool, ingest):
    """The next batch is read while the one before it is sent; each has a number of its own, and none is left behind."""
    await columns.fill()
    for cost in (5, 9, 7):
        await ingest.record([replace(record(1), source=Source.REAPED, cost_micro_rub=cost), record(cost)])
    await ingest.record([record(1)])

    await Feeder(columns.feed, columns.engine, rows_max=1).round()

    await both(columns, pool)
    assert await pool.fetchval("SELECT count(*) FROM usage.column_feed") == 0


async def test_a_row_that_was_taken_back_is_gone_and_may_come_again(columns, pool, ingest, databases):
    """As an import's rows are."""
    await columns.fill()
    await ingest.record([record(1), record(2)])
    await columns.feeder.round()
    owner = await asyncpg.connect(databases.admin_dsn_of(await dsn_of(pool)))
    await owner.execute("DELETE FROM usage.usage WHERE id = $1", record(1).request_id)
    await columns.feeder.round()
    left = [line.request_id for line in await columns.reader.request_lines(LogQuery(None, BEGIN, WHOLE.until))]
    await ingest.record([record(1)])
    await owner.close()

    await columns.feeder.round()

    assert left == [record(2).request_id]
    assert len(await columns.reader.request_lines(LogQuery(None, BEGIN, WHOLE.until))) == 2


async def dsn_of(pool: asyncpg.Pool[asyncpg.Record]) -> str:
    """Return the name of the pool's database in a DSN."""
    return "postgresql:///" + str(await pool.fetchval("SELECT current_database()"))


async def test_nothing_is_answered_from_it_before_it_has_everything(columns, ingest, clock):
    """PostgreSQL is asked until the last month is copied, and again when notes are not being fed."""
    await ingest.record(sample(20))
    with pytest.raises(PostgresMustNotBeAsked):
        await columns.reader.figures(WHOLE)
    await columns.fill()
    await columns.reader.figures(WHOLE)

    await ingest.record([record(7)])
    too_far = Chooser(columns.feed, behind_max_s=0.0, question_timeout_s=5.0, clock=clock)

    assert await too_far.number() is None


async def test_postgres_answers_while_the_column_store_is_away(columns, pool, ingest, free_port, clock: FakeClock):
    """The same figures; it is not asked again for some seconds; feeding fails by name and loses nothing."""
    await columns.fill()
    await ingest.record(sample(60))
    gone = columns.settings.model_copy(update={"dsn": type(columns.settings.dsn)(f"http://127.0.0.1:{free_port}/x")})
    async with open_engine(gone) as engine:
        reader = ChosenReader(columns.chooser, ColumnReader(engine), StatisticsStore(pool))
        with pytest.raises(Unavailable, match="column store"):
            await Feeder(columns.feed, engine, rows_max=10).round()

        found = await reader.figures(WHOLE)

    assert await columns.chooser.number() is None
    clock.advance(AWAY_S)
    assert sum(row.figures.requests for row in found) == 60
    await columns.feeder.round()
    await both(columns, pool)


async def test_a_month_is_copied_whole_in_place_of_a_wrong_one(columns, pool, ingest):
    """Whatever the column store had of it: filling again mends it, and verifying says before that it differs."""
    await ingest.record(sample(90))
    await columns.fill()
    await columns.engine.run("INSERT INTO usage_rows SELECT * REPLACE (generateUUIDv4() AS id) FROM usage_rows LIMIT 3")
    wrong = await columns.verifying.verify()

    _ = [month async for month in columns.filling.fill(BEGIN.date())]

    assert 1 <= len(wrong.differing) <= 3
    assert (await columns.verifying.verify()).differing == ()
    await both(columns, pool)


async def test_filling_is_refused_before_anything_is_noted(columns):
    """A copy without the feed would miss what is written meanwhile."""
    await columns.feed.end()

    with pytest.raises(InvalidRequest, match="USAGE_ANALYTICS_STORE=clickhouse"):
        await columns.fill()


async def test_filling_goes_on_where_it_was_stopped(columns, pool, ingest, clock: FakeClock):
    """After a kill between two months."""
    await ingest.record(sample(40))
    async for _ in columns.filling.fill():
        break
    state = await columns.feed.state()

    months = await columns.fill()

    assert (state.is_filled, f"{state.next_month:%Y-%m}") == (False, "2026-11")
    assert [f"{month:%Y-%m}" for month in months] == ["2026-11"]
    await both(columns, pool)


async def test_nobody_sees_another_ones_rows(columns, ingest):
    """Whatever the id looks like: by the statement, and by the wall behind it when the statement forgets."""
    hostile = ["user-1", "user-1' OR '1'='1", "user\\", "юзер{x:String}", "*", "%"]
    at = datetime(2026, 11, 20, tzinfo=UTC)
    await columns.fill()
    await ingest.record(
        [replace(record(n), request_id=request_id(n, at), user_id=user) for n, user in enumerate(hostile)]
    )
    await columns.feeder.round()

    for user in hostile:
        rows = await columns.reader.figures(replace(WHOLE, user_id=user))
        lines = await columns.reader.request_lines(LogQuery(user, BEGIN, WHOLE.until))
        forgotten = await columns.engine.ask("SELECT DISTINCT user_id FROM usage_rows FINAL", {}, user)
        assert [row.group for row in rows] == [(user,)]
        assert [line.user_id for line in lines] == [user]
        assert [row[0] for row in forgotten] == [user]


async def test_a_line_of_the_log_has_every_field(columns, pool, ingest: Ingest):
    """Texts that need escaping, moments to the millisecond, tags in every script."""
    odd: UsageRecord = replace(
        record(3),
        requested_model='a\tb\\n"',
        error_code="\\N",
        metadata={"команда": 'п"\\', "a": "\n"},
        cost_micro_rub=1,
    )
    await columns.fill()
    await ingest.record([odd])
    await columns.feeder.round()

    asked = LogQuery(odd.user_id, BEGIN, WHOLE.until)

    assert await columns.reader.request_lines(asked) == list(await StatisticsStore(pool).request_lines(asked))


async def test_a_column_store_that_lost_its_disk_is_not_believed(columns, pool, ingest):
    """Its table is made anew, and PostgreSQL answers until it is filled again."""
    await ingest.record(sample(30))
    await columns.fill()
    await columns.engine.run("DROP TABLE usage_rows SYNC")
    await columns.feeder.round()

    with pytest.raises(PostgresMustNotBeAsked):
        await columns.reader.figures(WHOLE)

    assert len(await columns.fill()) == 2
    await both(columns, pool)


async def test_each_row_that_is_fed_is_looked_up_and_no_others_are_read(columns, pool, ingest):
    """PostgreSQL expects row security to hide nearly all rows, and read all of them for each one that was noted."""
    await ingest.record(sample(300))

    for statement in (feed_store.COPY_PENDING, feed_store.COPY_GONE):
        plan = await pool.fetch("EXPLAIN " + statement.replace("$1", "'{1}'").replace("$2", "7"))
        lines = [row[0] for row in plan if " on usage_2" in row[0]]
        assert lines, statement
        assert [line for line in lines if "Index Scan" not in line] == []
