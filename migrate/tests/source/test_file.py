"""Files that can be read, files that cannot, and what is said of them."""

from __future__ import annotations

import os
import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from migrate.source.faults import SourceFault
from migrate.source.file import open_source
from migrate.source.scan import Row, Scan
from migrate.source.tables import read_layout
from migrate.tests.old_database import make, requests, spoil


def read_ids(path: Path, aside: Path) -> list[bytes]:
    """Return the ids of all usage rows."""
    with open_source(path, aside) as source:
        table = read_layout(source.database).tables["usage"]
        return [row.values[0] for piece in Scan(source.database, table, ["id"]).rows() for row in piece]  # type: ignore[misc]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "source_empty"),
        (b"not a database", "source_no_sqlite"),
        pytest.param(random.Random(1).randbytes(4096), "source_no_sqlite", id="noise"),
        (None, "source_unreadable"),
    ],
)
def test_what_is_no_database_is_refused_in_one_line(tmp_path: Path, content: bytes | None, code: str) -> None:
    path = tmp_path / "old.db"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(SourceFault) as caught, open_source(path, tmp_path / "aside"):
        pass

    assert caught.value.code == code
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_cut_file_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    path = make(tmp_path / "old.db", usage=requests(500))
    os.truncate(path, path.stat().st_size - 4096)

    with pytest.raises(SourceFault, match="4096 bytes are missing"), open_source(path, tmp_path / "aside"):
        pass


def test_a_bad_first_page_is_said_in_one_line_whatever_a_dead_writer_left(tmp_path: Path) -> None:
    """Rolling back in a copy does not mend it."""
    path = make(tmp_path / "old.db", usage=requests(3))
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"\xee" * 1_000)
    path.with_name("old.db-journal").write_bytes(b"left behind")

    with pytest.raises(SourceFault, match="cannot be read as SQLite") as caught, open_source(path, tmp_path / "aside"):
        pass

    assert caught.value.code == "source_no_sqlite"


def test_rows_that_are_only_in_the_log_are_read_while_1_0_writes(tmp_path: Path) -> None:
    """And what is written after the read has begun is not: the source is one moment."""
    path = make(tmp_path / "old.db", usage=requests(3))
    with closing(sqlite3.connect(path)) as writer:
        writer.execute("PRAGMA journal_mode=WAL")
        writer.execute("UPDATE usage SET id = 'in the log' WHERE rowid = 1")
        writer.commit()
        with open_source(path, tmp_path / "aside") as source:
            writer.execute("DELETE FROM usage")
            writer.commit()
            (count,) = source.database.execute("SELECT count(*) FROM usage WHERE id = 'in the log'").fetchone()
            (all_of_them,) = source.database.execute("SELECT count(*) FROM usage").fetchone()

    assert (count, all_of_them) == (1, 3)


def test_a_write_that_was_never_committed_is_rolled_back_in_a_copy(tmp_path: Path) -> None:
    """The file itself, and its journal, stay as they are."""
    path = make(tmp_path / "live.db", usage=requests(2_000))
    with closing(sqlite3.connect(path)) as writer:
        writer.execute("PRAGMA cache_size=1")
        writer.execute("UPDATE usage SET model = 'never committed'")
        died = tmp_path / "died"
        died.mkdir()
        for suffix in ("", "-journal"):
            (died / f"old.db{suffix}").write_bytes((tmp_path / f"live.db{suffix}").read_bytes())
        writer.rollback()
    before = {part.name: part.read_bytes() for part in died.iterdir()}

    with open_source(died / "old.db", tmp_path / "aside") as source:
        (count,) = source.database.execute("SELECT count(*) FROM usage WHERE model = 'never committed'").fetchone()
        notes = source.notes

    assert count == 0
    assert notes[0].startswith("hot_journal")
    assert {part.name: part.read_bytes() for part in died.iterdir()} == before


def test_a_locked_file_is_named_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("migrate.source.file.BUSY_S", 0.01)
    path = make(tmp_path / "old.db")
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        with pytest.raises(SourceFault) as caught, open_source(path, tmp_path / "aside"):
            pass

    assert caught.value.code == "source_locked"


def test_values_keep_their_class_and_their_bytes(tmp_path: Path) -> None:
    """Invalid UTF-8, NUL and BLOBs come as they are stored; a UTF-16 file as UTF-8."""
    schema = """
        PRAGMA encoding='UTF-16le';
        CREATE TABLE users (id, email);
        CREATE TABLE api_keys (id, user_id, key_hash);
        CREATE TABLE usage (id, user_id, model, tokens_input, tokens_output, cost, created_at);
    """
    path = make(tmp_path / "old.db", schema, users=[("ключ", b"\xff\x00"), (7, 1.5), (None, "a\0b")])
    with open_source(path, tmp_path / "aside") as source:
        table = read_layout(source.database).tables["users"]
        (rows,) = Scan(source.database, table, ["id", "email"]).rows()

    assert [row.values for row in rows] == [("ключ".encode(), b"\xff\x00"), (7, 1.5), (None, b"a\0b")]
    assert [type(value).__name__ for row in rows for value in row.values] == [
        "Text", "bytes", "int", "float", "NoneType", "Text",
    ]  # fmt: skip


def test_rows_on_a_bad_page_are_named_and_all_others_are_read(tmp_path: Path) -> None:
    path = make(tmp_path / "old.db", usage=requests(2_000))
    whole = read_ids(path, tmp_path / "aside")
    spoil(path, "usage", 3, 4, 9)

    with open_source(path, tmp_path / "aside") as source:
        scan = Scan(source.database, read_layout(source.database).tables["usage"], ["id"])
        rows: list[Row] = [row for piece in scan.rows() for row in piece]

    lost = {number for hole in scan.holes for number in range(hole.first, hole.last + 1)}
    read = {row.key[0] for row in rows}
    assert read | lost == set(range(1, 2_001))
    assert not read & lost
    assert 10 < len(lost) < 200
    assert len(rows) == len(read)
    assert len(whole) == 2_000
