"""Rows of a table in the order of its key, in pieces, and past what cannot be read."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from migrate.rules.verdict import Stored, Text, utf8
from migrate.source.faults import SourceFault
from migrate.source.tables import Table, has_unique
from servicekit.postgres import sql

PIECE: Final = 1_000
MAX_ROWID: Final = 2**63 - 1
MIN_ROWID: Final = -(2**63)
# Behind a bad page each rowid is tried, so far: a table's leaf has tens of rows. What is bad further is a branch.
NEAR: Final = 100_000
_BELOW: Final = "SELECT {key} FROM {table} WHERE {key} <= 0 ORDER BY {key} DESC LIMIT 1"
_WITH: Final = "SELECT {key}, {columns} FROM {table} WHERE {column} = ?"
_FROM: Final = "SELECT {key}, {columns} FROM {table} WHERE {key} >= ? ORDER BY {key} LIMIT 1"
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

    @property
    def number(self) -> int:
        """Return the rowid of a row that has one."""
        (rowid,) = self.key
        assert isinstance(rowid, int)  # that is what a rowid is
        return rowid


Cells: TypeAlias = "tuple[Stored | str, ...]"
"""A row as SQLite gives it: the key, then the values; texts may be decoded."""


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
        self._text: type[str | Text] = Text
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
            SourceFault: a table without rowids has a bad page: there is no way round it; or SQLite refuses to read.
        """
        self._text = Text
        for piece in self._pieces(after):
            yield [self._row(cells) for cells in piece]

    def cells(self, after: tuple[Stored, ...] | None = None) -> Iterator[list[Cells]]:
        """Yield the same rows, faster: texts are decoded where all of a piece can be; `row` makes rows of them.

        Raises:
            SourceFault: as `rows`.
        """
        self._text = str
        yield from self._pieces(after)

    def row(self, cells: Cells) -> Row:
        """Return a row as it is stored."""
        return self._row(tuple(Text(cell.encode()) if isinstance(cell, str) else cell for cell in cells))

    def find(self, column: str, text: str) -> Row | None:
        """Return a row that has a text in a column, None too where its index cannot be read."""
        statement = sql(
            "SELECT {key}, {columns} FROM {table} WHERE {column} = ?", column=_quoted(column), **self._parts
        )
        try:
            found = self._database.execute(statement, (text,)).fetchone()
        except sqlite3.DatabaseError:
            return None
        return None if found is None else self._row(found)

    def is_unique(self, column: str) -> bool:
        """Tell whether SQLite lets no two rows have the same bytes in a column."""
        return has_unique(self._database, self._table, column)

    def _row(self, cells: tuple[Any, ...]) -> Row:
        return Row(cells[: self._size], cells[self._size :])

    def _pieces(self, after: tuple[Any, ...] | None) -> Iterator[list[tuple[Any, ...]]]:
        while piece := self._piece(after):
            yield piece
            after = piece[-1][: self._size]

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

    def _piece(self, after: tuple[Any, ...] | None) -> list[tuple[Any, ...]]:
        try:
            return self._read(after, PIECE)
        except sqlite3.DatabaseError as exc:
            if not _is_damage(exc):
                raise SourceFault("source_unreadable", f"Table {self._table.name} cannot be read: {exc}.") from exc
            if not self._table.has_rowid:
                raise SourceFault(
                    "source_damaged",
                    f"Table {self._table.name} has no rowids and a bad page, past which nobody can read: "
                    "make a copy by sqlite3's .recover, look through it, and move the copy.",
                ) from exc
        return self._before_or_behind(self._before_all() if after is None else after[0])

    def _before_all(self) -> int:
        """Return a rowid that no row is before."""
        try:
            found = self._database.execute(sql(_BELOW, **self._parts)).fetchone()
        except sqlite3.DatabaseError:
            return MIN_ROWID
        return 0 if found is None else MIN_ROWID

    def _read(self, after: tuple[Any, ...] | None, limit: int) -> list[tuple[Any, ...]]:
        if self._text is str:
            try:
                self._database.text_factory = str
                return self._fetch(after, limit)
            except sqlite3.OperationalError as exc:
                if "UTF-8" not in str(exc):
                    raise
            finally:
                self._database.text_factory = Text
        return self._fetch(after, limit)

    def _fetch(self, after: tuple[Any, ...] | None, limit: int) -> list[tuple[Any, ...]]:
        if after is None:
            return self._database.execute(self._first, (limit,)).fetchall()
        values = [_bound(value) for value in after]
        return self._database.execute(sql(_BEHIND, marks=_marks(values), **self._parts), (*values, limit)).fetchall()

    def _before_or_behind(self, after: int) -> list[tuple[Any, ...]]:
        """Return the rows before the hole that begins somewhere behind `after`, else the first one behind it."""
        limit = PIECE // 2
        while limit:
            with suppress(sqlite3.DatabaseError):
                return self._read((after,), limit)
            limit //= 2
        end = self._end_of_hole(after + 1)
        self.holes.append(Hole(after + 1, MAX_ROWID if end is None else end - 1))
        return [] if end is None else self._first_from(end) or []

    def _end_of_hole(self, first: int) -> int | None:
        """Return the rowid from which on rows can be read again, None where there are none any more.

        Each that is near is tried: there may be a good page between two bad ones.
        """
        near = range(first, min(first + NEAR, MAX_ROWID))
        found = next((number for number in near if self._first_from(number) is not None), None)
        return self._far_end(near[-1]) if found is None else found

    def _far_end(self, bad: int) -> int | None:
        """Return the same of a hole that is larger, found by doubling and then by halving."""
        step = 1
        while bad + step < MAX_ROWID and self._first_from(bad + step) is None:
            step *= 2
        bad, good = bad + step // 2, min(bad + step, MAX_ROWID)
        while good - bad > 1:
            middle = (bad + good) // 2
            bad, good = (middle, good) if self._first_from(middle) is None else (bad, middle)
        return None if good == MAX_ROWID else good

    def _first_from(self, number: int) -> list[tuple[Any, ...]] | None:
        """Return the row with a rowid, or the next one; None where it cannot be read.

        Not the first one behind the rowid before: that one may be on the bad page.
        """
        try:
            return self._database.execute(sql(_FROM, **self._parts), (number,)).fetchall()
        except sqlite3.DatabaseError:
            return None


