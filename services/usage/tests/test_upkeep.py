"""The background jobs: partitions in time, breaches seen."""

from __future__ import annotations

import asyncio
import contextlib
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeAlias

import asyncpg
import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from servicekit.lifecycle import background
from servicekit.postgres import database_errors
from servicekit.testing import FakeClock
from servicekit.testing.fake_clock import MIDDAY
from servicekit.testing.sampled import sampled
from services.usage.domain.invariant import Invariant
from services.usage.ingest import Ingest
from services.usage.settings import InvariantSettings, PartitionSettings
from services.usage.store import UsageStore
from services.usage.tests.records import record
from services.usage.upkeep import RETRY_S, Upkeep, watch_backup

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

BREACHES = [
    ("UPDATE usage.rollup_day SET cost_micro_rub = cost_micro_rub + 1", Invariant.ROWS_EQUAL_DAYS),
    ("UPDATE usage.rollup_day SET model = 'other'", Invariant.ROWS_EQUAL_DAYS),
    ("UPDATE usage.rollup_hour_user SET requests = 0", Invariant.ROWS_EQUAL_USER_HOURS),
    ("UPDATE usage.rollup_hour_platform SET tokens_cached = 0", Invariant.ROWS_EQUAL_PLATFORM_HOURS),
    ("UPDATE usage.rollup_day_user SET requests = 0", Invariant.ROWS_EQUAL_USER_DAYS),
    ("UPDATE usage.rollup_day_platform SET endpoint = 'other'", Invariant.ROWS_EQUAL_PLATFORM_DAYS),
    ("UPDATE usage.rollup_hour_latency SET requests = 2 WHERE metric = 'first_token'", Invariant.ROWS_EQUAL_LATENCY),
    (
        "UPDATE usage.usage SET created_at = created_at + interval '1 millisecond'",
        Invariant.ID_TIME_IS_CREATED_AT,
    ),
    (
        "INSERT INTO usage.usage (id, created_at, user_id, provider, model, tokens_input, tokens_output, cost) "
        "SELECT id, created_at + interval '1 second', user_id, provider, model, 0, 0, 0 FROM usage.usage",
        Invariant.EACH_ID_ONCE,
    ),
]


@pytest.mark.parametrize(("tamper", "invariant"), BREACHES, ids=[f"{n}-{name}" for n, (_, name) in enumerate(BREACHES)])
async def test_a_breach_is_found_and_exported(
    ingest: Ingest, upkeep: Upkeep, pool: Pool, tamper: str, invariant: Invariant
) -> None:
    """Each invariant notices what breaks it, in the answer and in the metric."""
    await ingest.record([record(1)])
    await pool.execute(tamper)

    await upkeep.check_recent()

    result = await upkeep.check_since(None)
    assert invariant in {broken.invariant for broken in result.broken}
    assert REGISTRY.get_sample_value("razvilka_usage_invariants_broken", {"invariant": invariant.value})


async def test_a_healthy_check_clears_the_metric(ingest: Ingest, upkeep: Upkeep, pool: Pool) -> None:
    """What was repaired stops the alarm."""
    await ingest.record([record(1)])
    await pool.execute("UPDATE usage.rollup_day SET requests = 2")
    await upkeep.check_recent()
    await pool.execute("UPDATE usage.rollup_day SET requests = 1")

    await upkeep.check_recent()

    values = [
        REGISTRY.get_sample_value("razvilka_usage_invariants_broken", {"invariant": name.value}) for name in Invariant
    ]
    assert values == [0] * len(Invariant)


async def test_the_check_covers_whole_days(ingest: Ingest, upkeep: Upkeep) -> None:
    """From the UTC midnight before the moment asked for; by default yesterday and today."""
    moments = [datetime(2026, 11, day, 23, 59, tzinfo=UTC) for day in (20, 21, 22)]
    await ingest.record([record(number, at) for number, at in enumerate(moments)])

    assert (await upkeep.check_since(None)).rows_checked == 1
    assert (await upkeep.check_since(moments[1])).rows_checked == 2
    assert (await upkeep.check_since(datetime.min.replace(tzinfo=UTC))).rows_checked == 3


