"""Whole databases: a schema, rows of it, and the statements that make them."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hypothesis import strategies as st

from tests.migration.dirt.schemas import BESIDE, Table, quoted, tables
from tests.migration.dirt.values import Raw

_NAMES: Final = ("users", "api_keys", "usage", "provider_status")
_MOST_ROWS: Final = {"users": 6, "api_keys": 6, "usage": 12, "provider_status": 2}


@dataclass(frozen=True, slots=True)
class OldDatabase:
    """What makes a file of release 1.0.

    Attributes:
        zone: what the operator states of times that say none.
        gap: rowids between two rows of a table.
    """

    encoding: str
    tables: tuple[Table, ...]
    rows: dict[str, list[tuple[Any, ...]]]
    beside: tuple[str, ...]
    zone: str | None
    journal: str
    first_rowid: int

    def make(self, path: Path) -> None:
        """Make the file; a row that SQLite itself refuses was never in one."""
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            database.execute(f"PRAGMA encoding = '{self.encoding}'")
            database.execute(f"PRAGMA journal_mode = {self.journal}")
            for table in self.tables:
                database.execute(table.statement)
            for table in self.tables:
                self._fill(database, table)
            for statement in self.beside:
                with suppress(sqlite3.OperationalError):
                    database.execute(statement)

    def _fill(self, database: sqlite3.Connection, table: Table) -> None:
        names = ", ".join(map(quoted, table.columns))
        numbered = not table.without_rowid and "rowid" not in table.columns
        for number, row in enumerate(self.rows[table.name]):
            marks = ", ".join("CAST(? AS TEXT)" if isinstance(value, Raw) else "?" for value in row)
            with suppress(sqlite3.IntegrityError):
                if numbered:
                    place = self.first_rowid + number * 3
                    database.execute(f"INSERT INTO {table.name} (rowid, {names}) VALUES (?, {marks})", (place, *row))
                else:
                    database.execute(f"INSERT INTO {table.name} ({names}) VALUES ({marks})", row)


@st.composite
def old_databases(draw: st.DrawFn) -> OldDatabase:
    """Return databases of release 1.0, dirty ones."""
    chosen = _NAMES if draw(st.integers(0, 4)) else _NAMES[:-1]
    made = tuple(draw(tables(name)) for name in chosen)
    rows = {
        table.name: draw(
            st.lists(st.tuples(*(part for _, part in table.columns.values())), max_size=_MOST_ROWS[table.name])
        )
        for table in made
    }
    return OldDatabase(
        encoding=draw(st.sampled_from(["UTF-8", "UTF-8", "UTF-16le", "UTF-16be"])),
        tables=made,
        rows=rows,
        beside=tuple(draw(st.lists(st.sampled_from(BESIDE), max_size=3, unique=True))),
        zone=draw(st.sampled_from([None, "Europe/Moscow", "Europe/Berlin"])),
        journal=draw(st.sampled_from(["DELETE", "WAL"])),
        first_rowid=draw(st.sampled_from([1, 1, -4, 2**40])),
    )