def _is_damage(exc: sqlite3.DatabaseError) -> bool:
    # Not by its text: what SQLite's JSON cannot read is malformed, too.
    return exc.sqlite_errorcode & 0xFF == sqlite3.SQLITE_CORRUPT


def _bound(value: Stored | str) -> Stored | str:
    """Return a value as SQLite is told it: bytes would be a BLOB, which is behind every text."""
    text = utf8(value) if isinstance(value, Text) else None
    return value if text is None else text


def _marks(values: Sequence[Stored | str]) -> str:
    return ", ".join("CAST(? AS TEXT)" if isinstance(value, Text) else "?" for value in values)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@dataclass(frozen=True, slots=True)
class SourceRows:
    """All rows of a table, with what names each, a rowid or a place in the order; and what could not be read.

    Attributes:
        originals: rows as they are in the source, where a person gave them other values, by what names them.
    """

    rows: Sequence[tuple[int, Mapping[str, Stored]]]
    holes: Sequence[Hole]
    originals: Mapping[int, Mapping[str, Stored]] = field(default_factory=dict)

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
            rows.append((row.number if table.has_rowid else len(rows), scan.named(row)))
    return SourceRows(rows, scan.holes)


def count_rows(database: sqlite3.Connection, table: Table) -> int | None:
    """Return how many rows a table has; None where a bad page does not let SQLite count them."""
    try:
        (rows,) = database.execute(sql("SELECT count(*) FROM {table}", table=_quoted(table.name))).fetchone()
    except sqlite3.DatabaseError:
        return None
    return int(rows)


def count_behind(database: sqlite3.Connection, table: Table, last: int, done: int) -> int:
    """Return how many rows are behind a rowid and can be read; without rowids, how many more than are done there are.

    Not by SQLite's count: that ends at a bad page, and counts rows whose rest is on one, which no round ever takes.
    """
    if not table.has_rowid:
        return (count_rows(database, table) or done) - done
    return sum(map(len, Scan(database, table).cells((last,))))
