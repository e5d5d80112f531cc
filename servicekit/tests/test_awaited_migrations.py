"""A program waits for the schema that it was written for, whoever brings it."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import asyncpg
import pytest

from servicekit import entry
from servicekit.migrations import await_migrations
from tools.testing.plugin import MakeDatabaseDsn

ROUTER = Path(__file__).parents[2] / "services" / "router" / "migrations"
LAST = sorted(ROUTER.glob("*.sql"))[-1].stem


async def test_who_waits_goes_on_when_the_last_migration_is_applied(make_database_dsn: MakeDatabaseDsn) -> None:
    """One that is missing holds the start up; as soon as it is there, the start goes on."""
    dsn = await make_database_dsn("router")
    taken = await asyncpg.connect(dsn)
    await taken.execute("UPDATE router._yoyo_migration SET migration_id = 'away' WHERE migration_id = $1", LAST)

    waiting = asyncio.create_task(await_migrations(dsn, ROUTER, "router"))
    done, _ = await asyncio.wait({waiting}, timeout=0.5)
    assert not done

    await taken.execute("UPDATE router._yoyo_migration SET migration_id = $1 WHERE migration_id = 'away'", LAST)
    await waiting
    await taken.close()


async def test_a_schema_of_a_later_release_is_waited_for_by_nobody(make_database_dsn: MakeDatabaseDsn) -> None:
    """On the way back the old program starts beside the new schema."""
    dsn = await make_database_dsn("router")
    connection = await asyncpg.connect(dsn)
    await connection.execute(
        "INSERT INTO router._yoyo_migration (migration_hash, migration_id) VALUES ('x', '9999_later')"
    )
    await connection.close()

    await asyncio.wait_for(await_migrations(dsn, ROUTER, "router"), timeout=30)


@pytest.mark.parametrize(
    ("command", "variable"), [("migrate", "ROUTER_MIGRATIONS_DSN"), ("await-migrations", "ROUTER_POSTGRES_DSN")]
)
def test_a_command_without_its_dsn_names_the_variable(
    command: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line and the exit code of a failure, no traceback."""
    monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(sys, "argv", ["services.router", command])

    with pytest.raises(SystemExit, match=f"^{variable}: set it to the DSN of the role that [^\n]*$"):
        entry.run("router", serve_nothing, ROUTER)


@pytest.mark.parametrize(
    "dsn", ["hunter2", "postgresql://auth:hunter2@db:abc/d", "postgresql://auth:hunter2@db/d?sslmode=x"]
)
@pytest.mark.parametrize(
    ("command", "variable"), [("migrate", "ROUTER_MIGRATIONS_DSN"), ("await-migrations", "ROUTER_POSTGRES_DSN")]
)
def test_a_command_with_what_is_no_dsn_names_the_variable(
    command: str, variable: str, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who waits would wait for ever, and a traceback names no variable; the password is not repeated."""
    monkeypatch.setenv(variable, dsn)
    monkeypatch.setattr(sys, "argv", ["services.router", command])

    with pytest.raises(SystemExit, match=f"^{variable}: [^\n]*$") as ended:
        entry.run("router", serve_nothing, ROUTER)

    assert "hunter2" not in str(ended.value)


async def serve_nothing() -> None:
    raise AssertionError("it was told to migrate")
