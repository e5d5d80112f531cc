"""Rows are read whatever their numbers are: also below zero, and past pages that cannot be read."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from migrate.source import scan
from migrate.source.file import open_source
from migrate.source.scan import MIN_ROWID, Scan
from migrate.source.tables import read_layout
from migrate.tests.old_database import make, requests, spoil

ROWS: Final = 600


def below_zero(path: Path) -> Path:
    """Make a database whose usage has rowids from -300 to 299: who merged two files by hand numbers so."""
    make(path, usage=requests(ROWS))
    with closing(sqlite3.connect(path)) as database, database:
        # In two steps: no two rows may have one number on the way.
        database.execute("UPDATE usage SET rowid = rowid + 100000")
        database.execute("UPDATE usage SET rowid = rowid - 100301")
    return path


@pytest.mark.parametrize("bad", [(), (0,), (2,), (0, 2), (-1,)], ids=str)
def test_rows_with_numbers_below_zero_are_read_past_bad_pages(
    tmp_path: Path, bad: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first page too: what is lost begins at the least number there can be, and not at 1."""
    monkeypatch.setattr(scan, "NEAR", 100)
    path = below_zero(tmp_path / "old.db")
    spoil(path, "usage", *bad)

    with open_source(path, tmp_path / "aside") as source:
        rows = Scan(source.database, read_layout(source.database).tables["usage"], ["id"])
        read = [row.number for piece in rows.rows() for row in piece]

    lost = {number for number in range(-300, 300) if any(hole.first <= number <= hole.last for hole in rows.holes)}
    assert read == sorted(set(read))
    assert set(read) | lost == set(range(-300, 300))
    assert not set(read) & lost
    assert len(lost) < ROWS // 2
    assert (0 in bad) == any(hole.first == MIN_ROWID + 1 for hole in rows.holes)