async def test_a_check_beside_writers_raises_no_alarm(ingest: Ingest, upkeep: Upkeep) -> None:
    """All comparisons see one snapshot."""

    async def write() -> None:
        for start in range(0, 200, 10):
            await ingest.record([record(start + number) for number in range(10)])

    writing = asyncio.ensure_future(write())
    while not writing.done():
        assert (await upkeep.check_since(None)).broken == ()
    await writing


async def test_partitions_exist_before_they_are_needed(upkeep: Upkeep, pool: Pool, clock: FakeClock) -> None:
    """This month and two ahead, and the next one when the clock gets there."""
    names = "SELECT relname FROM pg_class WHERE relname ~ '^usage_[0-9_]+$' AND relkind = 'r' ORDER BY relname"
    async with background() as tasks:
        tasks.start(upkeep.keep_partitions(), name="partitions")
        while not clock.sleepers:
            await asyncio.sleep(0)
        first = [row[0] for row in await pool.fetch(names)]

    assert first == ["usage_2026_11", "usage_2026_12", "usage_2027_01"]


async def test_rows_without_a_partition_raise_an_alarm(ingest: Ingest, upkeep: Upkeep) -> None:
    """The clock of some gateway stood in 1999: the row is kept, and the metric says so."""
    await ingest.record([record(1, datetime(1999, 1, 1, tzinfo=UTC))])

    await upkeep.make_partitions()

    assert REGISTRY.get_sample_value("razvilka_usage_default_partition_rows") == 1


async def test_how_long_partitions_last_is_exported(upkeep: Upkeep) -> None:
    """An alarm can ring weeks before the first row without one."""
    await upkeep.make_partitions()

    assert sampled("razvilka_usage_partitions_until_timestamp_seconds") == datetime(2027, 2, 1, tzinfo=UTC).timestamp()


async def test_the_time_of_the_last_backup_is_exported(tmp_path: Path) -> None:
    """0 before the first one, so that also a backup that was never made rings."""
    stamp = tmp_path / "backup"
    await watch_backup(stamp)
    before = sampled("razvilka_usage_backup_finished_timestamp_seconds")
    stamp.touch()
    os.utime(stamp, (1_790_000_000, 1_790_000_000))

    await watch_backup(stamp)

    assert before == 0
    assert sampled("razvilka_usage_backup_finished_timestamp_seconds") == 1_790_000_000


async def test_a_job_that_failed_is_tried_again_soon(clock: FakeClock) -> None:
    """PostgreSQL was down at the start: partitions are not an hour late."""
    async with asyncpg.create_pool("postgresql://nobody@127.0.0.1:1/none", min_size=0) as pool:
        upkeep = Upkeep(UsageStore(pool), PartitionSettings(), InvariantSettings(), clock=clock)
        job = asyncio.ensure_future(upkeep.keep_partitions())
        while not clock.sleepers:
            await asyncio.sleep(0)
        job.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await job

    assert clock.slept_s == [RETRY_S]


async def test_a_job_that_failed_says_what_postgres_said(upkeep: Upkeep, pool: Pool, clock: FakeClock) -> None:
    """A server that is read-only, full or away is one reason to callers, and three pages to whoever mends it."""

    async def write() -> None:
        with database_errors():
            async with pool.acquire() as connection, connection.transaction(readonly=True):
                await connection.execute("DELETE FROM usage.rollup_day")

    with capture_logs() as logs:
        job = asyncio.ensure_future(upkeep.repeat("test", RETRY_S, write))
        while not clock.sleepers:
            await asyncio.sleep(0)
        job.cancel()

    (line,) = [line for line in logs if line["event"] == "usage.upkeep_failed"]
    assert (line["reason"], line["cause"]) == ("DATABASE_ERROR", "ReadOnlySQLTransactionError")
    assert line["error"] == "cannot execute DELETE in a read-only transaction"


async def test_a_record_of_yesterday_is_checked_by_its_own_time(ingest: Ingest, upkeep: Upkeep) -> None:
    """Late records land in their own day and hour."""
    await ingest.record([replace(record(1, MIDDAY - timedelta(days=1)), started_at=None)])

    result = await upkeep.check_since(None)

    assert (result.rows_checked, result.broken) == (1, ())
