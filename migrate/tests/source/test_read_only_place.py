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
        each.chmod(0o755)
    shutil.rmtree(made)


def test_a_copy_is_read_with_what_is_only_in_its_log(folder: Path, tmp_path: Path) -> None:
    live, still = make(tmp_path / "live.db"), folder / "still"
    still.mkdir()
    with closing(sqlite3.connect(live)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        with writer:
            writer.executemany("INSERT INTO usage VALUES (?, ?, ?, ?, ?, ?, ?, ?)", requests(ROWS))
        for suffix in ("", "-wal"):
            shutil.copyfile(f"{live}{suffix}", still / f"old.db{suffix}")
    still.chmod(0o555)
    (folder / "aside").mkdir()
    (folder / "aside").chmod(0o777)
    ours, theirs = multiprocessing.Pipe()

    process = multiprocessing.get_context("spawn").Process(
        target=read_as_nobody, args=(still / "old.db", folder / "aside", theirs)
    )
    process.start()
    theirs.close()
    count, notes = ours.recv()
    process.join()

    assert count == ROWS
    assert notes == ("read_only_place: a copy with its -wal file was read",)
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
