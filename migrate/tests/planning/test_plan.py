"""A trial says what the run will do, and 1.1 is after it what it was before."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

import asyncpg
import psycopg
import pytest

from migrate.__main__ import main
from migrate.moving.run import source_id_of
from migrate.planning.scratch import PREFIX, SCRATCH
from migrate.report.files import NAMES
from migrate.tests.commands import lines, migrate, stored

TABLES = {
    "auth": ("users", "api_keys", "imports", "imported_rows"),
    "usage": ("usage", "rollup_day", "imports", "import_ids"),
}


async def counts(dsns: dict[str, str]) -> list[tuple[int, ...]]:
    """Return how many rows the tables of 1.1 have that a move writes to."""
    return [
        (await stored(dsns[schema], f"SELECT count(*) FROM {schema}.{table}"))[0]
        for schema, tables in TABLES.items()
        for table in tables
    ]


async def be_born(dsn: str) -> None:
    """Let 1.1 have accounts: with the address, and with the id, of one of the source."""
    connection = await asyncpg.connect(dsn)
    await connection.execute("INSERT INTO auth.users (id, email) VALUES ('here', 'a@b.ru'), ('user-2', 'c@b.ru')")
    await connection.close()


def trials_on(admin_dsn: str) -> list[str]:
    """Return the databases of trials."""
    with psycopg.connect(admin_dsn) as connection:
        found = connection.execute("SELECT datname FROM pg_database WHERE datname LIKE %s", [PREFIX + "%"])
        return [name for (name,) in found]


def test_a_trial_says_what_the_run_does_and_changes_nothing(
    dsns: dict[str, str], dirty: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], postgres_admin_dsn: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Also behind a trial that was killed and left its database."""
    monkeypatch.setenv(SCRATCH, postgres_admin_dsn)
    asyncio.run(be_born(dsns["auth"]))
    before = asyncio.run(counts(dsns))
    left_over = PREFIX + hashlib.sha256(source_id_of(dirty).encode()).hexdigest()[:16]
    with psycopg.connect(postgres_admin_dsn, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {left_over}")
    trial, real = tmp_path / "trial", tmp_path / "real"

    status, planned = migrate("plan", "--source", str(dirty), "--report", str(trial), capsys=capsys)

    assert asyncio.run(counts(dsns)) == before
    assert left_over not in trials_on(postgres_admin_dsn)
    assert ["a@b.ru", "here", "user-1", "user-2"] in planned["addresses_of_several"]
    costs = planned.pop("trial")
    assert costs["target_bytes"] > 0
    assert costs["report_bytes"] > 0
    assert costs["report_free_bytes"] > 0
    assert migrate("run", "--source", str(dirty), "--report", str(real), capsys=capsys) == (status, planned)
    assert {name: lines(trial, name) for name in NAMES} == {name: lines(real, name) for name in NAMES}
    assert "id_taken_in_1_1" in {line["reason"] for line in lines(real, "quarantine")}

    assert main(["run", "--source", str(dirty), "--report", str(trial)]) == 5
    assert "the report of a trial" in capsys.readouterr().err
    assert main(["plan", "--source", str(dirty), "--report", str(real)]) == 5
    assert "the report of a run" in capsys.readouterr().err


def test_without_a_server_for_the_trial_the_setting_is_named(
    dirty: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, free_port: int
) -> None:
    for name in ("AUTH_POSTGRES_DSN", "USAGE_POSTGRES_DSN"):
        monkeypatch.setenv(name, f"postgresql://nobody@127.0.0.1:{free_port}/none")
    plan = ["plan", "--source", str(dirty), "--report", str(tmp_path / "trial")]

    assert main(plan) == 4
    assert SCRATCH in capsys.readouterr().err
    monkeypatch.setenv(SCRATCH, f"postgresql://nobody@127.0.0.1:{free_port}/none")
    assert main(plan) == 4
    said = capsys.readouterr().err
    assert said.startswith(f"no_target: {SCRATCH}: ")
    assert said.count("\n") == 1
