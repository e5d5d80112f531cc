"""The rows of `make bench-usage` have the sums that ingest would have kept."""

from __future__ import annotations

from datetime import timedelta

from bench.usage.dataset import DAYS, USERS, build
from servicekit.testing.fake_clock import MIDDAY
from services.usage.store import UsageStore
from tools.testing.databases import Databases
from tools.testing.plugin import MakeDatabase


async def test_the_sums_of_the_rows_agree_with_them(databases: Databases, make_database: MakeDatabase) -> None:
    """Every rollup, over all days: what is measured is what the service would read."""
    pool = await make_database("usage")
    name = await pool.fetchval("SELECT current_database()")

    await build(databases.admin_dsn_of(databases.dsn("usage", name)), 3_000, MIDDAY)

    found = await UsageStore(pool).check(MIDDAY - timedelta(days=DAYS + 1))
    assert (found.broken, found.rows_checked) == ((), 3_000)
    tables = ("rollup_day_tag", "rollup_tag_days", "rollup_hour_latency", "rollup_week_key", "rollup_day_user")
    assert all([await pool.fetchval(f"SELECT count(*) FROM usage.{table}") for table in tables])
    assert 100 < await pool.fetchval("SELECT count(DISTINCT user_id) FROM usage.usage") < USERS
