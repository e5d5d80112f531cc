"""Rows that waited come back by the same rules, once, and with a user comes what is the user's."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any, Final

import asyncpg
import pytest

from migrate.__main__ import main
from migrate.tests.commands import contents, lines, migrate, sha, stored
from migrate.tests.old_database import BOOK, WHEN, make, requests
from services.usage.importing.imports import Batch, Imports

NAIVE: Final = "2025-03-04T12:00:00"
USERS: Final = [("user-1", "a@b.ru", WHEN, WHEN), ("user-2", "b@b.ru", WHEN, WHEN), ("user-3", "c@b.ru", WHEN, WHEN)]
KEYS: Final = [
    ("key-1", "user-1", sha("rz_live_1"), "first", WHEN, "next spring", None),
    ("key-2", "user-2", sha("rz_live_2"), "second", WHEN, None, None),
    ("key-3", "user-1", sha("rz_live_3"), "shared", WHEN, None, None),
    ("key-4", "user-3", sha("rz_live_3"), "shared", WHEN, None, None),
]


def usage(id: str, user: str, cost: Any = 1.0, at: str = WHEN) -> tuple[Any, ...]:
    """Return a request."""
    return (id, user, "gigachat", "GigaChat", 1, 2, cost, at)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Return a source of which much waits; 1.1 has a user-2 of its own."""
    rows = [*requests(3), usage("bad", "user-1", -1.0), usage("naive", "user-1", 1.0, NAIVE), usage("x", "user-1", "?")]
    rows += [usage("of-2", "user-2", 0.5), usage("of-2-too", "user-2", 0.25)]
    return make(tmp_path / "old.db", BOOK, users=USERS, api_keys=KEYS, usage=rows)


async def be_born(dsn: str) -> None:
    """Let 1.1 have a user-2 of its own."""
    connection = await asyncpg.connect(dsn)
    await connection.execute("INSERT INTO auth.users (id, email) VALUES ('user-2', 'own@b.ru')")
    await connection.close()


def waiting(report: Path, table: str) -> dict[int, dict[str, Any]]:
    """Return the lines that count of rows that wait."""
    latest = {line["rowid"]: line for line in lines(report, "quarantine") if line["table"] == table}
    return {row: line for row, line in latest.items() if "superseded" not in line}


def write(path: Path, *mended: dict[str, Any]) -> Path:
    """Write lines as a person does."""
    path.write_text("".join(json.dumps(line) + "\n" for line in mended))
    return path


