"""Which of 1.0's tables and columns are in a file, and what else: recognised by what is there, not by a version."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from migrate.source.faults import SourceFault

# Table -> columns of the book. Those that must be there stand first; without them there is no row to move.
TABLES: Final[Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "users": (("id",), ("email", "created_at", "updated_at")),
    "api_keys": (("id", "user_id", "key_hash"), ("name", "created_at", "expires_at", "last_used_at")),
    "usage": (("id", "user_id", "model", "tokens_input", "tokens_output", "cost", "created_at"), ("provider",)),
    "provider_status": ((), ("id", "provider", "model", "status", "latency", "error_rate", "updated_at")),
}
MAY_BE_MISSING: Final = ("provider_status",)
_INTERNAL: Final = "sqlite_"
# A column with one of these names hides the rowid behind it.
ROWIDS: Final = ("rowid", "_rowid_", "oid")
# What pragma table_xinfo calls hidden: of virtual tables; computed when it is read.
_HIDDEN: Final = 1
_COMPUTED: Final = 2


@dataclass(frozen=True, slots=True)
class Table:
    """One of 1.0's tables as a file has it.

    Attributes:
        name: of the book.
        columns: of the book, that are there.
        missing: of the book, that are not.
        unknown: the operator's own.
        key: what orders and names rows: a name of the rowid, or the primary key of a table WITHOUT ROWID.
        computed: the operator's own that SQLite computes from others: they say nothing new, and reading one may fail.
    """

    name: str
    columns: tuple[str, ...]
    missing: tuple[str, ...]
    unknown: tuple[str, ...]
    key: tuple[str, ...]
    computed: tuple[str, ...] = ()

    @property
    def present(self) -> tuple[str, ...]:
        """Return all columns that are there."""
        return (*self.columns, *self.unknown)

    @property
    def has_rowid(self) -> bool:
        """Tell whether rows are named by a number."""
        return self.key[0] in ROWIDS and self.key[0] not in self.present


@dataclass(frozen=True, slots=True)
class Layout:
    """What is in a file.

    Attributes:
        tables: 1.0's, by name.
        others: tables, views and triggers that are none of 1.0's, as `kind name`.
    """

    tables: Mapping[str, Table]
    others: tuple[str, ...]


def read_layout(database: sqlite3.Connection) -> Layout:
    """Return what is in the file.

    Raises:
        SourceFault: a table of 1.0, or a column without which a row says nothing, is not there.
    """
    objects = [
        (_text(kind), _text(name))
        for kind, name in database.execute("SELECT type, name FROM sqlite_master ORDER BY type, name")
    ]
    names = {_lower(name): name for kind, name in objects if kind == "table"}
    absent = [name for name in TABLES if name not in names and name not in MAY_BE_MISSING]
    if absent:
        raise SourceFault("source_not_1_0", f"This is no database of release 1.0: it has no table {', '.join(absent)}.")
    tables = {name: _table(database, name, names[name]) for name in TABLES if name in names}
    others = [
        f"{kind} {name}"
        for kind, name in objects
        if kind != "index" and not name.startswith(_INTERNAL) and _lower(name) not in TABLES
    ]
    computed = [f"computed column {table.name}.{name}" for table in tables.values() for name in table.computed]
    return Layout(tables, (*others, *computed))


def _table(database: sqlite3.Connection, name: str, spelt: str) -> Table:
    needed, optional = TABLES[name]
    book = (*needed, *optional)
    found = [
        (_lower(_text(column)), int(part_of_key), hidden)
        for column, part_of_key, hidden in database.execute(
            "SELECT name, pk, hidden FROM pragma_table_xinfo(?)", (spelt,)
        )
        if hidden != _HIDDEN
    ]
    there = {column for column, *_ in found}
    lacking = [column for column in needed if column not in there]
    if lacking:
        raise SourceFault("source_not_1_0", f"Table {name} has no column {', '.join(lacking)}.")
    computed = tuple(column for column, _, hidden in found if hidden == _COMPUTED and column not in book)
    return Table(
        name,
        tuple(column for column in book if column in there),
        tuple(column for column in book if column not in there),
        tuple(column for column, *_ in found if column not in (*book, *computed)),
        _key(database, spelt, found),
        computed,
    )


def _key(database: sqlite3.Connection, spelt: str, columns: Sequence[tuple[str, int, int]]) -> tuple[str, ...]:
    (without_rowid,) = database.execute("SELECT wr FROM pragma_table_list WHERE name = ?", (spelt,)).fetchone()
    if without_rowid:
        return tuple(column for column, place, _ in sorted(columns, key=lambda each: each[1]) if place)
    names = {column for column, *_ in columns}
    free = [name for name in ROWIDS if name not in names]
    if not free:
        raise SourceFault("source_not_1_0", f"Table {spelt} has columns {', '.join(ROWIDS)}: rename one in a copy.")
    return (free[0],)


def _lower(name: str) -> str:
    # As SQLite does: a name in other letters is another name to it, and in quotes, where there is none, a text.
    return "".join(letter.lower() if letter.isascii() else letter for letter in name)


def has_unique(database: sqlite3.Connection, table: Table, column: str) -> bool:
    """Tell whether SQLite itself lets no two rows of a table have the same bytes in a column."""
    for name, is_unique, is_partial in database.execute(
        'SELECT name, "unique", partial FROM pragma_index_list(?)', (table.name,)
    ):
        parts = database.execute("SELECT name, coll FROM pragma_index_xinfo(?) WHERE key", (_text(name),)).fetchall()
        if is_unique and not is_partial and parts == [(column.encode(), b"BINARY")]:
            return True
    return False


def _text(value: bytes) -> str:
    return value.decode(errors="replace")
