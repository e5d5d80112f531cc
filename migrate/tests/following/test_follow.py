"""`follow` beside a 1.0 that goes on: what it writes, changes and deletes is in 1.1 after the next round, once."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from migrate.moving import mark
from migrate.tests.commands import lines, migrate, sha, stored
from migrate.tests.following.following_kit import USERS, counts, followed, one_more, standing, write
from migrate.tests.old_database import BOOK, WHEN, make, requests


def test_what_1_0_does_meanwhile_is_in_1_1_after_the_next_round(
    dsns: dict[str, str], old: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "report"
    assert followed(old, report, capsys)[1]["rows"] == 21
    write(
        old,
        one_more("gen-1"),
        f"INSERT INTO users VALUES ('user-3', ' C@b.ru', '{WHEN}', '{WHEN}')",
        f"INSERT INTO api_keys VALUES ('key-3', 'user-3', '{sha('rz_live_3')}', 'third', '{WHEN}', NULL, NULL)",
        "UPDATE users SET email = 'new@b.ru' WHERE id = 'user-1'",
        f"UPDATE api_keys SET name = 'renamed', expires_at = '{WHEN}', last_used_at = '{WHEN}' WHERE id = 'key-1'",
        "DELETE FROM api_keys WHERE id = 'key-2'",
    )

    status, last = followed(old, report, capsys)

    assert (status, {name: last[name] for name in ("rows", "new", "changed", "behind")}) == (
        1, {"rows": 1, "new": 2, "changed": 4, "behind": 0},
    )  # fmt: skip
    keys = (
        "SELECT id, name, expires_at IS NULL, last_used_at IS NULL, auth.is_disabled('key:' || id) FROM auth.api_keys"
    )
    assert asyncio.run(stored(dsns["auth"], f"{keys} ORDER BY id")) == [
        ("key-1", "renamed", False, False, False),
        ("key-2", "", True, True, True),
        ("key-3", "third", True, True, False),
    ]
    users = asyncio.run(stored(dsns["auth"], "SELECT id, email FROM auth.users ORDER BY id"))
    assert users == [("user-1", "new@b.ru"), ("user-2", "b@b.ru"), ("user-3", "C@b.ru")]
    assert [(each["kind"], each["id"], each["field"], each["outcome"]) for each in lines(report, "changes")] == [
        ("key", "key-2", "", "disabled"), ("user", "user-1", "email", "written"),
        ("key", "key-1", "name", "written"), ("key", "key-1", "expires_at", "written"),
    ]  # fmt: skip
    assert counts(report) == {
        "users": (2, 1, 0), "api_keys": (2, 0, 0), "provider_status": (0, 0, 0), "usage": (20, 1, 1),
    }  # fmt: skip
    assert [(each["table"], each["field"]) for each in standing(report, "repairs")] == [
        ("users", "email"),
        ("usage", "id"),
    ]
    assert migrate("verify", "--source", str(old), capsys=capsys) == (0, [])


def test_a_round_without_news_changes_nothing(
    dsns: dict[str, str], old: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not even what was changed here meanwhile."""
    report = tmp_path / "report"
    followed(old, report, capsys)
    followed(old, report, capsys)
    files = {path.name: path.read_bytes() for path in report.glob("[!l]*.json*")}
    asyncio.run(stored(dsns["auth"], "UPDATE auth.api_keys SET name = 'renamed here' RETURNING id"))

    _, last = followed(old, report, capsys)

    assert [last[name] for name in ("rows", "new", "changed", "behind")] == [0, 0, 0, 0]
    assert {path.name: path.read_bytes() for path in report.glob("[!l]*.json*")} == files
    assert asyncio.run(stored(dsns["auth"], "SELECT DISTINCT name FROM auth.api_keys")) == [("renamed here",)]


def test_a_row_that_can_move_now_has_one_fate_in_the_report(
    dsns: dict[str, str], old: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And one that cannot move any more waits, its key disabled."""
    write(old, f"INSERT INTO api_keys VALUES ('key-4', 'gone', '{sha('rz_live_4')}', 'x', '{WHEN}', NULL, NULL)")
    report = tmp_path / "report"
    followed(old, report, capsys)
    assert [each["reason"] for each in standing(report, "quarantine")] == ["orphan", "cost_negative"]
    write(old, "UPDATE api_keys SET user_id = 'user-1' WHERE id = 'key-4'", "DELETE FROM users WHERE id = 'user-2'")

    followed(old, report, capsys)

    waiting = [(each["table"], each["rowid"], each["reason"]) for each in standing(report, "quarantine")]
    assert waiting == [("usage", 21, "cost_negative"), ("api_keys", 2, "orphan")]
    assert counts(report)["api_keys"] == (2, 0, 1)
    disabled = "SELECT id FROM auth.api_keys WHERE auth.is_disabled('key:' || id)"
    assert asyncio.run(stored(dsns["auth"], disabled)) == [("key-2",)]
    assert asyncio.run(stored(dsns["auth"], "SELECT id FROM auth.users WHERE disabled_at IS NOT NULL")) == [("user-2",)]
    assert migrate("verify", "--source", str(old), capsys=capsys) == (0, [])


def test_rows_that_are_not_where_they_were_are_not_guessed_at(
    dsns: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A table without a primary key is numbered anew by VACUUM: new rows would be taken for some that have moved."""
    old = make(tmp_path / "old.db", BOOK.replace("usage (id TEXT PRIMARY KEY", "usage (id TEXT"), usage=requests(9))
    write(old, "DELETE FROM usage WHERE rowid < 4")
    report = tmp_path / "report"
    followed(old, report, capsys)
    write(old, one_more("gen-1"))
    with closing(sqlite3.connect(old)) as database:
        database.execute("VACUUM")

    for verb in ("run", "follow"):
        status, said = migrate(verb, "--source", str(old), "--report", str(report), capsys=capsys)
        assert (status, said["error"]["code"]) == (3, "source_renumbered")

    assert asyncio.run(stored(dsns["usage"], "SELECT count(*) FROM usage.usage")) == [(6,)]


def test_a_table_without_rowids_is_followed_while_new_rows_come_last(
    dsns: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    schema = BOOK.replace("cost REAL, created_at TIMESTAMP);", "cost REAL, created_at TIMESTAMP) WITHOUT ROWID;")
    old = make(tmp_path / "old.db", schema, users=USERS, usage=requests(3 + mark.NEIGHBOURS))
    report = tmp_path / "report"
    followed(old, report, capsys)
    write(old, one_more("f0000000-0000-4000-8000-000000000000"))
    assert followed(old, report, capsys)[1]["rows"] == 1
    write(old, one_more("00000000-0000-4000-8000-000000000000x"))

    status, said = migrate("follow", "--source", str(old), "--report", str(report), capsys=capsys)

    assert (status, said["error"]["code"]) == (3, "source_renumbered")
