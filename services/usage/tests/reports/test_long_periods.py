"""Schedules about so much that what they ask of the database takes longer than a statement may."""

from __future__ import annotations

from dataclasses import replace
from datetime import time

import asyncpg

from services.usage.reports.assembly import Surroundings, build_reports
from services.usage.reports.domain.report import WhenEmpty
from services.usage.reports.settings import ReportSettings
from services.usage.tests.reports.test_schedules import DAILY, DAY_S, MOSCOW

ALWAYS = replace(DAILY, at=time(10), when_empty=WhenEmpty.REPORT)
EVERYBODY = {"razvilka.user": "*"}


async def test_a_period_that_cannot_be_looked_through_in_time_stops_nobody_elses_report(
    make_database_dsn, clock, tmp_path
):
    """It was first in line again and again: no schedule was carried out and no report was made, of anybody."""
    dsn = await make_database_dsn("usage")

    async def raise_event(*_: object) -> int:
        return 0

    around = Surroundings(raise_event, "https://llm.example/", clock)
    async with (
        asyncpg.create_pool(dsn, min_size=1, max_size=2, command_timeout=6, server_settings=EVERYBODY) as pool,
        asyncpg.create_pool(dsn, min_size=1, max_size=1, server_settings=EVERYBODY) as others,
    ):
        room = build_reports(pool, others, ReportSettings(scratch_dir=tmp_path), around)
        long = await room.schedules.create("user-1", MOSCOW, DAILY)
        next_one = await room.schedules.create("user-2", MOSCOW, ALWAYS)
        clock.advance(DAY_S)

        # Nothing can be read of the requests, as where there are too many.
        async with others.acquire() as other, other.transaction():
            await other.execute("LOCK TABLE usage.usage IN ACCESS EXCLUSIVE MODE")
            await room.schedules.order_due(room.reports.new)

        ordered = [await room.reports.list(user) for user in ("user-1", "user-2")]
    assert [[each.schedule_id for each in reports] for reports in ordered] == [[long.id], [next_one.id]]
