"""`report` as an operator reads it in the morning."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from migrate.__main__ import main
from migrate.fates.fate import Quarantined, Repair
from migrate.report.files import ReportFiles
from migrate.rules.verdict import Text

TABLES = {"usage": {"rows": 9, "as_it_is": 2, "repaired": 1, "quarantined": 6}}
SUMMARY: dict[str, Any] = {
    "tables": TABLES,
    "unreadable": {"usage": [[7, 9]]},
    "addresses_of_several": [["a@b.ru", "user-1", "user-2"], ["c@b.ru", "user-3", "user-4"]],
    "merged": {"user-4": "user-3"},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder as a run leaves it."""
    with ReportFiles(tmp_path) as files:
        for rowid in range(5):
            files.quarantine("usage", rowid, Quarantined("cost_negative", "cost"), {"id": Text(b"x"), "cost": -1.0})
        files.quarantine("usage", 5, Quarantined("time_without_zone", "created_at"), {"created_at": Text(b"t")})
        files.quarantine("provider_status", 1, Quarantined("history_of_1_0"), {"id": Text(b"\xff")})
        files.repair("api_keys", 1, "key-1", Repair("key_hash", Text(b"rz_live_secret"), "00", "open_key_hashed"))
        files.summary(SUMMARY)
    return tmp_path


def report(folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, Any]:
    """Return what the verb says to a program."""
    status = main(["report", "--source", "old 1.db", "--report", str(folder), "--json"])
    return status, json.loads(capsys.readouterr().out)


def test_reasons_are_counted_with_three_examples_and_what_to_decide_has_its_command(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, said = report(folder, capsys)

    assert status == 1
    assert said["summary"]["tables"] == TABLES
    negative = said["waiting"][0]
    assert (negative["field"], negative["reason"], negative["rows"]) == ("cost", "cost_negative", 5)
    assert negative["examples"] == [{"rowid": row, "value": {"class": "real", "value": -1.0}} for row in range(3)]
    assert [(each["rows"], each["command"]) for each in said["to_decide"]] == [
        (1, f"razvilka-migrate run --source 'old 1.db' --report {folder} --from-quarantine "
            f"{folder}/quarantine.jsonl --naive-zone ZONE"),
        (5, f"razvilka-migrate run --source 'old 1.db' --report {folder} --from-quarantine FILE"),
        (1, "razvilka-migrate undo --source 'old 1.db'; then run ... --merge-users 'user-1<-user-2'"),
        (1, ""),
        (0, ""),
    ]  # fmt: skip


def test_text_tells_bytes_and_never_the_key_that_lay_open(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["report", "--source", "old.db", "--report", str(folder)])

    said = capsys.readouterr().out
    assert "quarantined by provider_status: history_of_1_0: 1 (rowid 1: text x'ff')" in said
    assert "TO DECIDE: usage: rowids 7 to 9 cannot be read" in said
    assert "rz_live_secret" not in said


def test_a_line_that_a_killed_run_did_not_finish_is_no_fault_and_a_damaged_one_is(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (folder / "repairs.jsonl").open("ab") as file:
        file.write(b'{"table": "usa')
    assert report(folder, capsys)[0] == 1
    with (folder / "repairs.jsonl").open("ab") as file:
        file.write(b"\n")

    status, said = report(folder, capsys)

    assert (status, said["error"]["code"]) == (5, "report_damaged")
    assert "line 2" in said["error"]["message"]


def test_a_folder_without_a_report_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert report(tmp_path, capsys) == (
        5,
        {
            "error": {
                "code": "report_missing",
                "message": f"{tmp_path} has no report: name the folder that run or plan wrote to.",
            }
        },
    )
