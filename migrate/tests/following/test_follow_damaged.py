"""A file with bad pages is followed and cut over: what nobody can read is named, and is not waited for."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from migrate.source import scan
from migrate.source.file import open_source
from migrate.source.scan import count_behind
from migrate.source.tables import read_layout
from migrate.tests.commands import migrate
from migrate.tests.following.following_kit import one_more, write
from migrate.tests.old_database import WHEN, make, requests, spoil

USER = ("user-1", "a@b.ru", WHEN, WHEN)


@pytest.mark.parametrize("place", [2, -1])
def test_a_bad_page_ends_neither_the_following_nor_the_cut_over(
    dsns: dict[str, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    place: int,
) -> None:
    """Behind all that has moved, too: each round meets it again."""
    monkeypatch.setattr(scan, "NEAR", 100)
    old = make(tmp_path / "old.db", users=[USER], usage=requests(200))
    spoil(old, "usage", place)
    order = ("--source", str(old), "--report", str(tmp_path / "report"))

    status, told = migrate("run", *order, capsys=capsys)
    followed, last = migrate("follow", *order, "--until-behind", "0", "--every", "0.01", capsys=capsys)
    cut, verdict = migrate("cutover", *order, capsys=capsys)

    assert (status, len(told["unreadable"]["usage"]), last["behind"]) == (1, 1, 0)
    assert (followed, cut, verdict["verdict"]) == (1, 0, "go")


def test_a_row_whose_rest_cannot_be_read_is_not_counted_as_one_that_comes(tmp_path: Path) -> None:
    """Its page can, so that SQLite counts it; one that 1.0 wrote behind it is one."""
    old = make(tmp_path / "old.db", usage=[*requests(1), ("long", "u", "p", "m" * 50_000, 1, 2, 0.5, WHEN)])
    with closing(sqlite3.connect(old)) as database:
        pages = "SELECT pageno, pgsize FROM dbstat WHERE name = 'usage' AND pagetype = 'overflow' ORDER BY path"
        (page, size), *_ = database.execute(pages).fetchall()
    with old.open("r+b") as file:
        # The page that says where the next one is leads nowhere.
        file.seek((page - 1) * size)
        file.write(b"\xee" * size)

    assert behind_first(old) == 0
    write(old, one_more("gen-1"))
    assert behind_first(old) == 1


def behind_first(old: Path) -> int:
    """Return how many rows come behind the first one."""
    with open_source(old, old.parent / "aside") as source:
        return count_behind(source.database, read_layout(source.database).tables["usage"], 1, 1)
