"""Every figure is the same in every file and in a plain SQL sum, to the micro-rouble, in zones whose clocks change."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from services.usage.reports.domain.order import Format, Kind, Order, Wishes
from services.usage.reports.domain.periods import day_begins
from services.usage.reports.generation import Generation
from services.usage.reports.store.snapshot import Snapshot, Snapshots
from services.usage.statistics.domain.figures import Row
from services.usage.statistics.domain.query import Query
from services.usage.tests.reports.files import book_of, csv_rows, micro, text_of
from services.usage.tests.reports.histories import ZONES, file_of, history, store_history, total_of

FIRST, AFTER_LAST = date(2026, 10, 22), date(2026, 11, 6)
# Days as the zone has them, summed by PostgreSQL and by nothing of ours.
DAYS = """
    SELECT (created_at AT TIME ZONE $1)::date::text AS day, (sum(cost) * 1000000)::bigint AS cost
    FROM usage.usage
    WHERE user_id = 'user-1' AND (created_at AT TIME ZONE $1)::date BETWEEN $2 AND $3::date - 1
    GROUP BY 1
"""
# As a Russian page writes a day, figures and its cost.
DAY_LINE = re.compile(r"^(\d\d)\.(\d\d)\.(2026) .*?(\d+(?:\u00a0\d{3})*),(\d{6}) ", re.MULTILINE)


def order_of(zone: str, format: Format, kind: Kind = Kind.SUMMARY) -> Order:
    place = ZoneInfo(zone)
    since, until = day_begins(FIRST, place), day_begins(AFTER_LAST, place)
    return Order("user-1", since, until, Wishes(format, kind, zone))


async def test_every_days_cost_is_the_same_in_every_file_and_in_sql(generation, store, pool):
    """Clocks go back on 25 October in Berlin, on 1 November in New York, in Moscow never."""
    await store_history(store, history(700))
    for zone in ZONES:
        wanted = dict(await pool.fetch(DAYS, zone, FIRST, AFTER_LAST))

        files = {each: await file_of(generation, order_of(zone, each)) for each in Format}
        rows = csv_rows(await file_of(generation, order_of(zone, Format.CSV, Kind.REQUESTS)))

        assert len(wanted) == 15
        assert days_of_json(files[Format.JSON]) == wanted, zone
        assert days_of_csv(files[Format.CSV]) == wanted, zone
        assert days_of_jsonl(files[Format.JSONL]) == wanted, zone
        assert days_of_xlsx(files[Format.XLSX]) == wanted, zone
        assert days_of_pdf(files[Format.PDF]) == wanted, zone
        assert summed_by_day(rows[:-1]) == wanted, zone
        assert micro(rows[-1]["cost_rub"]) == sum(wanted.values()), zone


def days_of_pdf(content: bytes) -> dict[str, int]:
    found = DAY_LINE.findall(text_of(content))
    return {f"{year}-{month}-{day}": int(whole.replace("\u00a0", "") + rest) for day, month, year, whole, rest in found}


def days_of_json(content: bytes) -> dict[str, int]:
    return {line["name"]: line["cost_micro_rub"] for line in json.loads(content)["sections"]["day"]}


def days_of_jsonl(content: bytes) -> dict[str, int]:
    lines = [json.loads(line) for line in content.splitlines()]
    return {line["name"]: line["cost_micro_rub"] for line in lines if line.get("section") == "day"}


def days_of_csv(content: bytes) -> dict[str, int]:
    return {row["name"]: micro(row["cost_rub"]) for row in csv_rows(content) if row["section"] == "day"}


def days_of_xlsx(content: bytes) -> dict[str, int]:
    *days, _ = book_of(content)["Дни"].iter_rows(min_row=2, values_only=True)
    return {row[0]: round(row[7] * 1_000_000) for row in days}


def summed_by_day(rows: list[dict[str, str]]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for row in rows:
        day = row["time"][:10]
        sums[day] = sums.get(day, 0) + micro(row["cost_rub"])
    return sums


class Recorded(Snapshots):
    """Snapshots that remember what they were asked."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        super().__init__(pool)
        self.asked: list[Query] = []

    @asynccontextmanager
    async def open(self, user_id: str) -> AsyncIterator[Snapshot]:
        async with super().open(user_id) as snapshot:
            figures = snapshot.figures

            async def recorded(query: Query) -> Sequence[Row]:
                self.asked.append(query)
                return await figures(query)

            snapshot.figures = recorded  # type: ignore[method-assign]
            yield snapshot


async def test_a_report_until_the_end_of_all_calendars_asks_for_no_days_to_come(pool, clock, store, tmp_path):
    """A million days that are counted one by one would hold up everything else; the sums are those of all requests."""
    snapshots = Recorded(pool)
    generation = Generation(snapshots, clock, scratch=str(tmp_path), rows_max=1_000)
    records = history(40)
    await store_history(store, records)
    since, until = datetime(2015, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)

    content = await file_of(generation, Order("user-1", since, until, Wishes(Format.JSON, zone="Europe/Moscow")))

    assert sum(days_of_json(content).values()) == total_of(records)
    (of_days,) = [query for query in snapshots.asked if query.bucket is not None]
    assert of_days.until - clock.now() == timedelta(days=3)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York"])
def test_the_days_around_a_change_of_clocks_have_their_hours(zone: str):
    """Otherwise the other test would prove nothing."""
    place = ZoneInfo(zone)
    hours = [
        (day_begins(date.fromordinal(day + 1), place) - day_begins(date.fromordinal(day), place)).total_seconds() / 3600
        for day in range(FIRST.toordinal(), AFTER_LAST.toordinal())
    ]

    assert sorted(hours) == [24] * 14 + [25]
