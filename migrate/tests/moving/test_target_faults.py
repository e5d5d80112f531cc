"""What may happen to the target while rows move: one line that says what to do, and the same command goes on."""

from __future__ import annotations

import asyncio
import json
import random
import resource
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import asyncpg
import pytest

from migrate.__main__ import main
from migrate.report.files import NAMES
from migrate.tests.commands import lines, migrate, stored
from migrate.tests.old_database import WHEN, make, requests
from servicekit.testing.fake_clock import FakeClock
from services.usage.ingest import Ingest
from services.usage.settings import IngestSettings
from services.usage.store import UsageStore
from services.usage.tests.records import record
from tools.testing.databases import Databases
from tools.testing.plugin import EVERYBODY

# Faults are PostgreSQL's own: while a row is inserted, or of the whole database.
TRIGGER: Final = """
CREATE FUNCTION public.fault() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {fault}; RETURN NEW; END $$;
CREATE TRIGGER fault BEFORE INSERT ON usage.usage FOR EACH ROW WHEN (NEW.tokens_input = 13)
EXECUTE FUNCTION public.fault()
"""
HEALED: Final = "DROP TRIGGER fault ON usage.usage; DROP FUNCTION public.fault()"
NOW: Final = "2026-11-23 12:00:00"


async def execute(dsn: str, statements: str) -> None:
    """Be who runs PostgreSQL."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statements)
    finally:
        await connection.close()


@contextmanager
def no_room_behind(size: int) -> Iterator[None]:
    """Have no file of this process grow beyond so many bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Return a database of 1.0 with a row at which the target fails, among those that are repaired."""
    rows = [(f"gen-{number}", *row[1:]) for number, row in enumerate(requests(300))]
    rows[200] = (*rows[200][:4], 13, *rows[200][5:])
    return make(tmp_path / "old.db", users=[("user-1", "a@b.ru", WHEN, WHEN)], usage=rows)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("PERFORM pg_terminate_backend(pg_backend_pid())", "target_lost"),
        (
            "RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'",
            "target_disk_full",
        ),
    ],
)
def test_a_batch_that_breaks_off_is_not_there_and_moves_with_the_next_run(
    dsns: dict[str, str], databases: Databases, old: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    fault: str, code: str,
) -> None:  # fmt: skip
    admin = databases.admin_dsn_of(dsns["usage"])
    run = ("run", "--source", str(old), "--report", str(tmp_path / "report"))
    asyncio.run(execute(admin, TRIGGER.format(fault=fault)))

    assert main(run) == 4

    said = capsys.readouterr().err.splitlines()
    assert said[-1].startswith(f"{code}: ")
    assert said[-1].endswith("Nothing is lost: the same command goes on where it stood.")
    assert asyncio.run(stored(dsns["usage"], "SELECT count(*) FROM usage.usage")) == [(0,)]
    asyncio.run(execute(admin, HEALED))
    assert migrate(*run, capsys=capsys)[0] == 0
    assert len(lines(tmp_path / "report", "id_map")) == 300
    assert migrate("verify", "--source", str(old), capsys=capsys) == (0, [])


def test_a_target_that_is_read_only_or_none_is_said_so(
    dsns: dict[str, str], databases: Databases, old: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    postgres_admin_dsn: str, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    run = ("run", "--source", str(old), "--report", str(tmp_path / "report"))
    name = dsns["usage"].rpartition("/")[2]
    asyncio.run(execute(postgres_admin_dsn, f"ALTER DATABASE {name} SET default_transaction_read_only = on"))
    assert migrate(*run, capsys=capsys)[1]["error"]["code"] == "target_read_only"
    asyncio.run(execute(postgres_admin_dsn, f"ALTER DATABASE {name} RESET default_transaction_read_only"))
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("USAGE_POSTGRES_DSN", dsns["auth"])
        assert migrate(*run, capsys=capsys)[1]["error"]["code"] in ("target_not_1_1", "target_refuses")

    assert migrate(*run, capsys=capsys)[0] == 0


def test_a_full_disk_for_the_report_stops_the_run_and_room_lets_it_go_on(
    dsns: dict[str, str], old: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report, whole = tmp_path / "report", tmp_path / "whole"
    run = ("run", "--source", str(old), "--report")
    with no_room_behind(8_192):
        status, said = migrate(*run, str(report), capsys=capsys)

    assert (status, said["error"]["code"]) == (5, "report_unwritable")
    status, summary = migrate(*run, str(report), capsys=capsys)
    assert status == 0
    migrate("undo", "--source", str(old), capsys=capsys)
    assert migrate(*run, str(whole), capsys=capsys) == (0, summary)
    assert {name: lines(report, name) for name in NAMES} == {name: lines(whole, name) for name in NAMES}


def test_accounts_that_1_1_has_already_are_nobody_elses(
    dsns: dict[str, str], old: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither one with the same id and address, nor one with the address alone."""
    there = "INSERT INTO auth.users (id, email) VALUES ('user-1', 'A@b.ru'), ('born', 'c@b.ru') RETURNING id"
    asyncio.run(stored(dsns["auth"], there))
    with closing(sqlite3.connect(old)) as database, database:
        database.execute("INSERT INTO users (id, email) VALUES ('user-2', 'C@b.ru')")

    status, summary = migrate("run", "--source", str(old), "--report", str(tmp_path / "report"), capsys=capsys)

    reasons = [(each["table"], each["reason"]) for each in lines(tmp_path / "report", "quarantine")]
    assert status == 1
    assert reasons[0] == ("users", "id_taken_in_1_1")
    assert set(reasons[1:]) == {("usage", "owner_quarantined")}
    assert summary["addresses_of_several"] == [["C@b.ru", "born", "user-2"]]
    users = asyncio.run(stored(dsns["auth"], "SELECT id, email LIKE '%@b.ru' FROM auth.users ORDER BY id"))
    assert users == [("born", True), ("user-1", True), ("user-2", False)]


