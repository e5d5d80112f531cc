"""Usage rows that come back: each batch of them with its sums and the lines of the report, once."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any, Final

from migrate.fates.fate import Moved
from migrate.fates.requests import request_fate
from migrate.moving.filling import Filling, MovedRequests, Shown, Way
from migrate.moving.requests import put_batch
from migrate.moving.run import SEEN, Order, way_of
from migrate.moving.seen_ids import SeenIds, opened_ids
from migrate.moving.target import Target
from migrate.report.files import ReportFiles
from migrate.report.lines import ReportLines
from migrate.report.values import as_stored
from migrate.report.wholes import BY_ROW
from migrate.retrying.waiting import SUPERSEDED, Waiting
from migrate.rules.times import Reading
from migrate.source.scan import Scan
from migrate.source.tables import read_layout
from migrate.usage_rows.plain_rows import PlainRows
from migrate.usage_rows.taken_ids import ID, TakenIds
from services.usage.importing.imports import Batch

BATCH: Final = 5_000
RETRIES: Final = "retries"


class RetriedIds(TakenIds):
    """Tells which ids are taken: an edited one may be that of any row, also of one behind."""

    def __init__(self, seen: SeenIds, scan: Scan, way: Way) -> None:
        self._seen = seen
        self._scan = scan
        self._way = way

    def is_free(self, id_: bytes, number: int) -> bool:
        """Tell whether no other row has an id that moves as it is."""
        return self.is_free_for_made(uuid.UUID(bytes=id_), number)

    def is_free_for_made(self, id_: uuid.UUID, number: int) -> bool:
        """Tell the same of an id that was made of another, or rewritten."""
        # In this order: a row that may not have it must not be remembered as the one that has it.
        return not self._moves_as(str(id_), number) and self._seen.is_first(id_, number)

    def _moves_as(self, id_: str, number: int) -> bool:
        # Where the source does not keep its ids apart, all of them have been seen.
        found = self._scan.find(ID, id_) if self._scan.is_unique(ID) else None
        if found is None or found.number == number:
            return False
        return isinstance(request_fate(self._scan.named(found), self._way.reading, self._way.names), Moved)


class RoundLines(ReportLines):
    """Lines of a round: those of a row before it do not count any more."""

    def __init__(self, report: ReportFiles, number: int) -> None:
        self._report = report
        self._number = number

    def write(self, name: str, line: Mapping[str, Any]) -> None:
        """Take a line of one of the files."""
        self._report.write(name, {**line, "round": self._number} if name in BY_ROW else line)


async def retry_requests(
    order: Order, rows: Iterable[Waiting], target: Target, report: ReportFiles, shown: Shown
) -> int:
    """Give rows another fate; return how many move now."""
    came_back, rest = 0, iter(rows)
    while batch := list(islice(rest, BATCH)):
        came_back += await _retry(order, batch, target, report, shown)
    return came_back


async def _retry(order: Order, rows: list[Waiting], target: Target, report: ReportFiles, shown: Shown) -> int:
    last, state = await target.usage.progress()
    moved = MovedRequests.of(state)
    lines = RoundLines(report, state.get(RETRIES, 0) + 1)
    table = read_layout(order.source.database).tables["usage"]
    scan = Scan(order.source.database, table)
    with opened_ids(report.folder / SEEN) as seen:
        way = way_of(order, state, target, seen, report, shown)
        plain = PlainRows(table, way.reading, way.names, frozenset())
        filling = Filling(way, scan, plain, RetriedIds(seen, scan, way), moved, lines)
        back = [row for row in rows if _moves(row, filling, way.reading, lines)]
        seen.keep()
        await put_batch(way, Batch(last, last, filling.rows, filling.ids, _kept(state, moved, report)))
    return len(back)


def _moves(row: Waiting, filling: Filling, reading: Reading, lines: ReportLines) -> bool:
    """Give a row another fate; tell whether it moves now, which the report says, too."""
    at = reading if row.zone is None else replace(reading, zone=row.zone)
    if not filling.take_mended(row.number, row.values, row.edit, at):
        return False
    name = {"table": row.table, "rowid": row.number}
    lines.write("quarantine", {**name, SUPERSEDED: True})
    if row.edit or row.zone:
        shown = {column: as_stored(value) for column, value in {**row.values, **row.edit}.items()}
        lines.write("edited", {**name, "values": shown, "naive_zone": row.zone and row.zone.key})
    return True


def _kept(state: Mapping[str, Any], moved: MovedRequests, report: ReportFiles) -> dict[str, Any]:
    return {
        **state,
        RETRIES: state.get(RETRIES, 0) + 1,
        **moved.as_state(),
        "lengths": report.sync(),
    }
