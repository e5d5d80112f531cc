"""Usage rows into usage: batch by batch; rows, sums, lines of the report and how far it came belong together."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from migrate.fates.fate import Moved
from migrate.fates.merging import booked
from migrate.fates.requests import request_fate
from migrate.moving.filling import Filling, MovedRequests, Shown, Way
from migrate.moving.months import MonthsApart, persistently
from migrate.rules.verdict import Stored
from migrate.source.faults import SourceFault
from migrate.source.scan import Cells, Hole, Scan
from migrate.source.tables import Table
from migrate.usage_rows.plain_rows import PlainRows
from migrate.usage_rows.taken_ids import taken_ids
from services.usage.importing.imports import BEGINNING, Batch

__all__ = ["BATCH", "PEOPLE_MOVED", "MovedRequests", "Shown", "Way", "move_requests", "put_batch"]

# Rows of a transaction: a second of work, which a crash loses.
BATCH: Final = 50_000
# Where a run stands when users and keys have moved and no usage row has.
PEOPLE_MOVED: Final = BEGINNING + 1


async def move_requests(scan: Scan, table: Table, way: Way) -> MovedRequests:
    """Move all rows behind the last one that has a fate.

    While PostgreSQL stores a batch the next one is made. Months that were built apart are part of usage at the end.

    Raises:
        Unavailable: the database went away, or live traffic was in the way again and again.
        Conflict: another run moves the source.
    """
    last, state = await way.imports.progress()
    way.report.cut(state["lengths"])
    batches = _Batches(scan, table, way, last, state)
    with _as_it_is():
        async with asyncio.TaskGroup() as group:
            await _move(batches, MonthsApart(way.imports, group, way.months_left), way.shown)
    return batches.moved


async def _move(batches: _Batches, months: MonthsApart, shown: Shown) -> None:
    batch = await batches.next()
    while batch is not None:
        async with asyncio.TaskGroup() as group:
            group.create_task(months.put(batch))
            following = group.create_task(batches.next())
        shown(batch.state["counts"]["rows"])
        batch = following.result()
    await months.attach_rest()


class _Batches:
    """Makes batches of what is behind a row."""

    def __init__(self, scan: Scan, table: Table, way: Way, last: int, state: Mapping[str, Any]) -> None:
        self.moved = MovedRequests.of(state)
        self._scan = scan
        self._way = way
        self._last = last
        self._state = state
        # Those behind the last row with a fate will be met again; who writes there may have made them smaller.
        self._holes = [hole for hole in (Hole(*each) for each in state.get("holes", ())) if hole.first <= last]
        self._pieces = numbered(scan, table, last)
        self._plain = PlainRows(table, way.reading, way.names, way.absent | way.owners.keys())
        self._taken = taken_ids(scan, table, way.seen, self._moves)

    async def next(self) -> Batch | None:
        """Return the next batch, None behind the last row; other tasks run between its pieces."""
        filling = Filling(self._way, self._scan, self._plain, self._taken, self.moved)
        to = self._last
        for numbers, rows in self._pieces:
            filling.take(numbers, rows)
            to = numbers[-1]
            await asyncio.sleep(0)
            if filling.size >= BATCH:
                break
        _check_number(to, filling.size)
        self.moved.holes = (*self._holes, *self._scan.holes)
        if not filling.size:
            return None
        self._way.seen.keep()
        batch = Batch(self._last, to, filling.rows, filling.ids, self._kept(), filling.size >= BATCH)
        self._last = to
        return batch

    def _kept(self) -> dict[str, Any]:
        moved = self.moved
        return {
            **self._state,
            **moved.as_state(),
            "holes": [[hole.first, hole.last] for hole in moved.holes],
            "lengths": self._way.report.sync(),
        }

    def _moves(self, values: Mapping[str, Stored]) -> bool:
        fate = booked(request_fate(values, self._way.reading, self._way.names), self._way.owners)
        return isinstance(fate, Moved) and fate.record.user_id not in self._way.absent


def _check_number(last: int, rows: int) -> None:
    """Refuse a last row whose number says where a run stands that has moved no row."""
    if rows and last <= PEOPLE_MOVED:
        raise SourceFault(
            "source_low_rowids",
            "No usage row has a rowid above -9223372036854775807, where counting begins. Stop 1.0, number them anew "
            '(sqlite3: UPDATE "usage" SET rowid = rowid + 9223372036854775807), and run it again.',
        )


def numbered(scan: Scan, table: Table, last: int) -> Iterator[tuple[Sequence[int], Sequence[Cells]]]:
    """Yield pieces behind a row, the numbers of their rows beside them; without rowids it is a place in the order."""
    if table.has_rowid:
        for piece in scan.cells(None if last <= PEOPLE_MOVED else (last,)):
            yield [cells[0] for cells in piece], piece  # type: ignore[misc]
        return
    begin = 0
    for piece in scan.cells():
        end = begin + len(piece)
        first = max(begin, last + 1)
        if first < end:
            yield range(first, end), piece[first - begin :]
        begin = end


async def put_batch(way: Way, batch: Batch) -> None:
    """Store a batch of which no month is built apart.

    Raises:
        Unavailable: the database went away, or live traffic was in the way again and again.
        Conflict: another run moves the source, or an id is another row's.
    """
    await persistently(lambda: way.imports.put(batch))
    way.shown(batch.state["counts"]["rows"])


@contextmanager
def _as_it_is() -> Iterator[None]:
    """Raise the first of what failed at the same time as it is."""
    failure: BaseException | None = None
    try:
        yield
    except BaseExceptionGroup as failed:
        failure = failed
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]
    if failure is not None:
        raise failure
