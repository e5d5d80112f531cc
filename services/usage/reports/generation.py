"""Generates a report: one snapshot in, one file out. Memory does not grow with the rows."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import BinaryIO, Final, TypeAlias

from servicekit.clock import Clock
from servicekit.errors import invalid_parameter
from services.usage.domain.record import MAX_DAYS_AHEAD
from services.usage.reports.domain.head import Head
from services.usage.reports.domain.order import Kind, Order, zone_of
from services.usage.reports.domain.request_rows import COLUMNS, cells_of_request, totals_row
from services.usage.reports.domain.summary import GROUPS, Line, Section, Summary
from services.usage.reports.scratch import scratch_folder
from services.usage.reports.writers.formats import open_rows, write_summary
from services.usage.reports.writers.row_writer import RowWriter
from services.usage.statistics.domain.detailed_stats import Period
from services.usage.statistics.domain.figures import Figures
from services.usage.statistics.domain.query import Bucket, Query
from services.usage.statistics.domain.request_line import RequestLine
from services.usage.statistics.reader import OpensSnapshots, ReadsSnapshot

# Rows at a time: a step of a tenth of a second at most in the thread that writes.
BATCH: Final = 2_000
# Is told how many rows of how many are written.
Progress: TypeAlias = Callable[[int, int], Awaitable[None]]
NOTHING: Final = Figures()
# No row is newer: one from further ahead is refused.
LATEST: Final = timedelta(days=MAX_DAYS_AHEAD + 1)


@dataclass(frozen=True, slots=True)
class Made:
    """The input of a file: rows of requests, counted in one snapshot."""

    rows: int
    taken_at: datetime


@dataclass(frozen=True, slots=True)
class Target:
    """The output of a report: its file, and a temporary folder for large intermediate data."""

    file: BinaryIO
    scratch: str


class Generation:
    """Writes reports into files."""

    def __init__(self, snapshots: OpensSnapshots, clock: Clock, *, scratch: str, rows_max: int) -> None:
        """Remember where to read from; `scratch` is a folder for what is large."""
        self._snapshots = snapshots
        self._clock = clock
        self._scratch = scratch
        self._rows_max = rows_max

    async def count(self, order: Order) -> int:
        """Return how many requests the report is about."""
        async with self._snapshots.open(order.user_id) as snapshot:
            return (await _totals(snapshot, order.query)).requests

    async def write(self, order: Order, file: BinaryIO, progress: Progress) -> Made:
        """Write the report.

        Raises:
            InvalidRequest: it would have more rows than are allowed.
            Unavailable: its store cannot be used.
        """
        async with self._snapshots.open(order.user_id) as snapshot, scratch_folder(self._scratch) as scratch:
            taken_at = self._clock.now()
            totals = await _totals(snapshot, replace(order.query, quantiles=True))
            target = Target(file, scratch)
            if order.wishes.kind is Kind.SUMMARY:
                await _write_summary(snapshot, order, target, totals, taken_at)
            else:
                self._check_rows(totals.requests)
                await _write_requests(snapshot, Head(order, taken_at), target, totals, progress)
        return Made(totals.requests, taken_at)

    def _check_rows(self, rows: int) -> None:
        if rows > self._rows_max:
            text = f"The report would have {rows} rows; {self._rows_max} are allowed. Choose a shorter period."
            raise invalid_parameter("period", text)


async def _write_summary(
    snapshot: ReadsSnapshot, order: Order, target: Target, totals: Figures, taken_at: datetime
) -> None:
    before = Period(order.since, order.until, order.wishes.zone).previous()
    asked = replace(order.query, since=before.since, until=before.until, quantiles=True)
    previous = await _totals(snapshot, asked)
    sections = [await _section(snapshot, order, name) for name in GROUPS]
    summary = Summary(order, taken_at, totals, before, previous, (*sections, await _days(snapshot, order, taken_at)))
    await asyncio.to_thread(write_summary, target.file, summary, target.scratch)


async def _write_requests(
    snapshot: ReadsSnapshot, head: Head, target: Target, totals: Figures, progress: Progress
) -> None:
    order, written = head.order, 0
    writer = await asyncio.to_thread(open_rows, target.file, head, COLUMNS, target.scratch)
    async for lines in snapshot.requests(order.query, BATCH):
        await asyncio.to_thread(_write_batch, writer, order, lines)
        written += len(lines)
        await progress(written, totals.requests)
    await asyncio.to_thread(writer.finish, totals_row(totals, order.wishes.language))


def _write_batch(writer: RowWriter, order: Order, lines: Sequence[RequestLine]) -> None:
    zone, names = zone_of(order.wishes), order.wishes.key_names
    writer.add([cells_of_request(line, zone, names) for line in lines])


async def _totals(snapshot: ReadsSnapshot, query: Query) -> Figures:
    rows = await snapshot.figures(query)
    return rows[0].figures if rows else NOTHING


async def _section(snapshot: ReadsSnapshot, order: Order, name: str) -> Section:
    names = order.wishes.key_names if name == "key" else {}
    rows = await snapshot.figures(replace(order.query, group_by=(GROUPS[name],), quantiles=True))
    return Section(name, tuple([Line(_named(row.group[0], names), row.figures) for row in rows]))


def _named(value: str, names: Mapping[str, str]) -> str:
    return f"{names[value]} ({value})" if value in names else value


async def _days(snapshot: ReadsSnapshot, order: Order, taken_at: datetime) -> Section:
    zone = zone_of(order.wishes)
    # A report may be asked for until the year 9999: a million days in which there can be no request yet.
    until = min(order.until, taken_at + LATEST)
    rows = await snapshot.figures(replace(order.query, until=until, bucket=Bucket.DAY, quantiles=True))
    days = [(row.starts_at, row.figures) for row in rows if row.starts_at is not None]
    return Section("day", tuple([Line(start.astimezone(zone).date().isoformat(), figures) for start, figures in days]))
