"""The checker is satisfied by an honest move, and by nothing else."""

from __future__ import annotations

import ast
import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from tests.migration import naive_script
from tests.migration.checker.source import read_source
from tests.migration.installation import Installation
from tests.migration.mutants import MUTANTS
from tests.migration.old_database import make_mixed

CHECKER: Final = Path(__file__).parent / "checker"
ALLOWED: Final = {"psycopg", "yaml", *sys.stdlib_module_names}
OURS: Final = "tests.migration.checker"


def imported(path: Path) -> set[str]:
    """Return the modules that a file imports."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    whole = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return whole | {node.module or "." for node in nodes if isinstance(node, ast.ImportFrom)}


def test_the_checker_shares_no_code_with_what_it_checks() -> None:
    names = {name for path in CHECKER.rglob("*.py") for name in imported(path)}

    strange = {name for name in names if not name.startswith(OURS) and name.split(".")[0] not in ALLOWED}

    assert len(names) > 20
    assert strange == set()


def test_an_honest_move_is_accounted_for(target: Installation, tmp_path: Path) -> None:
    source, report = make_mixed(tmp_path / "old.db"), tmp_path / "report"

    outcome = target.run(source, report, "Europe/Moscow")

    assert outcome.status == 1
    assert list(map(str, target.problems(source, report))) == []


def test_a_source_whose_writer_was_killed_in_the_middle_is_read_without_what_it_had_begun(tmp_path: Path) -> None:
    """What a transaction had written into the file is undone by its journal, in a copy."""
    source, crashed = make_mixed(tmp_path / "old.db"), tmp_path / "crashed.db"
    with closing(sqlite3.connect(source, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = DELETE")
        expected = {table: len(rows) for table, rows in read_source(source).items()}
        database.execute("PRAGMA cache_size = 1")
        database.execute("BEGIN")
        database.execute("DELETE FROM usage")
        for suffix in ("", "-journal"):
            shutil.copy(f"{source}{suffix}", f"{crashed}{suffix}")
        database.execute("ROLLBACK")
    before = crashed.read_bytes()

    assert {table: len(rows) for table, rows in read_source(crashed).items()} == expected
    assert crashed.read_bytes() == before


@pytest.fixture(scope="module")
def moved(only_installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return a source and the report of its move: one for all mutants, each of which is taken back."""
    only_installation.empty()
    folder = tmp_path_factory.mktemp("moved")
    source, report = make_mixed(folder / "old.db"), folder / "report"
    only_installation.run(source, report, "Europe/Moscow")
    return source, report


@pytest.mark.parametrize("name", MUTANTS)
def test_a_move_that_was_spoilt_is_noticed(
    name: str, only_installation: Installation, moved: tuple[Path, Path], tmp_path: Path
) -> None:
    """And it is named as what it is."""
    (source, report), (kind, spoil) = moved, MUTANTS[name]
    spoilt = shutil.copytree(report, tmp_path / "report")
    try:
        spoil(only_installation, spoilt)
        problems = only_installation.problems(source, spoilt)
    finally:
        only_installation.auth.rollback()
        only_installation.usage.rollback()

    assert kind in {problem.kind for problem in problems}


def test_a_naive_script_ends_well_and_is_found_out(target: Installation, tmp_path: Path) -> None:
    """It read `now` as a time, cut commas out of tokens, and passed over what PostgreSQL would not take."""
    source, report = make_mixed(tmp_path / "old.db"), tmp_path / "report"

    passed_over = naive_script.move(source, report, target)
    problems = target.problems(source, report)
    target.auth.rollback()
    target.usage.rollback()

    kinds = {problem.kind for problem in problems}
    assert passed_over > 3
    assert kinds >= {"lost", "should_wait", "change_not_told", "wrong_value", "row_of_nobody", "wrong_rollup"}
