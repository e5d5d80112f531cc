"""RequestCounting: usage rows by what would become of each, as `run` decides it where 1.1 has nothing yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, Final

from migrate.fates.accounts import People
from migrate.fates.fate import Fate, Moved, Quarantined
from migrate.fates.records import Request
from migrate.fates.requests import Names, request_fate
from migrate.inspection.tally import TableCount, ZoneEvidence
from migrate.rules.identifiers import id_of
from migrate.rules.times import Reading
from migrate.rules.verdict import Stored, Text
from migrate.source.file import Source
from migrate.source.scan import Row, Scan
from migrate.source.tables import Table
from migrate.usage_rows.tags import tags_of
from migrate.usage_rows.taken_ids import ID, Seen, TakenIds, has_free_id, taken_ids

NAIVE_LENGTH: Final = 19


class RequestCounting:
    """Counts the usage rows of a source."""

    def __init__(self, source: Source, table: Table, reading: Reading, names: Names, people: People) -> None:
        self._table = table
        self._reading = reading
        self._names = names
        self._contested = people.contested
        self._known = {fate.record.id for fate in people.accounts if isinstance(fate, Moved)}
        self._scan = Scan(source.database, table)
        self._changed_at = _changed_at(source.path)

    def count(self, seen: Seen, zone: ZoneEvidence) -> TableCount:
        """Return the counts; `zone` sees the times."""
        found = TableCount()
        taken = taken_ids(self._scan, self._table, seen, self._moves)
        for number, row in self._numbered():
            values = self._scan.named(row)
            fate = self._fate(values, number, taken)
            found.count(fate, tags_of(fate.record.extra)[1] if isinstance(fate, Moved) else ())
            found.orphans += isinstance(fate, Moved) and self._is_orphan(values["user_id"])
            written = values["created_at"]
            if isinstance(written, Text) and len(written) >= NAIVE_LENGTH and written[10:11] == b"T":
                zone.see(written, self._changed_at)
        found.holes = self._scan.holes
        return found

    def _numbered(self) -> Iterator[tuple[int, Row]]:
        places = count()
        for piece in self._scan.rows():
            for row in piece:
                yield row.number if self._table.has_rowid else next(places), row

    def _fate(self, values: Mapping[str, Stored], number: int, taken: TakenIds) -> Fate[Any]:
        fate = self._alone(values)
        if isinstance(fate, Moved) and not has_free_id(fate, number, taken):
            return Quarantined("id_taken", ID)
        return fate

    def _alone(self, values: Mapping[str, Stored]) -> Fate[Request]:
        """Return the fate of a row whose id no other row has."""
        fate = request_fate(values, self._reading, self._names)
        if isinstance(fate, Moved) and fate.record.user_id in self._contested:
            return Quarantined("owner_quarantined", "user_id")
        return fate

    def _moves(self, values: Mapping[str, Stored]) -> bool:
        return isinstance(self._alone(values), Moved)

    def _is_orphan(self, user_id: Stored) -> bool:
        id_ = id_of(user_id, "user")
        return id_ is not None and id_ not in self._known


def _changed_at(path: Path) -> datetime:
    """Return when 1.0 wrote last: what it wrote may be in the file beside."""
    beside = path.with_name(path.name + "-wal")
    return datetime.fromtimestamp(max(each.stat().st_mtime for each in (path, beside) if each.exists()), UTC)
