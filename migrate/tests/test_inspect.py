"""`inspect` as an operator runs it."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from migrate.__main__ import main
from migrate.report.files import ReportFiles
from migrate.tests.old_database import BOOK, WHEN, make, requests
from migrate.verbs import verb

HASH = hashlib.sha256(b"rz_live_key").hexdigest()
USER = ("user-1", "a@b.ru", WHEN, WHEN)
KEY = ("key-1", "user-1", HASH, "first", WHEN, None, None)


def test_a_clean_database_is_told_to_move_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = make(tmp_path / "old.db", users=[USER], api_keys=[KEY], usage=requests(3))

    status = main(["inspect", "--source", str(path)])

    assert status == 0
    assert capsys.readouterr().out.splitlines() == [
        "integrity: ok",
        "users: 1 rows, 1 move as they are, 0 repaired, 0 quarantined",
        "api_keys: 1 rows, 1 move as they are, 0 repaired, 0 quarantined",
        "usage: 3 rows, 3 move as they are, 0 repaired, 0 quarantined",
        "provider_status: 0 rows, 0 move as they are, 0 repaired, 0 quarantined",
    ]


def test_every_row_is_counted_once_and_every_kind_of_dirt_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dirty = [
        ("gen-1", "user-1", None, "GigaChat", "10", 20, 0.1 + 0.2, WHEN),
        ("gen-2", "user-1", "gigachat", "GigaChat", 10, 20, -1.0, WHEN),
        ("gen-3", "gone", "gigachat", "GigaChat", 10, 20, 0.5, "2025-03-04T03:00:00"),
    ]
    users = [USER, ("user-2", " A@B.ru", WHEN, "yesterday")]
    keys = [KEY, ("key-2", "gone", HASH, None, WHEN, None, None)]
    schema = BOOK + "CREATE TABLE invoices (id); ALTER TABLE users ADD COLUMN tier TEXT;"
    path = make(tmp_path / "old.db", schema, users=[(*user, "pro") for user in users], api_keys=keys, usage=dirty)

    status = main(["inspect", "--source", str(path), "--json", "--naive-zone", "Europe/Moscow"])

    assert status == 1
    found = json.loads(capsys.readouterr().out)
    tables = found["tables"]
    for count in tables.values():
        assert count["rows"] == count["as_it_is"] + count["repaired"] + count["quarantined"]
    assert {name: count["rows"] for name, count in tables.items()} == {
        "users": 2, "api_keys": 2, "usage": 3, "provider_status": 0,
    }  # fmt: skip
    assert {"field": "cost", "rule": "binary_noise", "rows": 1} in tables["usage"]["repairs"]
    assert {"field": "created_at", "rule": "naive_time_in_stated_zone", "rows": 1} in tables["usage"]["repairs"]
    assert tables["usage"]["reasons"] == [{"field": "cost", "reason": "cost_negative", "rows": 1}]
    assert tables["usage"]["orphans"] == 1
    assert tables["api_keys"]["reasons"] == [{"field": "user_id", "reason": "orphan", "rows": 1}]
    assert found["addresses_of_several"] == [{"address": "a@b.ru", "user_ids": ["user-1", "user-2"]}]
    assert found["columns"]["users"]["unknown"] == ["tier"]
    assert found["others"] == ["table invoices"]
    assert found["zone"] == {
        "naive_times": 1,
        "later_than_the_file_if_utc": 0,
        "hours_later_than_the_file_if_utc": 0.0,
        "keys_used_before_they_were_made_if_utc": 0,
        "quietest_hour_as_written": 0,
    }


def test_ids_that_are_there_twice_are_counted_as_run_would_leave_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The second row of an id waits, whatever it is written like; one whose first row waits itself does not."""
    id_ = requests(1)[0][0]
    plain = requests(1)[0][1:]
    refused = (*plain[:5], -1.0, WHEN)
    rows = [
        (id_, *plain), (id_.upper(), *plain), (id_.replace("-", ""), *plain),
        ("gen-1", *refused), ("gen-1", *plain), ("gen-1", *plain), (id_, *refused),
    ]  # fmt: skip
    keyless = BOOK.replace("CREATE TABLE usage (id TEXT PRIMARY KEY,", "CREATE TABLE usage (id TEXT,")
    path = make(tmp_path / "old.db", keyless, users=[USER], usage=rows)

    status = main(["inspect", "--source", str(path), "--json"])

    usage = json.loads(capsys.readouterr().out)["tables"]["usage"]
    assert status == 1
    assert (usage["as_it_is"], usage["repaired"], usage["quarantined"]) == (1, 1, 5)
    assert usage["reasons"] == [
        {"field": "id", "reason": "id_taken", "rows": 3}, {"field": "cost", "reason": "cost_negative", "rows": 2},
    ]  # fmt: skip
    assert main(["inspect", "--source", str(path)]) == 1
    assert (
        "quarantined by id: id_taken: 3 (an earlier row has this id, perhaps in other letters)"
        in capsys.readouterr().out
    )


def test_evidence_of_the_zone_is_shown_and_history_asks_nobody(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A server in Kamchatka wrote just now; a key was used before it was made; providers had a state."""
    local = (datetime.now(UTC) + timedelta(hours=12)).replace(tzinfo=None).isoformat()
    row = ("gen-1", "user-1", "gigachat", "GigaChat", 1, 2, 0.5, local)
    key = ("key-1", "user-1", HASH, "first", WHEN, None, WHEN.replace(" 12:", "T09:"))
    state = ("s", "gigachat", "GigaChat", "up", 10, 0.5, WHEN)
    path = make(tmp_path / "old.db", users=[USER], api_keys=[key], usage=[row], provider_status=[state])

    status = main(["inspect", "--source", str(path), "--json", "--naive-zone", "Asia/Kamchatka"])

    assert status == 0
    found = json.loads(capsys.readouterr().out)
    assert found["zone"]["later_than_the_file_if_utc"] == 1
    assert 11.0 <= found["zone"]["hours_later_than_the_file_if_utc"] <= 12.0
    assert found["zone"]["keys_used_before_they_were_made_if_utc"] == 1
    assert found["tables"]["provider_status"]["quarantined"] == 1
    assert main(["inspect", "--source", str(path), "--naive-zone", "Asia/Kamchatka"]) == 0
    said = capsys.readouterr().out
    assert "quarantined: history_of_1_0: 1 (" in said
    assert "1 keys were used before they were made, if both times are UTC: you stated Asia/Kamchatka" in said
    assert "the quietest hour as written is" in said
    assert "--naive-zone" not in said


def test_who_ends_a_command_is_told_that_nothing_is_lost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make(tmp_path / "old.db", users=[USER])

    def pressed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(verb, "names_of", pressed)
    with ReportFiles(tmp_path / "report", path):
        assert main(["inspect", "--source", str(path), "--report", str(tmp_path / "report")]) == 130
    assert capsys.readouterr().err.startswith("interrupted: You ended it. Nothing is lost")
    last = json.loads((tmp_path / "report" / "log.jsonl").read_text().splitlines()[-1])
    assert (last["event"], last["status"]) == ("end", 130)


def test_a_source_that_cannot_be_read_is_one_line_and_a_status_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "old.db"
    path.write_bytes(b"")

    assert main(["inspect", "--source", str(path)]) == 3
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert said.err.startswith("source_empty: ")


def test_a_zone_that_there_is_not_is_a_wrong_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["inspect", "--source", str(tmp_path / "old.db"), "--naive-zone", "Moscow"])

    assert "'Moscow' is no IANA time zone" in capsys.readouterr().err
