"""Rows of a table in the order of its key, in pieces, and past what cannot be read."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from migrate.rules.verdict import Stored, Text, utf8
from migrate.source.tables import Table
from servicekit.postgres import sql

PIECE: Final = 5_000
MAX_ROWID: Final = 2**63 - 1
_BEHIND: Final = "SELECT {key}, {columns} FROM {table} WHERE ({key}) > ({marks}) ORDER BY {key} LIMIT ?"
_UP_TO: Final = "SELECT {key}, {columns} FROM {table} WHERE {key} <= ? ORDER BY {key} DESC LIMIT ?"
_FROM_PLACE: Final = "SELECT {key}, {columns} FROM {table} ORDER BY {key} LIMIT ? OFFSET ?"


@dataclass(frozen=True, slots=True)
class Row:
    """A row as it is stored.

    Attributes:
        key: what names it: the rowid, or its primary key.
        values: in the order of the columns that were asked for.
    """

    key: tuple[Stored, ...]
    values: tuple[Stored, ...]


@dataclass(frozen=True, slots=True)
class Hole:
    """Rows that cannot be read: those with rowids from `first` to `last` that there are, on a bad page."""

    first: int
    last: int


class Scan:
    """Reads a table from behind a key on; `holes` tells, after the last row, what could not be read."""

    def __init__(self, database: sqlite3.Connection, table: Table, columns: Sequence[str] | None = None) -> None:
        """`columns`: those to be read; None: all that are there."""
        columns = table.present if columns is None else columns
        self.holes: list[Hole] = []
        self._database = database
        self._table = table
        key = ", ".join(map(_quoted, table.key))
        parts = {"key": key, "columns": ", ".join(map(_quoted, columns)), "table": _quoted(table.name)}
        self._first = sql("SELECT {key}, {columns} FROM {table} ORDER BY {key} LIMIT ?", **parts)
        self._parts = parts
        self._size = len(table.key)
        self._columns = columns

    def rows(self, after: tuple[Stored, ...] | None = None) -> Iterator[list[Row]]:
        """Yield pieces of rows behind a key; None: from the beginning.

        Raises:
            sqlite3.DatabaseError: a table without rowids has a bad page: there is no way round it.
        """
        while piece := self._piece(after):
            yield piece
            after = piece[-1].key

    def before(self, number: int, limit: int) -> list[Row]:
        """Return the rows up to a rowid, without rowids up to a place in the order, the last `limit` of them.

        Raises:
            sqlite3.DatabaseError: they are on a bad page.
        """
        if self._table.has_rowid:
            found = self._database.execute(sql(_UP_TO, **self._parts), (number, limit))
        else:
            first = max(0, number + 1 - limit)
            found = self._database.execute(sql(_FROM_PLACE, **self._parts), (max(0, number + 1 - first), first))
        return [Row(row[: self._size], row[self._size :]) for row in found]

    def named(self, row: Row) -> dict[str, Stored]:
        """Return the values of a row by their columns."""
        return dict(zip(self._columns, row.values, strict=True))

    def _piece(self, after: tuple[Stored, ...] | None) -> list[Row]:
        try:
            return self._read(after, PIECE)
        except sqlite3.DatabaseError as exc:
            if not self._table.has_rowid or "malformed" not in str(exc):
                raise
        return self._before_or_behind(0 if after is None else _number(after))

    def _read(self, after: tuple[Stored, ...] | None, limit: int) -> list[Row]:
        if after is None:
            found = self._database.execute(self._first, (limit,))
        else:
            values = [_bound(value) for value in after]
            found = self._database.execute(sql(_BEHIND, marks=_marks(values), **self._parts), (*values, limit))
        return [Row(row[: self._size], row[self._size :]) for row in found]

    def _before_or_behind(self, after: int) -> list[Row]:
        """Return the rows before the hole that begins somewhere behind `after`, else the first one behind it."""
        limit = PIECE // 2
        while limit:
            if (found := self._tried(after, limit)) is not None:
                return found
            limit //= 2
        behind = self._end_of_hole(after)
        self.holes.append(Hole(after + 1, behind))
        return [] if behind == MAX_ROWID else self._tried(behind, 1) or []

    def _end_of_hole(self, after: int) -> int:
        """Return the last rowid behind which rows can be read again, found by doubling and then by halving."""
        step = 1
        while after + step < MAX_ROWID and self._tried(after + step, 1) is None:
            step *= 2
        bad, good = after + step // 2, min(after + step, MAX_ROWID)
        while good - bad > 1:
            middle = (bad + good) // 2
            bad, good = (middle, good) if self._tried(middle, 1) is None else (bad, middle)
        return good

    def _tried(self, after: int, limit: int) -> list[Row] | None:
        try:
            return self._read((after,), limit)
        except sqlite3.DatabaseError:
            return None


def _number(key: tuple[Stored, ...]) -> int:
    (rowid,) = key
    assert isinstance(rowid, int)  # that is what a rowid is
    return rowid


def _bound(value: Stored) -> Stored | str:
    """Return a value as SQLite is told it: bytes would be a BLOB, which is behind every text."""
    text = utf8(value) if isinstance(value, Text) else None
    return value if text is None else text


def _marks(values: Sequence[Stored | str]) -> str:
    return ", ".join("CAST(? AS TEXT)" if isinstance(value, Text) else "?" for value in values)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@dataclass(frozen=True, slots=True)
class SourceRows:
    """All rows of a table, with what names each, a rowid or a place in the order; and what could not be read."""

    rows: Sequence[tuple[int, Mapping[str, Stored]]]
    holes: Sequence[Hole]

    @property
    def values(self) -> list[Mapping[str, Stored]]:
        """Return the rows without what names them."""
        return [row for _, row in self.rows]


def read_rows(database: sqlite3.Connection, table: Table) -> SourceRows:
    """Return all rows of a table that fits into memory."""
    scan = Scan(database, table)
    rows: list[tuple[int, Mapping[str, Stored]]] = []
    for piece in scan.rows():
        for row in piece:
            rows.append((_number(row.key) if table.has_rowid else len(rows), scan.named(row)))
    return SourceRows(rows, scan.holes)


def count_rows(database: sqlite3.Connection, table: Table) -> int | None:
    """Return how many rows a table has; None where a bad page does not let SQLite count them."""
    try:
        (rows,) = database.execute(sql("SELECT count(*) FROM {table}", table=_quoted(table.name))).fetchone()
    except sqlite3.DatabaseError:
        return None
    return int(rows)


def count_behind(database: sqlite3.Connection, table: Table, last: int, done: int) -> int:
    """Return how many rows are behind a rowid; in a table without rowids, how many more than are done there are."""
    name = _quoted(table.name)
    if not table.has_rowid:
        return (count_rows(database, table) or done) - done
    (rows,) = database.execute(sql("SELECT count(*) FROM {table} WHERE rowid > ?", table=name), (last,)).fetchone()
    return int(rows)
