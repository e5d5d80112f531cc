"""`cutover` beside a 1.0 that wants to write: it is refused, the rest moves, and the verdict says what differs."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from migrate.__main__ import main
from migrate.tests.commands import migrate, stored
from migrate.tests.old_database import WHEN, make, requests
from tools.testing.databases import Databases

WRITE: Final = "INSERT INTO usage SELECT 'late', user_id, provider, model, 1, 1, 1.0, created_at FROM usage LIMIT 1"
# 1.0 is another process: what a process may do with a file it holds a lock on says nothing of others.
WRITER: Final = """
import sqlite3, sys
sqlite3.connect(sys.argv[1], timeout=0, isolation_level=None).execute(sys.argv[2])
"""
BOTH_JOURNALS: Final = pytest.mark.parametrize("old", ["delete", "wal"], indirect=True)
HOLDER: Final = """
import sys
from pathlib import Path
from migrate.source.lock import refuse_writers
with refuse_writers(Path(sys.argv[1]), 0):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return a database of 1.0 as its journal may be."""
    path = make(tmp_path / "old.db", users=[("user-1", "a@b.ru", WHEN, WHEN)], usage=requests(20))
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"PRAGMA journal_mode = {getattr(request, 'param', 'delete')}")
    return path


def write(path: Path) -> str:
    """Be release 1.0; return the last line of what it says, empty when it could write."""
    done = subprocess.run([sys.executable, "-c", WRITER, path, WRITE], capture_output=True, text=True, check=False)
    return (done.stderr.strip().splitlines() or [""])[-1]


class Operator:
    """A terminal at which somebody looks whether 1.0 can write before they press Enter."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.saw = ""

    def readline(self) -> str:
        """Press Enter."""
        self.saw = write(self._path)
        return "\n"


@BOTH_JOURNALS
def test_1_0_cannot_write_until_the_operator_says_so(
    dsns: dict[str, str], old: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    report, operator = tmp_path / "report", Operator(old)
    monkeypatch.setattr(sys, "stdin", operator)

    status, verdict = migrate("cutover", "--source", str(old), "--report", str(report), "--hold", capsys=capsys)

    assert operator.saw == "sqlite3.OperationalError: database is locked"
    assert write(old) == ""
    assert (status, verdict["verdict"], verdict["reasons"]) == (0, "go", [])
    assert json.loads((report / "summary.json").read_text())["cutover"] == verdict
    assert asyncio.run(stored(dsns["usage"], "SELECT count(*) FROM usage.usage")) == [(20,)]


def test_what_differs_is_named_and_1_0_goes_on(
    dsns: dict[str, str], databases: Databases, old: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    order = ("--source", str(old), "--report", str(tmp_path / "report"))
    migrate("run", *order, capsys=capsys)
    forged = "UPDATE usage.usage SET cost = cost + 0.000001 WHERE id::text LIKE '%7' RETURNING 1"
    asyncio.run(stored(databases.admin_dsn_of(dsns["usage"]), forged))

    assert main(["cutover", *order]) == 1

    said = capsys.readouterr().out.splitlines()
    assert said[2] == (
        "requests, tokens in and out, micro-roubles of 2025-03-04: "
        "source (20, 200, 400, 30000), target (20, 200, 400, 30002)"
    )
    assert said[3].startswith("BACK, 1.0 goes on: ")
    assert write(old) == ""


def test_a_write_that_does_not_end_is_one_line_and_nothing_is_locked(
    dsns: dict[str, str], old: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(sqlite3.connect(old, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        order = ("--source", str(old), "--report", str(tmp_path / "report"), "--wait", "0")
        status, said = migrate("cutover", *order, capsys=capsys)

    assert (status, said["error"]["code"]) == (3, "source_locked")
    assert write(old) == ""


@BOTH_JOURNALS
def test_a_killed_cutover_releases_1_0(old: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, old], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert write(old) == "sqlite3.OperationalError: database is locked"
        holder.kill()

    assert write(old) == ""
