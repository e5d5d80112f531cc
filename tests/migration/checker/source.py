"""The file of release 1.0, read by its rows' numbers; texts as bytes, and past what cannot be read."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from urllib.request import pathname2url

from tests.migration.checker.cells import NULL, Cell, cell_of

TABLES: Final = ("users", "api_keys", "usage", "provider_status")
BOOK: Final[Mapping[str, tuple[str, ...]]] = {
    "users": ("id", "email", "created_at", "updated_at"),
    "api_keys": ("id", "user_id", "key_hash", "name", "created_at", "expires_at", "last_used_at"),
    "usage": ("id", "user_id", "provider", "model", "tokens_input", "tokens_output", "cost", "created_at"),
}
_NAMES_OF_ROWID: Final = ("rowid", "_rowid_", "oid")
_VIRTUAL: Final = 2


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the source, by its columns in ASCII lower case.

    Attributes:
        number: its rowid; its place in the order of the key where the table has none.
    """

    table: str
    number: int
    cells: Mapping[str, Cell]

    def cell(self, name: str) -> Cell:
        """Return a value; a column that is not there is NULL."""
        return self.cells.get(name, NULL)

    @property
    def own_columns(self) -> dict[str, Cell]:
        """Return the operator's own columns."""
        return {name: cell for name, cell in self.cells.items() if name not in BOOK[self.table]}


def read_source(path: Path) -> dict[str, list[Row]]:
    """Return all rows that can be read, by table, in their order."""
    with _opened(path) as database:
        spelt = {
            _lower(name.raw.decode()): name.raw.decode()
            for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        }
        return {name: _rows(database, name, spelt[name]) if name in spelt else [] for name in TABLES}


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    with _settled(path) as settled, closing(sqlite3.connect(_address(settled), uri=True)) as database:
        database.text_factory = lambda raw: Cell("text", raw)
        database.execute("BEGIN")
        yield database


@contextmanager
def _settled(path: Path) -> Iterator[Path]:
    """Yield the file itself, or a copy that is rolled back where a writer was killed in the middle of a transaction."""
    journal = Path(f"{path}-journal")
    if not journal.exists():
        yield path
        return
    with TemporaryDirectory() as folder:
        copy = Path(shutil.copy(path, folder))
        shutil.copy(journal, folder)
        with closing(sqlite3.connect(copy)) as database:
            database.execute("SELECT * FROM sqlite_master").fetchall()
        yield copy


def _address(path: Path) -> str:
    return f"file:{pathname2url(str(path.resolve()))}?mode=ro"


def _rows(database: sqlite3.Connection, name: str, spelt: str) -> list[Row]:
    columns, key = _shape(database, name, spelt)
    listed = ", ".join(_quoted(column) for column in columns)
    names = [_lower(column) for column in columns]
    if key is None:
        number = next(each for each in _NAMES_OF_ROWID if each not in names)
        found = _numbered(database, f"SELECT {number}, {listed} FROM {_quoted(spelt)}", number, spelt)
    else:
        rows = database.execute(f"SELECT {listed} FROM {_quoted(spelt)} ORDER BY {key}")
        found = [(place, *row) for place, row in enumerate(rows)]
    return [Row(name, row[0], dict(zip(names, map(cell_of, row[1:]), strict=True))) for row in found]


def _shape(database: sqlite3.Connection, name: str, spelt: str) -> tuple[list[str], str | None]:
    """Return the columns that say something of their own, and the key of a table without rowids."""
    found = [
        (column.raw.decode(), hidden, place)
        for column, hidden, place in database.execute(
            f"SELECT name, hidden, pk FROM pragma_table_xinfo({_text(spelt)})"
        )
    ]
    # What others are computed from is there already; of the book's columns the value counts, however it came about.
    columns = [each for each, hidden, _ in found if hidden != _VIRTUAL or _lower(each) in BOOK.get(name, ())]
    ((without,),) = database.execute(f"SELECT wr FROM pragma_table_list WHERE name = {_text(spelt)}")
    key = ", ".join(_quoted(each) for each, _, place in sorted(found, key=lambda part: part[2]) if place)
    return columns, key if without else None


def _numbered(database: sqlite3.Connection, select: str, number: str, spelt: str) -> list[tuple[Any, ...]]:
    try:
        return database.execute(f"{select} ORDER BY {number}").fetchall()
    except sqlite3.DatabaseError:
        numbers = _listed_numbers(database, number, spelt)
        return [row for each in numbers for row in _one(database, f"{select} WHERE {number} = {each}")]


def _one(database: sqlite3.Connection, select: str) -> list[tuple[Any, ...]]:
    try:
        return database.execute(select).fetchall()
    except sqlite3.DatabaseError:
        return []


def _listed_numbers(database: sqlite3.Connection, number: str, spelt: str) -> list[int]:
    """Return the rowids that an index lists: it does not stand on the table's pages; else all that there may be."""
    for (index,) in database.execute(f"SELECT name FROM pragma_index_list({_text(spelt)})"):
        told = f"SELECT {number} FROM {_quoted(spelt)} INDEXED BY {_quoted(index.raw.decode())} ORDER BY {number}"
        if found := _one(database, told):
            return [each for (each,) in found]
    ((highest,),) = database.execute(f"SELECT max({number}) FROM {_quoted(spelt)}")
    return list(range(1, highest + 1))


def _lower(name: str) -> str:
    return "".join(letter.lower() if letter.isascii() else letter for letter in name)


def _quoted(name: str) -> str:
    # In double quotes a name that there is not would be a text.
    return "`" + name.replace("`", "``") + "`"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
