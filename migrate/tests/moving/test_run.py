"""A whole move into real databases: every row has one fate, whatever kills the tool, and all can be taken back."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from migrate.__main__ import main
from migrate.moving import requests as moving
from migrate.report.files import NAMES
from migrate.source import scan
from migrate.tests.commands import contents, lines, migrate, stored
from migrate.tests.old_database import WHEN, make, requests, spoil
from services.usage.importing.imports import Batch, Imports
from tools.migrate_demo import old_database


def write_one_more(path: Path) -> None:
    """Be release 1.0, which goes on."""
    row = "'new', user_id, provider, model, 1, 1, 1.0, created_at, NULL"
    change(path, f"INSERT INTO usage SELECT {row} FROM usage LIMIT 1")


def change(path: Path, sql: str) -> None:
    """Change the source."""
    with closing(sqlite3.connect(path)) as writer, writer:
        writer.execute(sql)


def test_every_row_has_one_fate_and_the_report_tells_it(
    dsns: dict[str, str], dirty: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "report"

    status, summary = migrate("run", "--source", str(dirty), "--report", str(report), capsys=capsys)

    assert status == 1
    assert summary["tables"] == {
        "users": {"rows": 3, "as_it_is": 1, "repaired": 1, "quarantined": 1},
        "api_keys": {"rows": 3, "as_it_is": 1, "repaired": 1, "quarantined": 1},
        "provider_status": {"rows": 1, "as_it_is": 0, "repaired": 0, "quarantined": 1},
        "usage": {
            "rows": 404, "as_it_is": 400, "repaired": 2, "quarantined": 2, "cost_micro_rub": 400 * 1_500 + 550_000,
        },
    }  # fmt: skip
    assert summary == json.loads((report / "summary.json").read_text())
    assert [(line["table"], line["reason"]) for line in lines(report, "quarantine")] == [
        ("users", "id_missing"), ("api_keys", "orphan"), ("provider_status", "history_of_1_0"),
        ("usage", "cost_negative"), ("usage", "id_taken"),
    ]  # fmt: skip
    assert {line["rule"] for line in lines(report, "repairs")} == {
        "blanks_trimmed", "address_of_another_account", "created_when_first_seen", "changed_when_created",
        "hash_rewritten", "no_name", "empty_expiry_was_never", "id_mapped", "provider_was_always_gigachat",
        "binary_noise", "column_left_in_report",
    }  # fmt: skip
    assert [line["source_id"] for line in lines(report, "id_map")] == [
        {"class": "text", "value": "gen-1"}, {"class": "text", "value": "gen-2"},
    ]  # fmt: skip
    assert all(path.stat().st_mode & 0o077 == 0 for path in report.glob("*.json*"))
    rows = asyncio.run(stored(dsns["usage"], "SELECT sum(cost), count(*), count(metadata->>'trace') FROM usage.usage"))
    assert [(str(cost), rows_, traces) for cost, rows_, traces in rows] == [("1.150000", 402, 400)]
    users = asyncio.run(stored(dsns["auth"], "SELECT id, tier FROM auth.users ORDER BY id"))
    assert users == [("user-1", "free"), ("user-2", "free")]


def test_inspect_counts_what_run_then_does(
    dsns: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of each kind of dirt that is known."""
    old = tmp_path / "old.db"
    old_database.make(old, 50, datetime(2026, 11, 1, tzinfo=UTC))
    order = ("--source", str(old), "--naive-zone", "Europe/Moscow")

    _, seen = migrate("inspect", *order, capsys=capsys)
    _, summary = migrate("run", *order, "--report", str(tmp_path / "report"), capsys=capsys)

    for name, counts in summary["tables"].items():
        fates = ("rows", "as_it_is", "repaired", "quarantined")
        assert [seen["tables"][name][fate] for fate in fates] == [counts[fate] for fate in fates]
    assert summary["tables"]["usage"]["quarantined"] > 20


