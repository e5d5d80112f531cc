"""bad_pages: where in the file a table is damaged; of what SQLite cannot read it only says that it is malformed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Final

from migrate.source.tables import TABLES

# https://sqlite.org/fileformat.html section 1.6: pages of a table's tree, and of one WITHOUT ROWID.
_LEAVES: Final = (10, 13)
_BRANCHES: Final = (2, 5)
_HEADER: Final = 8
_BRANCH_HEADER: Final = 12
_FILE_HEADER: Final = 100


def bad_pages(database: sqlite3.Connection) -> list[int]:
    """Return the pages of release 1.0's tables that are none; by the file itself, not by the log beside it."""
    (path,) = database.execute("SELECT file FROM pragma_database_list WHERE name = 'main'").fetchone()
    (size,) = database.execute("PRAGMA page_size").fetchone()
    roots = database.execute("SELECT rootpage, lower(name) FROM sqlite_master WHERE type = 'table'").fetchall()
    with Path(path.decode()).open("rb") as file:
        tree = _Tree(file, size)
        return sorted({page for root, name in roots if name.decode() in TABLES for page in tree.bad_from(root)})


class _Tree:
    def __init__(self, file: IO[bytes], page_size: int) -> None:
        self._file = file
        self._size = page_size
        self._seen: set[int] = set()

    def bad_from(self, root: int) -> Iterator[int]:
        waiting = [root]
        while waiting:
            number = waiting.pop()
            children = None if number in self._seen else self._children(number)
            self._seen.add(number)
            if children is None:
                yield number
            else:
                waiting.extend(children)

    def _children(self, number: int) -> Sequence[int] | None:
        """Return the pages below one; None where it is no page of a tree."""
        start = _FILE_HEADER if number == 1 else 0
        head = self._read(number, start, _BRANCH_HEADER)
        cells = int.from_bytes(head[3:5], "big")
        if len(head) < _BRANCH_HEADER or start + _HEADER + 2 * cells > self._size:
            return None
        if head[0] in _LEAVES:
            return ()
        return self._below(number, start, cells) if head[0] in _BRANCHES else None

    def _below(self, number: int, start: int, cells: int) -> Sequence[int] | None:
        page = self._read(number, 0, self._size)
        first = start + _BRANCH_HEADER
        places = [int.from_bytes(page[at : at + 2], "big") for at in range(first, first + 2 * cells, 2)]
        if any(not first <= place <= self._size - 4 for place in places):
            return None
        return [int.from_bytes(page[at : at + 4], "big") for at in (*places, start + _HEADER)]

    def _read(self, number: int, start: int, length: int) -> bytes:
        if number < 1:
            return b""
        self._file.seek((number - 1) * self._size + start)
        return self._file.read(length)
