"""The way back: what was made in 1.1 is in 1.0's file afterwards, once, and what cannot be is named."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from migrate.__main__ import main
from migrate.following.way_back import STATEMENTS
from migrate.tests.commands import migrate, sha, stored
from migrate.tests.old_database import BOOK, WHEN, make, requests
from servicekit.testing.fake_clock import FakeClock
from services.usage.ingest import Ingest
from services.usage.settings import IngestSettings
from services.usage.store import UsageStore
from services.usage.tests.records import record
from tools.testing.plugin import EVERYBODY

BORN_IN_AUTH = """
INSERT INTO auth.users (id, email) VALUES ('born', 'o''neill@b.ru');
INSERT INTO auth.api_keys (id, user_id, key_hash) VALUES ('born-key', 'born', repeat('a', 64));
UPDATE auth.api_keys SET revoked_at = '2025-05-05T05:05:05Z' WHERE id = 'key-1'
"""


async def serve(dsns: dict[str, str], clock: FakeClock) -> None:
    """Be 1.1 for a while."""
    connection = await asyncpg.connect(dsns["auth"])
    await connection.execute(BORN_IN_AUTH)
    await connection.close()
    pool = await asyncpg.create_pool(dsns["usage"], min_size=1, max_size=2, server_settings=EVERYBODY)
    ingest = Ingest(UsageStore(pool), IngestSettings(), clock=clock, rng=random.Random(1))
    await ingest.record([record(1), replace(record(2), user_id="born", cost_micro_rub=1)])
    await pool.close()


def rows(path: Path, sql: str) -> list[tuple[Any, ...]]:
    """Return rows of 1.0."""
    with closing(sqlite3.connect(path)) as database:
        return database.execute(sql).fetchall()


@pytest.mark.parametrize("schema", [BOOK, BOOK.replace(" PRIMARY KEY", "").replace(" provider TEXT,", "")])
def test_what_was_born_in_1_1_is_in_1_0_once(
    dsns: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str], clock: FakeClock, schema: str
) -> None:
    """And does not come back to where it was born, as a second row."""
    honest = requests(3) if schema == BOOK else [(*row[:2], *row[3:]) for row in requests(3)]
    key = ("key-1", "user-1", sha("rz_live_1"), "first", WHEN, None, None)
    old = make(tmp_path / "old.db", schema, users=[("user-1", "a@b.ru", WHEN, WHEN)], api_keys=[key], usage=honest)
    order = ("--source", str(old), "--report", str(tmp_path / "report"))
    migrate("run", *order, capsys=capsys)
    # The rows of the test are of a day that has passed.
    since = "UPDATE auth.imports SET began_at = '2026-01-01' RETURNING 1"
    asyncio.run(stored(dsns["auth"], since))
    asyncio.run(serve(dsns, clock))

    status, found = migrate("way-back", *order, capsys=capsys)

    assert (status, {name: found[name] for name in ("requests", "cost_rub", "accounts", "ended", "keys")}) == (
        1, {"requests": 2, "cost_rub": "0.030001", "accounts": 1, "ended": 1, "keys": ["born-key"]},
    )  # fmt: skip
    statements = (tmp_path / "report" / STATEMENTS).read_text()
    for _ in range(2):
        with closing(sqlite3.connect(old)) as database:
            database.executescript(statements)
    assert rows(old, "SELECT user_id, tokens_input, cost FROM usage ORDER BY rowid")[3:] == [
        ("user-1", 100, 0.03), ("born", 100, 0.000001),
    ]  # fmt: skip
    assert rows(old, "SELECT id, email FROM users") == [("user-1", "a@b.ru"), ("born", "o'neill@b.ru")]
    assert rows(old, "SELECT expires_at FROM api_keys") == [("2025-05-05 05:05:05",)]
    status, said = migrate("follow", *order, capsys=capsys)
    assert (status, said["error"]["code"]) == (4, "conflict")


def test_a_source_that_was_never_moved_has_no_way_back(
    dsns: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = make(tmp_path / "old.db")

    assert main(["way-back", "--source", str(old), "--report", str(tmp_path / "report")]) == 1
    assert capsys.readouterr().err == "this source has not been moved: there is nothing to go back with\n"


def test_what_1_1_calls_otherwise_goes_back_under_its_own_name(
    dsns: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str], clock: FakeClock
) -> None:
    """A revoked key would work on in 1.0, and requests be on nobody's account."""
    users = [(b"blob", "a@b.ru", WHEN, WHEN), ("tab\t1", "b@b.ru", WHEN, WHEN)]
    keys = [
        ("team/key", b"blob", sha("rz_live_1"), "first", WHEN, None, None),
        ("of-2", "tab\t1", sha("rz_live_2"), "second", WHEN, None, None),
    ]
    old = make(tmp_path / "old.db", BOOK.replace("id TEXT PRIMARY KEY", "id"), users=users, api_keys=keys)
    order = ("--source", str(old), "--report", str(tmp_path / "report"))
    migrate("run", *order, capsys=capsys)
    ids = asyncio.run(be_used(dsns, clock))

    migrate("way-back", *order, capsys=capsys)

    with closing(sqlite3.connect(old)) as database:
        database.executescript((tmp_path / "report" / STATEMENTS).read_text())
    assert not {"team/key", "tab\t1"} & set(ids)
    assert rows(old, "SELECT id FROM api_keys WHERE expires_at IS NOT NULL ORDER BY 1") == [("of-2",), ("team/key",)]
    assert rows(old, "SELECT user_id FROM usage ORDER BY typeof(user_id)") == [(b"blob",), ("tab\t1",)]


async def be_used(dsns: dict[str, str], clock: FakeClock) -> list[str]:
    """Be 1.1 in which each user asks something and all keys are revoked; return all ids."""
    connection = await asyncpg.connect(dsns["auth"])
    await connection.execute("UPDATE auth.imports SET began_at = '2026-01-01'")
    await connection.execute("UPDATE auth.api_keys SET revoked_at = now()")
    users = [row["id"] for row in await connection.fetch("SELECT id FROM auth.users ORDER BY email")]
    keys = [row["id"] for row in await connection.fetch("SELECT id FROM auth.api_keys")]
    await connection.close()
    pool = await asyncpg.create_pool(dsns["usage"], min_size=1, max_size=2, server_settings=EVERYBODY)
    ingest = Ingest(UsageStore(pool), IngestSettings(), clock=clock, rng=random.Random(1))
    await ingest.record([replace(record(number), user_id=id_) for number, id_ in enumerate(users, 1)])
    await pool.close()
    return [*users, *keys]
