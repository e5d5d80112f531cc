"""A file that 1.0 locks in the middle of a read that is not held: it is locked, not damaged, and no other file."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import pytest

from migrate.moving.mark import check_mark, mark_at
from migrate.source.faults import SourceFault
from migrate.source.file import Source, open_source
from migrate.source.scan import Scan, count_rows, read_rows
from migrate.source.tables import Layout, read_layout
from migrate.tests.old_database import make, requests

READS: Final[dict[str, Callable[[Source, Layout], object]]] = {
    "tables": lambda source, layout: read_layout(source.database),
    "accounts": lambda source, layout: read_rows(source.database, layout.tables["users"]),
    "counting": lambda source, layout: count_rows(source.database, layout.tables["usage"]),
    "looking an id up": lambda source, layout: Scan(source.database, layout.tables["usage"]).find("id", "x"),
    "the rows before": lambda source, layout: mark_at(source.database, layout.tables["usage"], 3),
    "whether they are the same": lambda source, layout: check_mark(
        source.database, layout.tables["usage"], {"row": 3, "digest": ""}
    ),
}


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Be 1.0 in VACUUM, or in a write that does not fit into its memory."""
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        yield


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_each_read_says_that_the_file_is_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: Callable[[Source, Layout], object]
) -> None:
    """A row that cannot be read for a moment is not on a bad page, and has not moved to another place."""
    monkeypatch.setattr("migrate.source.file.BUSY_S", 0.01)
    path = make(tmp_path / "old.db", usage=requests(3))
    with open_source(path, tmp_path / "aside", is_held=False) as source:
        layout = read_layout(source.database)
        with locked(path), pytest.raises(SourceFault) as caught:
            read(source, layout)

    assert caught.value.code == "source_locked"
    assert str(path) in str(caught.value)
