"""Making a report: one snapshot in, one file out. Memory does not grow with the rows."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, BinaryIO, Final, TypeAlias

from servicekit.clock import Clock
from servicekit.errors import ErrorReason, InvalidRequest
from services.usage.reports.domain import request_rows
from services.usage.reports.domain.head import Head
from services.usage.reports.domain.order import Kind, Order, zone_of
from services.usage.reports.domain.periods import Period, equal_period_before
from services.usage.reports.domain.summary import GROUPS, Line, Section, Summary
from services.usage.reports.domain.tables import CellRow
from services.usage.reports.store.snapshot import Snapshot, Snapshots
from services.usage.reports.writers.formats import open_rows, write_summary
from services.usage.reports.writers.row_writer import RowWriter
from services.usage.statistics.domain.figures import Figures
from services.usage.statistics.domain.query import Bucket, Query

# Rows at a time: a step of a tenth of a second at most in the thread that writes.
BATCH: Final = 2_000
# Is told how many rows of how many are written.
Progress: TypeAlias = Callable[[int, int], Awaitable[None]]
NOTHING: Final = Figures()


@dataclass(frozen=True, slots=True)
class Made:
    """What a file is made of: rows of requests, counted in one snapshot."""

    rows: int
    taken_at: datetime


class Generation:
    """Writes reports into files."""

    def __init__(self, snapshots: Snapshots, clock: Clock, *, scratch: str, rows_max: int) -> None:
        """Remember where to read from; `scratch` is a folder for what is large."""
        self._snapshots = snapshots
        self._clock = clock
        self._scratch = scratch
        self._rows_max = rows_max

    async def count(self, order: Order) -> int:
        """Return how many requests the report is about."""
        async with self._snapshots.open(order.user_id) as snapshot:
            return await snapshot.count(order.query)

    async def write(self, order: Order, file: BinaryIO, progress: Progress) -> Made:
        """Write the report.

        Raises:
            InvalidRequest: it would have more rows than are allowed.
            Unavailable: PostgreSQL cannot be used.
        """
        async with self._snapshots.open(order.user_id) as snapshot:
            taken_at = self._clock.now()
            totals = await _totals(snapshot, order.query)
            if order.wishes.kind is Kind.SUMMARY:
                await self._write_summary(snapshot, order, file, totals, taken_at)
            else:
                self._check_rows(totals.requests)
                await self._write_requests(snapshot, Head(order, taken_at), file, totals, progress)
        return Made(totals.requests, taken_at)

    def _check_rows(self, rows: int) -> None:
        if rows > self._rows_max:
            text = f"The report would have {rows} rows; {self._rows_max} are allowed. Choose a shorter period."
            raise InvalidRequest(ErrorReason.INVALID_PARAMETERS, text, param="period")

    async def _write_summary(
        self, snapshot: Snapshot, order: Order, file: BinaryIO, totals: Figures, taken_at: datetime
    ) -> None:
        before = equal_period_before(Period(order.since, order.until), zone_of(order.wishes))
        previous = await _totals(snapshot, _moved(order.query, before))
        sections = [await _section(snapshot, order, name) for name in GROUPS]
        summary = Summary(order, taken_at, totals, before, previous, (*sections, await _days(snapshot, order)))
        await asyncio.to_thread(write_summary, file, summary, self._scratch)

    async def _write_requests(
        self, snapshot: Snapshot, head: Head, file: BinaryIO, totals: Figures, progress: Progress
    ) -> None:
        order, written = head.order, 0
        writer = await asyncio.to_thread(open_rows, file, head, request_rows.COLUMNS, self._scratch)
        async for records in snapshot.requests(order.query, BATCH):
            await asyncio.to_thread(_write_batch, writer, order, records)
            written += len(records)
            await progress(written, totals.requests)
        await asyncio.to_thread(writer.finish, request_rows.totals_row(totals, order.wishes.language))


def _write_batch(writer: RowWriter, order: Order, records: Sequence[Any]) -> None:
    zone, names = zone_of(order.wishes), order.wishes.key_names
    rows: list[CellRow] = []
    for record in records:
        request_id, created_at, *others = record.values()
        key_id = record["key_id"]
        row = [request_id, created_at.astimezone(zone), *others]
        row.insert(request_rows.KEY_NAME, names.get(key_id, ""))
        rows.append(tuple(row))
    writer.add(rows)


async def _totals(snapshot: Snapshot, query: Query) -> Figures:
    rows = await snapshot.figures(query)
    return rows[0].figures if rows else NOTHING


def _moved(query: Query, period: Period) -> Query:
    return Query(query.user_id, period.since, period.until, query.zone, filters=query.filters)


async def _section(snapshot: Snapshot, order: Order, name: str) -> Section:
    query, names = order.query, order.wishes.key_names if name == "key" else {}
    asked = Query(query.user_id, query.since, query.until, query.zone, None, (GROUPS[name],), query.filters)
    rows = await snapshot.figures(asked)
    return Section(name, tuple([Line(_named(row.group[0], names), row.figures) for row in rows]))


def _named(value: str, names: Mapping[str, str]) -> str:
    return f"{names[value]} ({value})" if value in names else value


async def _days(snapshot: Snapshot, order: Order) -> Section:
    query, zone = order.query, zone_of(order.wishes)
    asked = Query(query.user_id, query.since, query.until, query.zone, Bucket.DAY, (), query.filters)
    rows = await snapshot.figures(asked)
    days = [(row.starts_at, row.figures) for row in rows if row.starts_at is not None]
    return Section("day", tuple([Line(start.astimezone(zone).date().isoformat(), figures) for start, figures in days]))
