"""Accounts with one address become one when somebody decides so, and never by themselves."""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncpg
import pytest

from migrate.__main__ import main
from migrate.tests.commands import lines, migrate, sha, stored
from migrate.tests.old_database import BOOK, WHEN, make, requests

OWNERS = "SELECT user_id, count(*) FROM usage.usage GROUP BY 1 ORDER BY 1"


@pytest.fixture
def several(tmp_path: Path) -> Path:
    """Return a source in which addresses are those of several accounts."""
    addresses = ["a@b.ru", " A@B.ru", "İx@b.ru", "ix@b.ru", "ME@b.ru", "alone@b.ru"]
    users = [(f"user-{number}", address, WHEN, WHEN) for number, address in enumerate(addresses, 1)]
    keys = [(f"key-{user[0]}", user[0], sha(user[0]), "k", WHEN, None, None) for user in users]
    usage = [
        (row[0].replace("0000-4", f"000{number}-4"), *row[1:])
        for number, user in enumerate(users, 1)
        for row in requests(number, user[0])
    ]
    return make(tmp_path / "old.db", BOOK, users=users, api_keys=keys, usage=usage)


async def born_in_1_1(dsn: str) -> None:
    """Let 1.1 have an account."""
    connection = await asyncpg.connect(dsn)
    await connection.execute("INSERT INTO auth.users (id, email) VALUES ('here', 'me@b.ru')")
    await connection.close()


def test_keys_and_usage_go_to_the_account_that_is_kept_and_come_back_by_undo(
    dsns: dict[str, str], several: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(born_in_1_1(dsns["auth"]))
    decisions = tmp_path / "decisions.txt"
    decisions.write_text("# by the support desk\nuser-1<-user-2\n\nuser-4 <- user-3\n", encoding="utf-8-sig")
    run = ["run", "--source", str(several), "--report", str(tmp_path / "report"), "--merge-users", str(decisions)]
    run += ["--merge-users", "here<-user-5"]

    status, summary = migrate(*run, capsys=capsys)

    assert status == 0
    assert summary["merged"] == {"user-2": "user-1", "user-3": "user-4", "user-5": "here"}
    assert {tuple(each[1:]) for each in summary["addresses_of_several"]} == {
        ("user-1", "user-2"), ("user-3", "user-4"), ("here", "user-5"),
    }  # fmt: skip
    assert summary["accounts_of_1_1"] == ["here"]
    assert summary["tables"]["users"] == {"rows": 6, "as_it_is": 3, "repaired": 3, "quarantined": 0}
    assert summary["tables"]["api_keys"]["repaired"] == 3
    assert summary["tables"]["usage"]["repaired"] == 2 + 3 + 5
    accounts = asyncio.run(stored(dsns["auth"], "SELECT id, email FROM auth.users ORDER BY id"))
    assert accounts == [("here", "me@b.ru"), ("user-1", "a@b.ru"), ("user-4", "ix@b.ru"), ("user-6", "alone@b.ru")]
    owners = asyncio.run(stored(dsns["auth"], "SELECT id, user_id FROM auth.api_keys WHERE id <> 'key-' || user_id"))
    assert sorted(owners) == [("key-user-2", "user-1"), ("key-user-3", "user-4"), ("key-user-5", "here")]
    assert asyncio.run(stored(dsns["usage"], OWNERS)) == [("here", 5), ("user-1", 3), ("user-4", 7), ("user-6", 6)]
    repaired = [line for line in lines(tmp_path / "report", "repairs") if line["rule"] == "owner_by_decision"]
    assert len([line for line in repaired if line["table"] == "usage"]) == 2 + 3 + 5
    assert {(line["old"]["value"], line["new"]) for line in repaired if line["field"] in ("id", "user_id")} == {
        ("user-2", "user-1"), ("user-3", "user-4"), ("user-5", "here"),
    }  # fmt: skip
    assert migrate("verify", "--source", str(several), capsys=capsys) == (0, [])
    assert migrate(*run, capsys=capsys) == (status, summary)
    assert main([*run[:5], "--merge-users", "user-2<-user-1"]) == 2
    assert "undo" in capsys.readouterr().err

    assert migrate("undo", "--source", str(several), capsys=capsys)[0] == 0
    assert asyncio.run(stored(dsns["auth"], "SELECT id FROM auth.users")) == [("here",)]
    assert asyncio.run(stored(dsns["auth"], "SELECT id FROM auth.api_keys")) == []
    assert asyncio.run(stored(dsns["usage"], OWNERS)) == []


def test_a_decision_that_cannot_be_is_one_line_and_nothing_moves(
    dsns: dict[str, str], several: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(born_in_1_1(dsns["auth"]))
    run = ["run", "--source", str(several), "--report", str(tmp_path / "report")]
    for decisions, said in (
        (["user-1<-user-6"], "no two accounts with one address"),
        (["user-1<-nobody"], "no two accounts with one address"),
        (["user-1<-user-1"], "no two accounts with one address"),
        (["user-5<-here"], "account of 1.1"),
        (["user-3<-user-4", "user-4<-user-3"], "kept and gone"),
        (["user-1<-"], "write KEEP<-GONE"),
        (["no-such-file"], "no file"),
        (["ask"], "needs a terminal"),
    ):
        arguments = [part for each in decisions for part in ("--merge-users", each)]
        assert main([*run, *arguments]) == 2
        error = capsys.readouterr().err
        assert said in error
        assert error.count("\n") == 1
    assert asyncio.run(stored(dsns["auth"], "SELECT id FROM auth.users")) == [("here",)]
    assert migrate(*run, capsys=capsys)[0] == 0
