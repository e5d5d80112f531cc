"""`report` as an operator reads it in the morning."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import migrate
from migrate.__main__ import main
from migrate.fates.accounts import NO_OWNER
from migrate.fates.fate import Quarantined, Repair
from migrate.report.files import TRIAL, ReportFiles
from migrate.report.words import REASONS
from migrate.rules.verdict import Text
from services.auth.importing.records import Arrival

TABLES = {"usage": {"rows": 9, "as_it_is": 2, "repaired": 1, "quarantined": 6}}
SUMMARY: dict[str, Any] = {
    "tables": TABLES,
    "unreadable": {"usage": [[7, 9]]},
    "addresses_of_several": [["a@b.ru", "user-1", "user-2"], ["c@b.ru", "user-3", "user-4"]],
    "merged": {"user-4": "user-3"},
    "naive_zone": "Europe/Moscow",
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
        (1, "razvilka-migrate undo --source 'old 1.db'; then "
            f"razvilka-migrate run --source 'old 1.db' --report {folder} --naive-zone Europe/Moscow "
            "--merge-users 'user-1<-user-2'"),
        (1, ""),
        (0, ""),
    ]  # fmt: skip


def test_text_tells_bytes_and_never_the_key_that_lay_open(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["report", "--source", "old.db", "--report", str(folder)])

    said = capsys.readouterr().out
    assert (
        "quarantined by usage.cost: cost_negative, a cost below zero, perhaps a refund: 5 (rowid 0: real -1.0;" in said
    )
    assert ", 1.1 writes its own: 1 (rowid 1: text x'ff')" in said
    assert "TO DECIDE: usage: rowids 7 to 9 cannot be read" in said
    assert "rz_live_secret" not in said


def test_the_report_of_a_trial_says_so_and_names_no_command_that_would_be_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rows come back from the quarantine of a run, and a run does not go into the folder of a trial."""
    (folder / TRIAL).touch()
    main(["report", "--source", "old.db", "--report", str(folder)])

    said = capsys.readouterr().out.splitlines()
    commands = [line.strip() for line in said if line.startswith("  ")]
    assert said[0] == "A TRIAL: what would become of each row; nothing of it has moved"
    assert commands == [
        "razvilka-migrate run --source old.db --report DIR --naive-zone ZONE",
        "razvilka-migrate run --source old.db --report DIR --from-quarantine FILE",
        "razvilka-migrate run --source old.db --report DIR --naive-zone Europe/Moscow --merge-users 'user-1<-user-2'",
    ]


def test_a_value_is_shown_as_long_as_a_line_bears(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with ReportFiles(folder) as files:
        files.quarantine("usage", 9, Quarantined("model_too_long", "model"), {"model": Text(b"m" * 100_000)})

    main(["report", "--source", "old.db", "--report", str(folder)])

    assert f"(rowid 9: text '{'m' * 70}... (100000 letters)')" in capsys.readouterr().out


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


def test_every_reason_of_the_quarantine_is_said_in_words() -> None:
    """Found where it is written, so that a new one is not forgotten."""
    rooms = Path(migrate.__path__[0])
    text = "".join(path.read_text() for room in ("fates", "moving", "rules") for path in (rooms / room).glob("*.py"))
    written = set(re.findall(r'(?:Refused|Quarantined)\(\s*"([a-z0-9_]+)"', text))
    made = {f"{arrival}_in_1_1" for arrival in Arrival if arrival not in (Arrival.INSERTED, Arrival.THERE_BEFORE)}
    made |= {f"{noun}_{what}" for noun in ("model", "provider") for what in ("unreadable", "too_long")}

    assert len(written) > 30
    assert REASONS.keys() >= written | made | set(NO_OWNER)
    assert [reason for reason in REASONS.keys() - made if f'"{reason}"' not in text] == []
