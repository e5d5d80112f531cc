"""What 1.0 said of its providers stays behind, and what of it cannot be read is named like any other row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import pytest

from migrate.__main__ import main
from migrate.tests.commands import lines, migrate
from migrate.tests.old_database import WHEN, make, spoil

ROWS: Final = 400


def damaged(path: Path) -> Path:
    """Make a database in which nothing but a page of the history is bad."""
    make(path, provider_status=[(f"s-{n}", "gigachat", "GigaChat", "up", n, 0.5, WHEN) for n in range(ROWS)])
    spoil(path, "provider_status", 2)
    return path


def test_history_on_a_bad_page_is_named_by_inspect_and_run(
    dsns: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, report = damaged(tmp_path / "old.db"), tmp_path / "report"

    seen = migrate("inspect", "--source", str(old), capsys=capsys)
    moved = migrate("run", "--source", str(old), "--report", str(report), capsys=capsys)

    (hole,) = seen[1]["tables"]["provider_status"]["unreadable"]
    lost = hole["last_rowid"] - hole["first_rowid"] + 1
    assert seen[0] == moved[0] == 1
    assert moved[1]["unreadable"]["provider_status"] == [[hole["first_rowid"], hole["last_rowid"]]]
    assert len(moved[1]["bad_pages"]) == 1
    assert len(lines(report, "quarantine")) == moved[1]["tables"]["provider_status"]["rows"] == ROWS - lost


def test_a_later_run_and_the_report_name_it_still(
    dsns: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, report = damaged(tmp_path / "old.db"), tmp_path / "report"
    run = ("run", "--source", str(old), "--report", str(report))
    first = migrate(*run, capsys=capsys)

    assert migrate(*run, capsys=capsys) == first
    assert main(["report", "--source", str(old), "--report", str(report)]) == 1
    assert "provider_status" in capsys.readouterr().out
    assert json.loads((report / "summary.json").read_text())["unreadable"] == first[1]["unreadable"]