def test_mended_rows_come_back_once_and_a_user_brings_keys_and_usage(
    dsns: dict[str, str], old: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(be_born(dsns["auth"]))
    report = tmp_path / "report"
    run = ("run", "--source", str(old), "--report", str(report))
    _, first = migrate(*run, capsys=capsys)
    assert {name: each["quarantined"] for name, each in first["tables"].items()} == {
        "users": 1, "api_keys": 4, "provider_status": 0, "usage": 5,
    }  # fmt: skip
    row_of = {line["values"]["id"]["value"]: row for row, line in waiting(report, "usage").items()}
    mended = write(
        tmp_path / "mended.jsonl",
        # As it stands in the file, with one value changed in its place.
        {**waiting(report, "usage")[row_of["bad"]], "values": {"cost": {"class": "real", "value": 0.125}}},
        {"table": "usage", "rowid": row_of["naive"], "naive_zone": "Europe/Moscow"},
        {"table": "usage", "rowid": row_of["x"], "values": {"cost": "still no number"}},
        {"table": "users", "rowid": 2, "values": {"id": "user-2-of-1-0"}},
        {"table": "api_keys", "rowid": 1, "values": {"expires_at": "2027-03-01 00:00:00"}},
        # Whose key it is: the other one gives it up.
        {"table": "api_keys", "rowid": 4, "values": {"key_hash": None}},
    )

    status, summary = migrate(*run, "--from-quarantine", str(mended), capsys=capsys)

    assert status == 1
    assert summary["from_quarantine"] == {"came_back": 4, "wait": 2, "before": 0, "with_their_user": 2}
    tables = summary["tables"]
    for name, each in tables.items():
        assert each["rows"] == first["tables"][name]["rows"] == sum(
            each[fate] for fate in ("as_it_is", "repaired", "quarantined")
        )  # fmt: skip
        assert len(waiting(report, name)) == each["quarantined"]
    assert {name: each["quarantined"] for name, each in tables.items()} == {
        "users": 0, "api_keys": 1, "provider_status": 0, "usage": 1,
    }  # fmt: skip
    spent = "SELECT user_id, count(*), sum(cost)::text, max(created_at)::text FROM usage.usage GROUP BY 1 ORDER BY 1"
    rows = asyncio.run(stored(dsns["usage"], spent))
    assert [(user, count, cost) for user, count, cost, _ in rows] == [
        ("user-1", 5, "1.129500"), ("user-2-of-1-0", 2, "0.750000"),
    ]  # fmt: skip
    naive = asyncio.run(
        stored(dsns["usage"], "SELECT count(*) FROM usage.usage WHERE created_at = '2025-03-04 09:00Z'")
    )
    assert naive == [(1,)]
    keys = "SELECT id, user_id, expires_at::date::text FROM auth.api_keys ORDER BY id"
    assert asyncio.run(stored(dsns["auth"], keys)) == [
        ("key-1", "user-1", "2027-03-01"), ("key-2", "user-2-of-1-0", None), ("key-3", "user-1", None),
    ]  # fmt: skip
    rules = {(line["field"], line["rule"]) for line in lines(report, "repairs") if "rule" in line}
    assert {("cost", "edited_by_decision"), ("id", "edited_by_decision"), ("user_id", "owner_by_decision")} <= rules
    assert {"source_id": {"class": "text", "value": "user-2"}, "table": "users", "target_id": "user-2-of-1-0"} in lines(
        report, "id_map"
    )

    verify = ("verify", "--source", str(old))
    assert migrate(*verify, "--report", str(report), capsys=capsys) == (0, [])
    assert main([*verify]) == 2
    assert "--report" in capsys.readouterr().err
    again = migrate(*run, "--from-quarantine", str(mended), capsys=capsys)[1]
    assert again["from_quarantine"] == {"came_back": 0, "wait": 2, "before": 4, "with_their_user": 0}
    assert again["tables"] == tables
    follow = ["follow", "--source", str(old), "--report", str(report), "--every", "0", "--until-behind", "0", "--json"]
    main(follow)
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["changed"] == 0
    assert migrate(*run, capsys=capsys)[1]["tables"] == tables
    assert migrate(*verify, "--report", str(report), capsys=capsys) == (0, [])

    assert migrate("undo", "--source", str(old), capsys=capsys)[0] == 0
    assert asyncio.run(stored(dsns["usage"], "SELECT id FROM usage.usage")) == []
    assert asyncio.run(stored(dsns["auth"], "SELECT id FROM auth.users")) == [("user-2",)]


class Killed(BaseException):
    """The tool dies."""


def test_a_wrong_line_does_nothing_and_a_killed_return_goes_on(
    dsns: dict[str, str], old: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before or after a commit, it ends as if nothing had been."""
    asyncio.run(be_born(dsns["auth"]))
    report, mended = tmp_path / "report", tmp_path / "mended.jsonl"
    run = ["run", "--source", str(old), "--report", str(report)]
    write(mended, {"table": "usage", "rowid": 4})
    assert main([*run, "--from-quarantine", str(mended)]) == 2
    assert "start with run" in capsys.readouterr().err
    migrate(*run, capsys=capsys)
    before = contents(report)
    for line, said in (
        ({"table": "usage", "rowid": 1}, "row 1 of usage is not in"),
        ({"table": "usage", "rowid": 4, "values": {"price": 1}}, "values.price: no such column"),
    ):
        write(mended, line)
        assert main([*run, "--from-quarantine", str(mended)]) == 2
        assert said in capsys.readouterr().err
    assert main([*run, "--from-quarantine", str(mended), "--merge-users", "user-1<-user-3"]) == 2
    assert "undo" in capsys.readouterr().err
    assert contents(report) == before
    assert main([*run, "--naive-zone", "Europe/Moscow"]) == 2
    assert "--from-quarantine" in capsys.readouterr().err

    write(
        mended,
        {"table": "usage", "rowid": 4, "values": {"cost": 0.125}},
        {"table": "users", "rowid": 2, "values": {"id": "user-2-of-1-0"}},
    )
    commit = Imports.put
    for place in (0, 3, 6):
        calls = 0

        async def put(self: Imports, batch: Batch, place: int = place) -> None:
            nonlocal calls
            calls += 1
            if calls == place // 2 + 1 and place % 2 == 0:
                raise Killed
            await commit(self, batch)
            if calls == place // 2 + 1:
                raise Killed

        with monkeypatch.context() as dangerous:
            dangerous.setattr(Imports, "put", put)
            try:
                main([*run, "--from-quarantine", str(mended), "--json"])
            except Killed:
                capsys.readouterr()
                continue
        break

    capsys.readouterr()
    _, summary = migrate(*run, "--from-quarantine", str(mended), capsys=capsys)
    assert summary["tables"]["usage"] == {
        "rows": 8, "as_it_is": 3, "repaired": 3, "quarantined": 2, "cost_micro_rub": 4_500 + 875_000,
    }  # fmt: skip
    assert set(waiting(report, "usage")) == {5, 6}
    count = "SELECT count(*), sum(cost)::text FROM usage.usage"
    assert asyncio.run(stored(dsns["usage"], count)) == [(6, "0.879500")]
    assert migrate("verify", "--source", str(old), "--report", str(report), capsys=capsys) == (0, [])


def test_a_key_that_lay_open_is_told_nowhere_and_comes_back_all_the_same(
    dsns: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever it waits for: its owner, another row with it, an end that says something."""
    secret, folder = "rz_live_lay_open", tmp_path / "report"
    keys = [
        ("key-1", "user-1", secret, "first", WHEN, None, None),
        ("key-2", "user-1", f" {secret}\n", "second", WHEN, None, None),
        ("key-3", "nobody", "sk-" + secret, "third", WHEN, None, None),
        ("key-4", "user-1", "key-" + secret, "fourth", WHEN, "next spring", None),
        ("key-5", "user-1", "sk-" + secret * 2 + "12345678", "fifth", WHEN, None, None),
    ]
    old = make(tmp_path / "old.db", BOOK, users=USERS[:1], api_keys=keys)
    migrate("run", "--source", str(old), "--report", str(folder), capsys=capsys)
    main(["report", "--source", str(old), "--report", str(folder)])
    said = capsys.readouterr().out
    waits = waiting(folder, "api_keys")
    mended = write(tmp_path / "mended", {**waits[4], "values": {**waits[4]["values"], "expires_at": None}})

    status, back = migrate(
        "run", "--source", str(old), "--report", str(folder), "--from-quarantine", str(mended), capsys=capsys
    )

    assert {row: line["reason"] for row, line in waits.items()} == {
        2: "hash_twice", 3: "orphan", 4: "time_unreadable", 5: "key_hash_of_two_kinds",
    }  # fmt: skip
    assert back["from_quarantine"]["came_back"] == 1
    assert (status, list(waiting(folder, "api_keys"))) == (1, [2, 3, 5])
    assert secret not in said
    assert [each.name for each in folder.iterdir() if secret.encode() in each.read_bytes()] == []
    hashes = "SELECT id, key_hash FROM auth.api_keys ORDER BY id"
    assert asyncio.run(stored(dsns["auth"], hashes)) == [("key-1", sha(secret)), ("key-4", sha("key-" + secret))]
