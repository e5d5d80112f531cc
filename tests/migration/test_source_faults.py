"""Sources that are damaged, locked or in use: one clear line, or a whole move; never a silent loss."""

from __future__ import annotations

import os
import resource
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.migration.installation import Installation
from tests.migration.old_database import BOOK, WHEN, make, make_mixed, request_id

PAGE: Final = 4_096
NO_SOURCE: Final = 3
NO_REPORT: Final = 5


def many(count: int) -> list[tuple[object, ...]]:
    """Return honest requests, without a column of the operator's."""
    return [(request_id(n), "user-1", "gigachat", "GigaChat", 1, 2, 0.5, WHEN, None) for n in range(count)]


def leaves_of(path: Path, table: str) -> list[int]:
    """Return the pages of a table's rows, in their order: asked of the B-tree itself."""
    with closing(sqlite3.connect(path)) as database:
        found = database.execute(
            "SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf' ORDER BY path", [table]
        )
        return [page for (page,) in found]


def spoil(path: Path, *pages: int) -> None:
    """Overwrite pages."""
    with path.open("r+b") as file:
        for page in pages:
            file.seek((page - 1) * PAGE)
            file.write(b"\xee" * PAGE)


def encrypt(path: Path) -> None:
    """Make a file such as SQLCipher's: every byte is noise, from the first."""
    path.write_bytes(os.urandom(path.stat().st_size))


def cut(path: Path) -> None:
    """Lose the end of a file, in the middle of a page."""
    os.truncate(path, path.stat().st_size - PAGE - 100)


def spoil_without_rowids(path: Path) -> None:
    """Spoil a page of a table that is ordered by its ids."""
    path.unlink()
    make(path, BOOK.replace("trace TEXT);", "trace TEXT) WITHOUT ROWID;"), usage=many(500))
    spoil(path, leaves_of(path, "usage")[2])


FAULTS: Final[dict[str, tuple[str, Callable[[Path], object]]]] = {
    "0 bytes": ("source_empty", lambda path: path.write_bytes(b"")),
    "no SQLite": ("source_no_sqlite", lambda path: path.write_text("id;user_id;cost\n1;2;3\n")),
    "encrypted": ("source_no_sqlite", encrypt),
    "truncated": ("source_truncated", cut),
    "truncated in its header": ("source_no_sqlite", lambda path: os.truncate(path, 50)),
    "a bad first page": ("source_no_sqlite", lambda path: spoil_schema(path)),
    "a bad page and no rowids": ("source_damaged", spoil_without_rowids),
    "nothing": ("source_unreadable", lambda path: path.unlink()),
}


def spoil_schema(path: Path) -> None:
    """Leave the header, and nothing else of the page that says what is where."""
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"\xee" * (PAGE - 100))


@pytest.mark.parametrize("name", FAULTS)
def test_a_source_that_cannot_be_read_is_one_line_and_nothing_moves(
    name: str, target: Installation, tmp_path: Path
) -> None:
    code, fault = FAULTS[name]
    source = make(tmp_path / "old.db", usage=many(500))
    fault(source)

    outcome = target.run(source, tmp_path / "report")

    assert (outcome.status, outcome.answer["error"]["code"]) == (NO_SOURCE, code)
    assert "\n" not in outcome.answer["error"]["message"]
    assert target.usage.execute("SELECT count(*) FROM usage.usage").fetchone() == (0,)


def test_what_is_not_on_bad_pages_moves_and_the_pages_are_named(target: Installation, tmp_path: Path) -> None:
    """A good page between two bad ones too; a later run that finds nothing new says the same."""
    source, report = make(tmp_path / "old.db", usage=many(1_500)), tmp_path / "report"
    leaves = leaves_of(source, "usage")
    spoil(source, leaves[3], leaves[5], leaves[6])

    first = target.run(source, report)
    again = target.run(source, report)

    assert first.status == 1
    assert first.answer["bad_pages"] == sorted([leaves[3], leaves[5], leaves[6]])
    holes = first.answer["unreadable"]["usage"]
    assert len(holes) == 2
    assert first.answer["tables"]["usage"]["rows"] == 1_500 - sum(last - first + 1 for first, last in holes)
    assert (again.status, again.answer) == (first.status, first.answer)
    assert list(map(str, target.problems(source, report))) == []


# It lets others have their turn, as release 1.0 did, which waited for providers.
WRITER: Final = """
import sqlite3, sys, time
database = sqlite3.connect(sys.argv[1], timeout=60)
for number in range(10_000):
    with database:
        database.execute(
            "INSERT INTO usage SELECT 'new-' || ?, user_id, provider, model, 1, 1, 0.5, created_at, NULL "
            "FROM usage LIMIT 1", [number],
        )
    print(number, flush=True)
    time.sleep(0.02)
"""


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Let release 1.0 write, row by row, as long as the block lasts."""
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        try:
            writer.stdout.readline()
            yield
        finally:
            writer.kill()


@pytest.mark.parametrize("journal", ["WAL", "DELETE"])
def test_a_source_that_another_process_writes_to_is_moved_whole(
    journal: str, target: Installation, tmp_path: Path
) -> None:
    """The writer is killed in the middle: what it wrote since, or left half written, is met by the next run."""
    source, report = make_mixed(tmp_path / "old.db"), tmp_path / "report"
    with closing(sqlite3.connect(source)) as database:
        database.execute(f"PRAGMA journal_mode = {journal}")

    with writing(source):
        first = target.run(source, report, "Europe/Moscow")
    last = target.run(source, report, "Europe/Moscow")

    assert (first.status, last.status) == (1, 1)
    assert last.answer["tables"]["usage"]["rows"] >= first.answer["tables"]["usage"]["rows"] > 68
    assert list(map(str, target.problems(source, report))) == []


@contextmanager
def room(size: int) -> Iterator[None]:
    """Let no file grow beyond so many bytes: what a full disk is to a process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("size", [1_500, 7_500])
def test_a_full_disk_under_the_report_is_one_line_and_the_run_goes_on_when_there_is_room(
    size: int, target: Installation, tmp_path: Path
) -> None:
    """At the first lines, and when the ids that were seen outgrow it."""
    source, report = make_mixed(tmp_path / "old.db"), tmp_path / "report"
    with room(size):
        full = target.run(source, report, "Europe/Moscow")

    outcome = target.run(source, report, "Europe/Moscow")

    assert (full.status, full.answer["error"]["code"]) == (NO_REPORT, "report_unwritable")
    assert "\n" not in full.answer["error"]["message"]
    assert outcome.status == 1
    assert list(map(str, target.problems(source, report))) == []
