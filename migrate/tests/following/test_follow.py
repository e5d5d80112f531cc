"""`follow` beside a 1.0 that goes on: what it writes, changes and deletes is in 1.1 after the next round, once."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import asyncpg
import pytest

from migrate.__main__ import main
from migrate.following.follow import Listener, Pace, follow
from migrate.following.round import Round
from migrate.moving import mark
from migrate.moving.run import Order, source_id_of
from migrate.moving.target import open_target
from migrate.names import names_of
from migrate.report.files import ReportFiles
from migrate.rules.times import Reading
from migrate.source.file import open_source
from migrate.tests.commands import lines, migrate, sha, stored
from migrate.tests.old_database import BOOK, WHEN, make, requests
from services.auth.importing.following import Following
from services.usage.importing.imports import Imports
from tools.testing.databases import Databases

FAULT: Final = """
CREATE FUNCTION public.fault() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$;
CREATE TRIGGER fault BEFORE INSERT ON usage.usage FOR EACH ROW EXECUTE FUNCTION public.fault()
"""
USERS: Final = [("user-1", "a@b.ru", WHEN, WHEN), ("user-2", "b@b.ru", WHEN, WHEN)]
KEYS: Final = [
    ("key-1", "user-1", sha("rz_live_1"), "first", WHEN, None, None),
    ("key-2", "user-2", sha("rz_live_2"), None, WHEN, None, None),
]


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Return a database of 1.0 with a row that waits."""
    rows = [*requests(20), ("bad", "user-1", "gigachat", "GigaChat", 1, 2, -1.0, WHEN)]
    return make(tmp_path / "old.db", users=USERS, api_keys=KEYS, usage=rows)


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


def test_ctrl_c_ends_it_cleanly(
    dsns: dict[str, str], old: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "report"

    def press() -> None:
        """Wait for the first round, as an operator would."""
        while not any(line.get("what") == "round" for line in (lines(report, "log") if report.exists() else [])):
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    operator = threading.Thread(target=press)
    # Whoever starts tests in the background has SIGINT ignored in them.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    operator.start()
    status = main(["follow", "--source", str(old), "--report", str(report), "--every", "3600"])
    operator.join()
    signal.signal(signal.SIGINT, before)

    said = capsys.readouterr()
    assert status == 1
    assert said.out == "21 usage rows, 4 new users and keys, 0 changes in " + said.out.split(" in ")[1]
    assert said.err.splitlines()[-1] == "ended; nothing is lost, the next follow, run or cutover goes on here"
    assert lines(report, "log")[-1]["event"] == "end"


async def test_a_database_that_went_away_is_waited_for_after_the_first_round(
    dsns: dict[str, str], databases: Databases, old: Path, tmp_path: Path
) -> None:
    taken: list[Round] = []
    waited: list[str] = []
    admin = await asyncpg.connect(databases.admin_dsn_of(dsns["usage"]))

    @contextmanager
    def open_order() -> Iterator[Order]:
        reading = Reading(None, datetime.now(UTC))
        with open_source(old, tmp_path / "aside", is_held=False) as source:
            yield Order(source, source_id_of(old), reading, names_of())

    def take(each: Round) -> None:
        taken.append(each)
        if len(taken) == 1:
            write(old, one_more("gen-1"))
            faulty.set()

    async def break_and_mend() -> None:
        """Refuse what the second round stores, until it has waited once."""
        await faulty.wait()
        await admin.execute(FAULT)
        while not waited:
            await asyncio.sleep(0.01)
        await admin.execute("DROP TRIGGER fault ON usage.usage")

    faulty = asyncio.Event()
    listener = Listener(lambda rows: None, take, lambda exc: waited.append(str(exc)))
    with ReportFiles(tmp_path / "report") as report:
        async with open_target(source_id_of(old)) as target, asyncio.TaskGroup() as group:
            group.create_task(break_and_mend())
            following = group.create_task(follow(open_order, target, report, Pace(0.5, None), listener))
            while not any(each.rows == 1 for each in taken):
                await asyncio.sleep(0.01)
            following.cancel()
    await admin.close()

    assert waited
    assert sum(each.rows for each in taken) == 22


class Killed(BaseException):
    """The tool dies: nothing of it goes on."""


@pytest.mark.parametrize("place", range(4))
def test_a_killed_round_is_taken_again_as_if_nothing_had_been(
    dsns: dict[str, str], old: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch, place: int,
) -> None:  # fmt: skip
    """Before and after what follows in auth, and before and after what is kept of it in usage."""
    report = tmp_path / "report"
    followed(old, report, capsys)
    moved = "UPDATE users SET email = 'c@b.ru ' WHERE id = 'user-1'"
    write(old, one_more("gen-1"), "DELETE FROM api_keys WHERE id = 'key-2'", moved)
    at, name = ((Following, "_unit"), (Imports, "put"))[place // 2]
    whole = getattr(at, name)

    def dying(self: object, *arguments: object) -> Any:
        if place % 2 == 0:
            raise Killed
        return dead_behind(whole(self, *arguments))

    with monkeypatch.context() as dangerous:
        dangerous.setattr(at, name, dying)
        with pytest.raises(Killed):
            followed(old, report, capsys)

    followed(old, report, capsys)

    assert counts(report)["usage"] == (20, 1, 1)
    repairs = {(each["table"], each["field"]) for each in standing(report, "repairs")}
    assert repairs == {("usage", "id"), ("users", "email")}
    changes = {(each["id"], each["field"], each["outcome"]) for each in lines(report, "changes")}
    assert changes == {("key-2", "", "disabled"), ("user-1", "email", "written")}
    assert migrate("verify", "--source", str(old), capsys=capsys) == (0, [])


def dead_behind(done: Any) -> Any:
    """Return what does the same, and is dead behind it."""
    if not hasattr(done, "__aenter__"):

        async def put() -> None:
            await done
            raise Killed

        return put()

    @asynccontextmanager
    async def unit() -> AsyncIterator[Any]:
        async with done as entered:
            yield entered
        raise Killed

    return unit()