def test_running_again_changes_nothing_and_verify_finds_nothing(
    dsns: dict[str, str], dirty: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "report"
    run = ("run", "--source", str(dirty), "--report", str(report))
    first = migrate(*run, capsys=capsys)
    files = contents(report)

    assert migrate(*run, capsys=capsys) == first
    assert contents(report) == files
    assert migrate("verify", "--source", str(dirty), capsys=capsys) == (0, [])


def test_what_1_0_wrote_since_moves_with_the_next_run(
    dsns: dict[str, str], dirty: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "report"
    run = ("run", "--source", str(dirty), "--report", str(report))
    migrate(*run, capsys=capsys)
    write_one_more(dirty)
    status, differences = migrate("verify", "--source", str(dirty), capsys=capsys)
    assert (status, [(each["source"][0], each["target"][0]) for each in differences]) == (1, [(403, 402)])

    _, summary = migrate(*run, capsys=capsys)

    assert summary["tables"]["usage"]["rows"] == 405
    assert migrate("verify", "--source", str(dirty), capsys=capsys) == (0, [])


def test_rows_that_only_have_the_lowest_numbers_are_not_taken_for_a_beginning(
    dsns: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Those name where a run stands that has moved nothing: the next one would have moved all again."""
    path = make(tmp_path / "old.db", users=[("user-1", "a@b.ru", WHEN, WHEN)], usage=requests(2))
    change(path, "UPDATE usage SET rowid = rowid - 2 - 9223372036854775807")
    run = ("run", "--source", str(path), "--report", str(tmp_path / "report"))
    status, said = migrate(*run, capsys=capsys)
    assert (status, said["error"]["code"]) == (3, "source_low_rowids")
    change(path, said["error"]["message"].split("sqlite3: ")[1].split(")")[0])

    for _ in range(2):
        status, summary = migrate(*run, capsys=capsys)
        assert (status, summary["tables"]["usage"]["rows"]) == (0, 2)
    assert migrate("verify", "--source", str(path), capsys=capsys) == (0, [])


def test_a_second_run_still_names_what_could_not_be_read(
    dsns: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the middle and at the end, after a run that was killed between them too."""
    monkeypatch.setattr(scan, "PIECE", 150)
    monkeypatch.setattr(moving, "BATCH", 150)
    path = make(tmp_path / "old.db", users=[("user-1", "a@b.ru", WHEN, WHEN)], usage=requests(2_000))
    spoil(path, "usage", 3, -1)
    run = ["run", "--source", str(path), "--report", str(tmp_path / "report")]
    with monkeypatch.context() as dangerous:
        dangerous.setattr(Imports, "put", dying_at(9))
        with pytest.raises(Killed):
            main([*run, "--json"])

    first = migrate(*run, capsys=capsys)

    assert first[0] == 1
    assert len(first[1]["unreadable"]["usage"]) == 2
    assert migrate(*run, capsys=capsys) == first


def test_verify_names_a_day_whose_sums_are_right_and_a_value_is_not(
    dsns: dict[str, str], dirty: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    migrate("run", "--source", str(dirty), "--report", str(tmp_path / "report"), capsys=capsys)
    another = "UPDATE usage.usage SET user_id = 'user-2' WHERE id::text LIKE '%7' RETURNING 1"
    asyncio.run(stored(dsns["usage"], another))

    status, differences = migrate("verify", "--source", str(dirty), capsys=capsys)

    assert (status, [each["what"] for each in differences]) == (1, ["checksum of 2025-03-04, whose sums are the same"])


class Killed(BaseException):
    """The tool dies: nothing of it goes on."""


def dying_at(place: int) -> Callable[[Imports, Batch], Awaitable[None]]:
    """Return a commit before (even places) or behind which (odd ones) the tool is dead."""
    commit, calls = Imports.put, 0

    async def put(self: Imports, batch: Batch) -> None:
        nonlocal calls
        calls += 1
        is_here = calls == place // 2 + 1
        if is_here and place % 2 == 0:
            raise Killed
        await commit(self, batch)
        if is_here:
            raise Killed

    return put


def test_a_killed_run_goes_on_and_ends_as_if_nothing_had_been(
    dsns: dict[str, str], dirty: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Before and after each commit: rows, sums, and the very bytes of the report."""
    monkeypatch.setattr(scan, "PIECE", 150)
    monkeypatch.setattr(moving, "BATCH", 150)
    whole = tmp_path / "whole"
    expected = migrate("run", "--source", str(dirty), "--report", str(whole), capsys=capsys)
    for place in (0, 1, 2, 5):
        report = tmp_path / f"killed-{place}"
        run = ["run", "--source", str(dirty), "--report", str(report)]
        migrate("undo", "--source", str(dirty), capsys=capsys)
        with monkeypatch.context() as dangerous:
            dangerous.setattr(Imports, "put", dying_at(place))
            with pytest.raises(Killed):
                main([*run, "--json"])

        assert migrate(*run, capsys=capsys) == expected
        assert {name: lines(report, name) for name in NAMES} == {name: lines(whole, name) for name in NAMES}
        assert migrate("verify", "--source", str(dirty), capsys=capsys) == (0, [])


def test_undo_leaves_the_databases_as_they_were(
    dsns: dict[str, str], dirty: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    migrate("run", "--source", str(dirty), "--report", str(tmp_path / "report"), capsys=capsys)

    status, taken = migrate("undo", "--source", str(dirty), capsys=capsys)

    assert (status, taken) == (0, {"requests": 402, "keys": 2, "accounts": 2, "staying": []})
    left = [
        *asyncio.run(stored(dsns["usage"], "SELECT count(*) FROM usage.usage")),
        *asyncio.run(stored(dsns["usage"], "SELECT coalesce(sum(requests), 0)::int FROM usage.rollup_day")),
        *asyncio.run(stored(dsns["auth"], "SELECT count(*) FROM auth.users")),
        *asyncio.run(stored(dsns["auth"], "SELECT count(*) FROM auth.api_keys")),
    ]
    assert left == [(0,)] * 4


def test_a_database_that_is_away_is_one_line_and_nothing_is_lost(
    dirty: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, free_port: int
) -> None:
    for name in ("AUTH", "USAGE"):
        monkeypatch.setenv(f"{name}_POSTGRES_DSN", f"postgresql://nobody@127.0.0.1:{free_port}/none")

    assert main(["run", "--source", str(dirty), "--report", str(tmp_path / "report")]) == 4
    assert capsys.readouterr().err.count("\n") == 1


def test_what_is_no_address_is_said_so_by_its_variable(
    dirty: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was said that the connection had been cut, and that the same command goes on; the password is not repeated."""
    for name in ("AUTH", "USAGE"):
        monkeypatch.setenv(f"{name}_POSTGRES_DSN", "postgresql://role:hunter2/x@db/razvilka")

    assert main(["run", "--source", str(dirty), "--report", str(tmp_path / "report")]) == 4
    said = capsys.readouterr().err
    assert "AUTH_POSTGRES_DSN: " in said
    assert "hunter2" not in said
