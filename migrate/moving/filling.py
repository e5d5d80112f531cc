"""Filling: a batch in the making; each row it takes gets its fate, plain ones the quick way."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from migrate.fates.fate import Moved, Quarantined, Repair, edits_of
from migrate.fates.merging import booked
from migrate.fates.records import Request
from migrate.fates.requests import Names, request_fate
from migrate.moving.counts import Counts
from migrate.moving.months import MonthsLeft
from migrate.moving.seen_ids import SeenIds
from migrate.report.files import ReportFiles
from migrate.report.lines import ReportLines
from migrate.report.values import as_stored
from migrate.rules.times import IN_THE_FUTURE, Reading
from migrate.rules.verdict import Stored
from migrate.source.scan import Cells, Hole, Scan
from migrate.usage_rows.plain_pieces import Columns, PlainPieces
from migrate.usage_rows.plain_rows import PlainRows, row_of
from migrate.usage_rows.tags import tags_of
from migrate.usage_rows.taken_ids import ID, TakenIds, has_free_id
from services.usage.importing.copy_rows import copy_row, copy_rows, month_at
from services.usage.importing.imports import Imports

Shown = Callable[[int], None]
# In a run's state. More than so many are a wrong clock, which no hour mends.
FUTURE: Final = "future"
MOST_FUTURE: Final = 1_000


@dataclass(slots=True)
class MovedRequests:
    """How many rows had which fate, and which could not be read.

    Attributes:
        future: the rows that wait because their time had not come, by number: once it has, they still wait.
    """

    counts: Counts = field(default_factory=Counts)
    cost_micro_rub: int = 0
    holes: Sequence[Hole] = ()
    future: set[int] = field(default_factory=set)

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> MovedRequests:
        """Return what a run's state remembers."""
        return cls(
            Counts.of(state.get("counts", {})), state.get("cost_micro_rub", 0), future=set(state.get(FUTURE, ()))
        )

    def as_state(self) -> dict[str, Any]:
        """Return what it is to remember."""
        return {
            "counts": self.counts.as_json(),
            "cost_micro_rub": self.cost_micro_rub,
            FUTURE: sorted(self.future),
        }


@dataclass(frozen=True, slots=True)
class Way:
    """How rows are read and where they go.

    Attributes:
        source_id: names the source in 1.1.
        absent: ids of users on whose account nothing may be booked.
        owners: on whose account rows of a user are booked, where it is not the user's own.
        seen: ids that earlier rows have.
        shown: is told how many rows have a fate.
        months_left: is told how many months wait for what behind the last row.
    """

    source_id: str
    reading: Reading
    names: Names
    absent: set[str]
    owners: Mapping[str, str]
    imports: Imports
    seen: SeenIds
    report: ReportFiles
    shown: Shown
    months_left: MonthsLeft


class Filling:
    """The rows of a stretch as COPY takes them, and what the report says of it.

    Attributes:
        rows: those that move, by the first days of their months; each of the bytes has one or several.
        ids: old ids that became others.
        size: how many rows were taken, whatever became of them.
    """

    def __init__(
        self,
        way: Way,
        scan: Scan,
        plain: PlainRows,
        taken: TakenIds,
        moved: MovedRequests,
        report: ReportLines | None = None,
    ) -> None:
        """`report` takes the lines; None: the way's own does."""
        self.rows: dict[date, list[bytes]] = defaultdict(list)
        self.ids: dict[str, str] = {}
        self.size = 0
        self._way = way
        self._scan = scan
        self._plain = plain
        self._pieces = PlainPieces(plain)
        self._taken = taken
        self._moved = moved
        self._report = way.report if report is None else report

    def take_mended(self, number: int, original: Mapping[str, Stored], edit: Mapping[str, Stored], at: Reading) -> bool:
        """Give a row another fate, with the values that a person gave it; tell whether it moves now."""
        self.size += 1
        self._moved.counts.quarantined -= 1
        return self._take_slowly(number, {**original, **edit}, at, original)

    def take(self, numbers: Sequence[int], rows: Sequence[Cells]) -> None:
        """Give rows, each with the number that names it, their fates; there is one at least."""
        self.size += len(rows)
        columns = self._pieces.read(rows)
        if columns is not None and self._taken.are_free(columns[0], numbers):
            self._take_columns(columns)
        else:
            self._take_each(numbers, rows)

    def _take_columns(self, columns: Columns) -> None:
        moments, costs = columns[1], columns[4]
        month, _, end = month_at(min(moments))
        if max(moments) < end:
            self.rows[month].append(copy_rows(*columns))
        else:
            for row in zip(*columns, strict=True):
                self.rows[month_at(row[1])[0]].append(copy_row(*row))
        self._moved.counts.as_it_is += len(moments)
        self._moved.cost_micro_rub += sum(costs)

    def _take_each(self, numbers: Sequence[int], rows: Sequence[Cells]) -> None:
        for number, cells in zip(numbers, rows, strict=True):
            row = self._plain.read(cells)
            if row is not None and self._taken.is_free(row[0], number):
                self.rows[month_at(row[1])[0]].append(copy_row(*row))
                self._moved.counts.as_it_is += 1
                self._moved.cost_micro_rub += row[4]
            else:
                values = self._scan.named(self._scan.row(cells))
                self._take_slowly(number, values, self._way.reading, values)

    def _take_slowly(
        self, number: int, values: Mapping[str, Stored], reading: Reading, original: Mapping[str, Stored]
    ) -> bool:
        fate = booked(request_fate(values, reading, self._way.names), self._way.owners)
        if isinstance(fate, Moved):
            reason = self._reason_to_wait(fate, number)
            if reason is None:
                self._moved.future.discard(number)
                month = fate.record.created_at.date().replace(day=1)
                self.rows[month].append(self._moving(number, original, fate, edits_of(original, values)))
                return True
            fate = reason
        if fate.reason == IN_THE_FUTURE and len(self._moved.future) < MOST_FUTURE:
            self._moved.future.add(number)
        self._moved.counts.quarantined += 1
        self._report.quarantine("usage", number, fate, original)
        return False

    def _reason_to_wait(self, fate: Moved[Request], number: int) -> Quarantined | None:
        request = fate.record
        if request.user_id in self._way.absent:
            return Quarantined("owner_quarantined", "user_id")
        return None if has_free_id(fate, number, self._taken) else Quarantined("id_taken", ID)

    def _moving(
        self, number: int, original: Mapping[str, Stored], fate: Moved[Request], edits: Sequence[Repair]
    ) -> bytes:
        request, tags, left = fate.record, *tags_of(fate.record.extra)
        repairs = (*edits, *fate.repairs, *left)
        counts = self._moved.counts
        counts.repaired += bool(repairs)
        counts.as_it_is += not repairs
        self._moved.cost_micro_rub += request.cost_micro_rub
        new_id = str(request.id)
        for repair in repairs:
            self._report.repair("usage", number, new_id, repair)
            if repair.field == ID:
                self._report.mapping("usage", original[ID], new_id)
                self.ids[_told(original[ID])] = new_id
        return copy_row(*row_of(request, tags))


def _told(old: Stored) -> str:
    shown = as_stored(old)
    return str(shown.get("value", "\\x" + shown.get("hex", "")))
