"""invite: from a moved database to mails, once each."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any, Final

import asyncpg
import pytest

from migrate.__main__ import main
from migrate.tests.old_database import WHEN, make
from tools.testing.plugin import MakeDatabaseDsn

USERS: Final = [
    ("user-1", "anna@example.ru", WHEN, WHEN),
    ("user-2", "boris@example.ru", WHEN, WHEN),
    ("user-3", "ANNA@example.ru ", WHEN, WHEN),
    ("user-4", None, WHEN, WHEN),
    ("user-5", "Вера@пример.рф", WHEN, WHEN),
]


@pytest.fixture
async def moved(make_database_dsn: MakeDatabaseDsn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return a database of 1.0 whose accounts are in 1.1."""
    for name in ("auth", "usage"):
        monkeypatch.setenv(f"{name.upper()}_POSTGRES_DSN", await make_database_dsn(name))
    source = make(tmp_path / "old.db", users=USERS)
    await asyncio.to_thread(main, ["run", "--source", str(source), "--report", str(tmp_path / "report"), "--json"])
    return source


def invite(source: Path, *more: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, Any]:
    """Run the verb; return its status and what it says."""
    capsys.readouterr()
    words = ["invite", "--source", str(source), "--report", str(source.parent / "report"), "--rate", "1000/s", "--json"]
    status = main([*words, *more])
    return status, json.loads(capsys.readouterr().out)


def record(source: Path) -> dict[str, tuple[str, bool]]:
    """Return state and opting out of each account, as the record has it."""
    path = source.parent / "report" / "invitations.jsonl"
    assert path.stat().st_mode & 0o077 == 0
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return {line["user_id"]: (line["state"], line["opted_out"]) for line in lines}


async def mailed(dsn: str) -> list[tuple[str, str]]:
    """Return address and language of the mails that wait."""
    connection = await asyncpg.connect(dsn)
    try:
        return [tuple(row) for row in await connection.fetch("SELECT email, language FROM auth.mails ORDER BY id")]
    finally:
        await connection.close()


def test_each_address_gets_one_mail_whatever_is_run_again(moved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A trial writes to nobody; a limit stops, and the same words go on; who opted out and who has no address wait."""
    others = moved.with_name("not-these.txt")
    others.write_text("# asked by telephone\n\n вера@Пример.рф\nnobody@example.ru\n")
    dsn, words = os.environ["AUTH_POSTGRES_DSN"], ("--language", "en", "--except", str(others))

    trial = invite(moved, "--no-mail", *words, capsys=capsys)
    none = asyncio.run(mailed(dsn))
    first = invite(moved, "--limit", "1", *words, capsys=capsys)
    second = invite(moved, *words, capsys=capsys)
    third = invite(moved, *words, capsys=capsys)

    assert (trial[0], trial[1]["still_to_invite"], none) == (0, 2, [])
    assert [(status, said["queued_now"], said["still_to_invite"]) for status, said in (first, second, third)] == [
        (1, 1, 1), (0, 1, 0), (0, 0, 0),
    ]  # fmt: skip
    assert asyncio.run(mailed(dsn)) == [("anna@example.ru", "en"), ("boris@example.ru", "en")]
    assert record(moved) == {
        "user-1": ("waiting", False), "user-2": ("waiting", False), "user-3": ("no_address", False),
        "user-4": ("no_address", False), "user-5": ("open", True),
    }  # fmt: skip
    main(["invite", "--source", str(moved), "--report", str(moved.parent / "report"), *words])
    told = capsys.readouterr()
    assert "--except: no moved account has the address or id nobody@example.ru" in told.err
    assert "opted out: 1; still to invite: 0" in told.out


def test_a_source_that_was_not_moved_is_one_line(
    moved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()

    status = main(["invite", "--source", str(tmp_path / "other.db"), "--report", str(tmp_path / "other")])

    assert status == 3
    assert capsys.readouterr().err.startswith("not_moved: Nothing was moved from ")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--rate", "fast"], "'fast' is no rate, like 5/s, 100/min or 1000/h"),
        (["--limit", "0"], "'0' is no number of mails, like 100"),
        (["--except", "nowhere.txt"], "nowhere.txt cannot be read as a text of addresses"),
    ],
)
def test_a_wrong_word_is_told_with_what_is_right(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], told: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["invite", "--source", "old.db", "--report", str(tmp_path), *words])

    assert ended.value.code == 2
    assert told in capsys.readouterr().err
