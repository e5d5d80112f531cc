"""inspect_source: counts every row of a source by what would become of it; memory does not grow with usage."""

from __future__ import annotations

import sqlite3
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from migrate.fates.accounts import People, read_people
from migrate.fates.fate import Moved
from migrate.fates.left_columns import left_columns
from migrate.fates.merging import Collision
from migrate.fates.requests import Names
from migrate.inspection.requests import RequestCounting
from migrate.inspection.tally import TableCount, ZoneEvidence
from migrate.rules.times import Reading
from migrate.source.file import Source
from migrate.source.scan import read_rows
from migrate.source.tables import Layout, Table, read_layout
from migrate.usage_rows.taken_ids import Seen

# Its rows have no place in 1.1, and nobody has to decide about them.
HISTORY: Final = "provider_status"


@dataclass(slots=True)
class Inspection:
    """What was found.

    Attributes:
        layout: tables and columns, also those that 1.0 does not know.
        notes: what had to be done to read the file.
        is_whole: SQLite's own check of the file found nothing.
        tables: counts by table.
        collisions: addresses of several accounts.
        zone: what tells in which zone times without one were written.
    """

    layout: Layout
    notes: tuple[str, ...]
    is_whole: bool
    tables: dict[str, TableCount] = field(default_factory=dict)
    collisions: tuple[Collision, ...] = ()
    zone: ZoneEvidence = field(default_factory=ZoneEvidence)

    @property
    def needs_a_person(self) -> bool:
        """Tell whether a row would be left behind, or an address asks for a decision."""
        waits = any(count.quarantined for name, count in self.tables.items() if name != HISTORY)
        return bool(self.collisions) or waits or any(count.holes for count in self.tables.values())

    def as_json(self) -> dict[str, Any]:
        """Return it in JSON's types."""
        columns = {
            name: {"missing": list(table.missing), "unknown": list(table.unknown)}
            for name, table in self.layout.tables.items()
        }
        return {
            "integrity": "ok" if self.is_whole else "damaged",
            "notes": list(self.notes),
            "columns": columns,
            "others": list(self.layout.others),
            "tables": {name: count.as_json() for name, count in self.tables.items()},
            "addresses_of_several": [
                {"address": collision.address, "user_ids": list(collision.user_ids)} for collision in self.collisions
            ],
            "zone": self.zone.as_json(),
        }


def inspect_source(source: Source, reading: Reading, names: Names, seen: Seen) -> Inspection:
    """Count what is in the source; `seen` remembers ids, outside of memory.

    Raises:
        SourceFault: it is no database of release 1.0.
    """
    layout = read_layout(source.database)
    found = Inspection(layout, source.notes, _is_whole(source.database))
    people = _count_people(source.database, layout, reading, found)
    counting = RequestCounting(source, layout.tables["usage"], reading, names, people)
    found.tables["usage"] = counting.count(seen, found.zone)
    if HISTORY in layout.tables:
        found.tables[HISTORY] = _count_history(source.database, layout.tables[HISTORY])
    return found


def _count_people(database: sqlite3.Connection, layout: Layout, reading: Reading, found: Inspection) -> People:
    users, keys = (read_rows(database, layout.tables[name]) for name in ("users", "api_keys"))
    people = read_people(users.values, keys.values, reading)
    for name, source, fates in (("users", users, people.accounts), ("api_keys", keys, people.keys)):
        found.tables[name] = TableCount(holes=list(source.holes))
        for fate in fates:
            left = left_columns(fate.record) if isinstance(fate, Moved) else ()
            found.tables[name].count(fate, left)
    found.collisions = tuple(people.collisions)
    for row in keys.values:
        found.zone.see_key(row.get("created_at"), row.get("last_used_at"))
    return people


def _count_history(database: sqlite3.Connection, table: Table) -> TableCount:
    # What 1.0 said of providers is history: the routers of 1.1 write their own state every few seconds.
    found = read_rows(database, table)
    rows = len(found.rows)
    reasons = Counter({("", "history_of_1_0"): rows} if rows else {})
    return TableCount(rows=rows, quarantined=rows, reasons=reasons, holes=list(found.holes))


def _is_whole(database: sqlite3.Connection) -> bool:
    try:
        (said,) = database.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError:
        return False
    return bool(said == b"ok")