def test_two_commands_from_two_shells_move_each_row_once(
    dsns: dict[str, str], old: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def shell(number: int) -> int:
        return main(["run", "--source", str(old), "--report", str(tmp_path / f"report-{number}"), "--json"])

    with ThreadPoolExecutor(2) as both:
        statuses = sorted(both.map(shell, range(2)))

    capsys.readouterr()
    # The second finds the first at work, or its folder lacks the lines of the first.
    assert statuses[0] == 0
    assert statuses[1] in (4, 5)
    assert asyncio.run(stored(dsns["usage"], "SELECT count(*), count(DISTINCT id) FROM usage.usage")) == [(300, 300)]
    assert migrate("verify", "--source", str(old), capsys=capsys) == (0, [])


def test_live_traffic_goes_on_meanwhile_and_all_sums_are_right(
    dsns: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str], clock: FakeClock
) -> None:
    """On the same account, in the same hour, of the same model: the rows of the rollups are the same."""
    rows = [(*row[:7], NOW) for row in requests(300)]
    old = make(tmp_path / "old.db", users=[("user-1", "a@b.ru", WHEN, WHEN)], usage=rows)

    async def serve() -> None:
        pool = await asyncpg.create_pool(dsns["usage"], min_size=1, max_size=2, server_settings=EVERYBODY)
        ingest = Ingest(UsageStore(pool), IngestSettings(), clock=clock, rng=random.Random(1))
        for number in range(40):
            await ingest.record([replace(record(number), provider="gigachat", model="gigachat-2:latest")])
        check = await UsageStore(pool).check(datetime(2015, 1, 1, tzinfo=UTC))
        assert check.broken == ()
        await pool.close()

    with ThreadPoolExecutor(1) as service:
        served = service.submit(lambda: asyncio.run(serve()))
        assert main(["run", "--source", str(old), "--report", str(tmp_path / "report"), "--json"]) == 0
        served.result()

    assert json.loads(capsys.readouterr().out)["tables"]["usage"]["rows"] == 300
    asyncio.run(check_all(dsns["usage"]))


async def check_all(dsn: str) -> None:
    """Compare all rows with all sums."""
    pool = await asyncpg.create_pool(dsn, min_size=1, max_size=2, server_settings=EVERYBODY)
    check = await UsageStore(pool).check(datetime(2015, 1, 1, tzinfo=UTC))
    assert check.broken == ()
    assert await pool.fetchval("SELECT count(*) FROM usage.usage") == 340
    await pool.close()
