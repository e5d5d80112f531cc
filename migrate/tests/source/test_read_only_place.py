"""A file with a log beside it, in a folder where nobody may write: what is in the log counts."""

from __future__ import annotations

import multiprocessing
import os
import resource
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

import pytest

from migrate.source.faults import SourceFault
from migrate.source.file import open_source
from migrate.tests.old_database import make, requests

NOBODY: Final = 65_534
ROWS: Final = 3
COPIED: Final = ("read_only_place: a copy with its -wal file was read",)


def read_as_nobody(path: Path, aside: Path, answer: Connection) -> None:
    """Answer how many rows somebody sees who may not write there, and what had to be done for it."""
    if os.geteuid() == 0:
        # To root every folder is open.
        os.setuid(NOBODY)
    with open_source(path, aside) as source:
        (count,) = source.database.execute("SELECT count(*) FROM usage").fetchone()
        answer.send((count, source.notes))


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a folder that everybody can enter: pytest's own are for one user."""
    made = Path(tempfile.mkdtemp())
    made.chmod(0o755)
    yield made
    for each in made.iterdir():
        if each.is_dir():
            each.chmod(0o755)
    shutil.rmtree(made)


def ask_nobody(path: Path, aside: Path) -> tuple[int, tuple[str, ...]]:
    """Return what `read_as_nobody` answers."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=read_as_nobody, args=(path, aside, theirs))
    process.start()
    theirs.close()
    count, notes = ours.recv()
    process.join()
    return count, notes


def ask_nobody_aside(path: Path, folder: Path) -> tuple[int, tuple[str, ...]]:
    """Return the same where a copy has room aside in the folder."""
    aside = folder / "aside"
    aside.mkdir()
    aside.chmod(0o777)
    return ask_nobody(path, aside)


def left_by_a_writer(live: Path, to: Path) -> Path:
    """Leave a file whose rows are in the log beside it only, and nothing else."""
    with closing(sqlite3.connect(live)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        with writer:
            writer.executemany("INSERT INTO usage VALUES (?, ?, ?, ?, ?, ?, ?, ?)", requests(ROWS))
        for suffix in ("", "-wal"):
            shutil.copyfile(f"{live}{suffix}", f"{to}{suffix}")
    return to


def test_a_copy_is_read_with_what_is_only_in_its_log(folder: Path, tmp_path: Path) -> None:
    still = folder / "still"
    still.mkdir()
    left_by_a_writer(make(tmp_path / "live.db"), still / "old.db")
    still.chmod(0o555)

    assert ask_nobody_aside(still / "old.db", folder) == (ROWS, COPIED)
    assert sorted(path.name for path in still.iterdir()) == ["old.db", "old.db-wal"]


def test_no_room_for_the_copy_is_one_line(tmp_path: Path) -> None:
    """A dead writer's journal is beside the file, so a copy of it is rolled back: 200 kB where 50 are left."""
    live, died = make(tmp_path / "live.db", usage=requests(2_000)), tmp_path / "died"
    died.mkdir()
    with closing(sqlite3.connect(live)) as writer:
        writer.execute("PRAGMA cache_size=1")
        writer.execute("UPDATE usage SET model = 'never committed'")
        for suffix in ("", "-journal"):
            shutil.copyfile(f"{live}{suffix}", died / f"old.db{suffix}")
        writer.rollback()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        with pytest.raises(SourceFault) as caught, open_source(died / "old.db", tmp_path / "aside" / "copy"):
            pass
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert caught.value.code == "source_not_copied"
    assert f"{tmp_path / 'aside'} (" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_1_0_writes_to_is_read_in_its_place_where_nobody_else_may_write(
    folder: Path, tmp_path: Path
) -> None:
    """1.0 keeps beside it what is needed to read its log; a copy would be of no one moment."""
    live = folder / "live"
    live.mkdir()
    path = make(live / "old.db")
    with closing(sqlite3.connect(path)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        with writer:
            writer.executemany("INSERT INTO usage VALUES (?, ?, ?, ?, ?, ?, ?, ?)", requests(ROWS))
        live.chmod(0o555)

        count, notes = ask_nobody(path, folder / "nowhere")

    assert (count, notes) == (ROWS, ())


def test_a_log_is_beside_the_file_not_beside_a_link_to_it(folder: Path) -> None:
    """Else what is only in the log would be missing, and nobody would be told."""
    real, links = folder / "real", folder / "links"
    real.mkdir()
    links.mkdir()
    still = left_by_a_writer(make(folder / "live.db"), real / "old.db")
    (links / "gateway.db").symlink_to(still)
    real.chmod(0o555)
    links.chmod(0o555)

    assert ask_nobody_aside(links / "gateway.db", folder) == (ROWS, COPIED)


def test_a_copy_under_which_the_log_begins_anew_is_made_again(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of what 1.0 wrote would be in neither file of the copy."""
    path, place = make(folder / "old.db"), tmp_path / "aside"
    copied, real_copy = list[str](), shutil.copyfile
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.executemany("INSERT INTO usage VALUES (?, ?, ?, ?, ?, ?, ?, ?)", requests(ROWS))

        def copy(part: Path, to: Path) -> None:
            real_copy(part, to)
            copied.append(part.name)
            if copied == ["old.db"]:
                writer.execute("PRAGMA wal_checkpoint(RESTART)")
                writer.execute("INSERT INTO users (id) VALUES ('later')")

        monkeypatch.setattr("migrate.source.file.shutil.copyfile", copy)
        monkeypatch.setattr("migrate.source.file._can_be_read", lambda path: False)
        monkeypatch.setattr("migrate.source.file.os.access", lambda path, mode: False)
        with open_source(path, place) as source:
            (count,) = source.database.execute("SELECT count(*) FROM usage").fetchone()

    assert count == ROWS
    assert copied == ["old.db", "old.db-wal"] * 2


def test_a_copy_under_which_1_0_never_rests_is_refused_in_one_line(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, real_copy = make(folder / "old.db"), shutil.copyfile
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")

        def copy(part: Path, to: Path) -> None:
            real_copy(part, to)
            writer.execute("PRAGMA wal_checkpoint(RESTART)")
            writer.execute("INSERT INTO users DEFAULT VALUES")

        writer.execute("INSERT INTO users DEFAULT VALUES")
        monkeypatch.setattr("migrate.source.file.shutil.copyfile", copy)
        monkeypatch.setattr("migrate.source.file._can_be_read", lambda path: False)
        monkeypatch.setattr("migrate.source.file.os.access", lambda path, mode: False)
        with pytest.raises(SourceFault) as caught, open_source(path, tmp_path / "aside"):
            pass

    assert caught.value.code == "source_not_copied"
    assert "\n" not in str(caught.value)
