"""Usage rows into usage: batch by batch; rows, sums, lines of the report and how far it came belong together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from migrate.fates.fate import Moved, Quarantined, Repair
from migrate.fates.merging import booked
from migrate.fates.records import Request
from migrate.fates.requests import Names, request_fate
from migrate.moving.counts import Counts
from migrate.moving.seen_ids import SeenIds
from migrate.report.files import ReportFiles
from migrate.report.values import as_stored
from migrate.rules.times import Reading
from migrate.rules.verdict import Stored, Text, utf8
from migrate.source.scan import Hole, Row, Scan
from migrate.source.tables import Table
from services.usage.importing.imports import BEGINNING, Batch, Imports
from services.usage.importing.record import ImportedRecord, imported

# The tags of a row in 1.1; docs/data-model.md.
MAX_TAGS: Final = 16
MAX_TAG_NAME: Final = 64
MAX_TAG: Final = 512
# Where a run stands when users and keys have moved and no usage row has.
PEOPLE_MOVED: Final = BEGINNING + 1
Shown = Callable[[int], None]


@dataclass(slots=True)
class MovedRequests:
    """How many rows had which fate, and which could not be read."""

    counts: Counts = field(default_factory=Counts)
    cost_micro_rub: int = 0
    holes: Sequence[Hole] = ()


@dataclass(frozen=True, slots=True)
class Way:
    """How rows are read and where they go.

    Attributes:
        source_id: names the source in 1.1.
        absent: ids of users on whose account nothing may be booked.
        owners: on whose account rows of a user are booked, where it is not the user's own.
        seen: ids that earlier rows have.
        shown: is told how many rows have a fate.
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


async def move_requests(scan: Scan, table: Table, way: Way) -> MovedRequests:
    """Move all rows behind the last one that has a fate."""
    last, state = await way.imports.progress()
    way.report.cut(state["lengths"])
    moved = MovedRequests(Counts.of(state.get("counts", {})), state.get("cost_micro_rub", 0))
    for first, piece in _numbered(scan, table, last):
        batch = _Batch(way, moved)
        for number, row in enumerate(piece, first):
            batch.take(_number(row, number, table), scan.named(row))
        way.seen.keep()
        to = _number(piece[-1], first + len(piece) - 1, table)
        await way.imports.put(Batch(last, to, batch.records, batch.ids, {**state, **_state(moved, way.report)}))
        last = to
        way.shown(moved.counts.rows)
    moved.holes = scan.holes
    return moved


def _numbered(scan: Scan, table: Table, last: int) -> Iterator[tuple[int, list[Row]]]:
    """Yield pieces behind a row with the place of their first; without rowids a place in the order is the number."""
    if table.has_rowid:
        for piece in scan.rows(None if last <= PEOPLE_MOVED else (last,)):
            yield 0, piece
        return
    place = 0
    for piece in scan.rows():
        behind = piece[max(0, last + 1 - place) :] if last >= place else piece
        if behind:
            yield place + len(piece) - len(behind), behind
        place += len(piece)


def _number(row: Row, place: int, table: Table) -> int:
    if not table.has_rowid:
        return place
    (rowid,) = row.key
    assert isinstance(rowid, int)  # that is what a rowid is
    return rowid


def _state(moved: MovedRequests, report: ReportFiles) -> dict[str, Any]:
    return {
        "counts": moved.counts.as_json(),
        "cost_micro_rub": moved.cost_micro_rub,
        "lengths": report.sync(),
    }


class _Batch:
    """The records of a stretch, and what the report says of it."""

    def __init__(self, way: Way, moved: MovedRequests) -> None:
        self.records: list[ImportedRecord] = []
        self.ids: dict[str, str] = {}
        self._way = way
        self._moved = moved

    def take(self, number: int, values: Mapping[str, Stored]) -> None:
        """Give a row its fate."""
        way, counts = self._way, self._moved.counts
        fate = booked(request_fate(values, way.reading, way.names), way.owners)
        if isinstance(fate, Moved):
            reason = self._reason_to_wait(fate.record, number)
            if reason is None:
                self._move(number, values, fate)
                return
            fate = reason
        counts.quarantined += 1
        way.report.quarantine("usage", number, fate, values)

    def _reason_to_wait(self, request: Request, number: int) -> Quarantined | None:
        if request.user_id in self._way.absent:
            return Quarantined("owner_quarantined", "user_id")
        if not self._way.seen.is_first(request.id, number):
            return Quarantined("id_taken", "id")
        return None

    def _move(self, number: int, values: Mapping[str, Stored], fate: Moved[Request]) -> None:
        request, tags, left = fate.record, *_tags(fate.record.extra)
        repairs = (*fate.repairs, *left)
        counts = self._moved.counts
        counts.repaired += bool(repairs)
        counts.as_it_is += not repairs
        self._moved.cost_micro_rub += request.cost_micro_rub
        new_id = str(request.id)
        for repair in repairs:
            self._way.report.repair("usage", number, new_id, repair)
            if repair.field == "id":
                self._way.report.mapping("usage", values["id"], new_id)
                self.ids[_told(values["id"])] = new_id
        self.records.append(_record(request, tags, self._way.source_id))


def _record(request: Request, tags: Mapping[str, str], source_id: str) -> ImportedRecord:
    return imported(
        request.created_at,
        source_id,
        request_id=str(request.id),
        user_id=request.user_id,
        provider=request.provider,
        model=request.model,
        requested_model=request.requested_model,
        tokens_input=request.tokens_input,
        tokens_output=request.tokens_output,
        cost_micro_rub=request.cost_micro_rub,
        metadata=tags,
    )


def _tags(extra: Mapping[str, Stored]) -> tuple[dict[str, str], list[Repair]]:
    """Return the operator's own columns as tags, and those that cannot be: their values stay in the report."""
    tags: dict[str, str] = {}
    left: list[Repair] = []
    for name, value in extra.items():
        text = utf8(value) if isinstance(value, Text) else str(value) if isinstance(value, int | float) else None
        fits = text is not None and len(text) <= MAX_TAG and "\0" not in text and len(name) <= MAX_TAG_NAME
        if value is None:
            continue
        if fits and text is not None and len(tags) < MAX_TAGS:
            tags[name] = text
        else:
            left.append(Repair(name, value, None, "column_left_in_report"))
    return tags, left


def _told(old: Stored) -> str:
    shown = as_stored(old)
    return str(shown.get("value", "\\x" + shown.get("hex", "")))
