"""What tests of `follow` share: a 1.0 that goes on, a round of ours, and what its report says in the end."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest

from migrate.__main__ import main
from migrate.tests.commands import lines, sha
from migrate.tests.old_database import WHEN

USERS: Final = [("user-1", "a@b.ru", WHEN, WHEN), ("user-2", "b@b.ru", WHEN, WHEN)]
KEYS: Final = [
    ("key-1", "user-1", sha("rz_live_1"), "first", WHEN, None, None),
    ("key-2", "user-2", sha("rz_live_2"), None, WHEN, None, None),
]


def write(path: Path, *statements: str) -> None:
    """Be release 1.0, which goes on."""
    with closing(sqlite3.connect(path)) as writer, writer:
        for statement in statements:
            writer.execute(statement)


def one_more(id: str) -> str:
    """Return the statement of a request."""
    return f"INSERT INTO usage VALUES ('{id}', 'user-1', 'gigachat', 'GigaChat', 1, 1, 1.0, '{WHEN}')"


def followed(path: Path, report: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    """Follow until nothing is left; return the status and the last round."""
    status = main(
        ["follow", "--source", str(path), "--report", str(report), "--every", "0", "--until-behind", "0", "--json"]
    )
    return status, json.loads(capsys.readouterr().out.splitlines()[-1])


def counts(report: Path) -> dict[str, tuple[int, int, int]]:
    """Return the fates of a report's tables."""
    tables = json.loads((report / "summary.json").read_text())["tables"]
    return {name: (each["as_it_is"], each["repaired"], each["quarantined"]) for name, each in tables.items()}


def standing(report: Path, name: str) -> list[dict[str, Any]]:
    """Return the lines that count: of each row those of its latest round."""
    found = lines(report, name)
    last = {(each["table"], each["rowid"]): each.get("round", 0) for each in found}
    return [
        each
        for each in found
        if each.get("round", 0) == last[each["table"], each["rowid"]] and not each.get("superseded")
    ]
