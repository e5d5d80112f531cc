"""A folder of a report belongs to one source and one command at a time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from migrate.__main__ import VERBS, main
from migrate.fates.fate import Quarantined
from migrate.report.faults import ReportFault
from migrate.report.files import ReportFiles
from migrate.tests.old_database import make


def test_a_folder_without_the_lines_of_the_runs_before_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    with ReportFiles(tmp_path / "first") as first:
        first.quarantine("users", 1, Quarantined("id_missing", "id"), {"id": None})
        lengths = first.sync()

    with ReportFiles(tmp_path / "second") as second, pytest.raises(ReportFault) as fault:
        second.cut(lengths)

    assert fault.value.code == "report_elsewhere"
    assert (tmp_path / "second" / "quarantine.jsonl").read_bytes() == b""


def test_a_second_command_does_not_get_into_the_folder_of_the_first(tmp_path: Path) -> None:
    with ReportFiles(tmp_path), pytest.raises(ReportFault) as fault:
        ReportFiles(tmp_path)

    assert fault.value.code == "report_in_use"
    with ReportFiles(tmp_path):
        pass


def left(folder: Path) -> dict[str, bytes]:
    """Return what is in a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("verb", ["inspect", "verify", "report", "undo"])
def test_a_verb_that_writes_no_report_makes_no_folder_for_a_slip_of_the_pen(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nor a log in a folder that is somebody else's."""
    path = make(tmp_path / "old.db")
    (tmp_path / "letters").mkdir()
    for folder in ("typo", "letters"):
        assert main([verb, "--source", str(path), "--report", str(tmp_path / folder)]) == 5
        assert capsys.readouterr().err.startswith(f"report_missing: {tmp_path / folder} has no report: ")

    assert not (tmp_path / "typo").exists()
    assert left(tmp_path / "letters") == {}


@pytest.mark.parametrize("verb", [verb.name for verb in VERBS])
def test_the_report_of_one_source_is_never_another_ones(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run of the second would begin by emptying the files of the first, with all that waits in them."""
    first, second = (make(tmp_path / f"{name}.db") for name in ("first", "second"))
    with ReportFiles(tmp_path / "report", first) as report:
        report.quarantine("users", 1, Quarantined("id_missing", "id"), {"id": None})
    before = left(tmp_path / "report")

    assert main([verb, "--source", str(second), "--report", str(tmp_path / "report")]) == 5

    said = capsys.readouterr().err
    assert said.startswith(f"report_elsewhere: {tmp_path / 'report'} has the report of {first}: ")
    assert left(tmp_path / "report") == before


def test_a_folder_that_cannot_be_made_is_one_line_and_a_status_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = make(tmp_path / "old.db")

    assert main(["run", "--source", str(path), "--report", str(path / "report")]) == 5
    said = capsys.readouterr().err
    assert said.startswith("report_unwritable: ")
    assert said.count("\n") == 1


def test_the_log_tells_what_was_asked_and_how_it_ended(tmp_path: Path) -> None:
    path = make(tmp_path / "old.db")
    inspect = ["inspect", "--source", str(path), "--report", str(tmp_path / "report"), "--json"]
    with ReportFiles(tmp_path / "report"):
        main(inspect)
        path.write_bytes(b"")
        main(inspect)

    log = tmp_path / "report" / "log.jsonl"
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["event"] for line in lines] == ["start", "end", "start", "end"]
    assert lines[0]["verb"] == "inspect"
    assert str(path) in lines[0]["arguments"]
    assert [(line["status"], line["error"] and line["error"]["code"]) for line in lines if line["event"] == "end"] == [
        (0, None), (3, "source_empty"),
    ]  # fmt: skip
    assert log.stat().st_mode & 0o077 == 0
