"""The mark: how the rows before it looked, so that a source whose rows have other numbers now is noticed.

A rowid that is no INTEGER PRIMARY KEY may change at VACUUM, and that of a deleted row is used again. In a table
without rowids a row's number is its place in the order, which every insert before it moves.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping
from typing import Any, Final

from migrate.report.values import as_stored
from migrate.source.faults import SourceFault
from migrate.source.scan import Row, Scan
from migrate.source.tables import Table

MARK: Final = "mark"
NEIGHBOURS: Final = 64


def mark_at(database: sqlite3.Connection, table: Table, last: int) -> dict[str, Any] | None:
    """Return how the rows up to the last one that has a fate look; None: there are none, or they cannot be read."""
    try:
        rows = Scan(database, table).before(last, NEIGHBOURS)
    except sqlite3.DatabaseError:
        return None
    return {"row": last, "digest": _digest(rows)} if rows else None


def check_mark(database: sqlite3.Connection, table: Table, mark: Mapping[str, Any] | None) -> None:
    """Return when the rows before the mark are those that were there.

    Raises:
        SourceFault: they are not.
    """
    if mark is None or mark_at(database, table, mark["row"]) == mark:
        return
    raise SourceFault(
        "source_renumbered",
        "Usage rows that have moved are not where they were: 1.0 deleted or changed some, VACUUM numbered them anew, "
        "or this is another file. Nothing was moved now; verify tells the days that differ, undo and run move all "
        "again.",
    )


def _digest(rows: list[Row]) -> str:
    shown = [[[as_stored(value) for value in part] for part in (row.key, row.values)] for row in rows]
    return hashlib.sha256(json.dumps(shown).encode()).hexdigest()[:32]
