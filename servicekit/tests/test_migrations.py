"""A migrator that is killed is in nobody's way, and two of them do not work at once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest

from servicekit.migrations import MigrationsLocked, migrate
from tools.testing.databases import Databases

SCHEMA: Final = "auth"
# Where a step stands until the test lets it go on.
GATE: Final = 4_711
STUCK: Final = f"""
CREATE TABLE scratch_first (n int);
SELECT pg_advisory_xact_lock({GATE});
CREATE TABLE scratch_second (n int);
"""
RUN: Final = """
import pathlib, sys
from servicekit.migrations import migrate
migrate(sys.argv[1], pathlib.Path(sys.argv[2]), "auth")
"""
# Other tests may have databases on the same server: `pg_locks` has theirs, too.
OURS: Final = "NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
AT_THE_GATE: Final = f"SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = {GATE} AND {OURS}"
WAITING: Final = f"SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND {OURS}"
ROWS: Final = "SELECT count(*) FROM auth.yoyo_lock"
TABLES: Final = "SELECT count(*) FROM pg_tables WHERE tablename LIKE 'scratch%'"

Connection = psycopg.Connection[Any]


@pytest.fixture
def database(databases: Databases) -> Iterator[str]:
    """Return a database of auth's, by the DSN of its service."""
    made = databases.create("auth")
    yield made
    databases.drop(made)


@pytest.fixture
def owner(databases: Databases, database: str) -> str:
    """Return the DSN of the schema's owner."""
    return databases.dsn("auth", database.rpartition("/")[2], owner=True)


@pytest.fixture
def watch(databases: Databases, database: str) -> Iterator[Connection]:
    """Return a connection of somebody else."""
    with psycopg.connect(databases.admin_dsn_of(database), autocommit=True) as connection:
        yield connection


def files(folder: Path, **named: str) -> Path:
    """Write migrations."""
    for name, text in named.items():
        (folder / f"{name}.sql").write_text(text)
    return folder


def one(connection: Connection, statement: str) -> Any:
    """Return the first value of the first row, None where there is none."""
    found = connection.execute(statement).fetchone()
    return found and found[0]


def wait_for(connection: Connection, statement: str) -> None:
    """Wait until a statement finds something."""
    while not one(connection, statement):
        pass


def leave_row(watch: Connection, age: str = "0 s") -> None:
    """Leave the row of a migrator of an earlier release."""
    when = f"now() AT TIME ZONE 'UTC' - interval '{age}'"
    watch.execute(f"INSERT INTO auth.yoyo_lock (locked, ctime, pid) VALUES (1, {when}, 1)")


def test_the_next_migrator_goes_on_where_one_was_killed(owner: str, watch: Connection, tmp_path: Path) -> None:
    """In the middle of a file: nothing of it is there, and nobody has to break a lock."""
    folder = files(tmp_path, s0001_one="CREATE TABLE scratch_one (n int)", s0002_stuck=STUCK)
    watch.execute(f"SELECT pg_advisory_lock({GATE})")
    killed = subprocess.Popen([sys.executable, "-c", RUN, owner, str(folder)])
    wait_for(watch, AT_THE_GATE)
    killed.kill()
    killed.wait()
    left = (one(watch, ROWS), one(watch, TABLES))
    watch.execute(f"SELECT pg_advisory_unlock({GATE})")

    applied = migrate(owner, folder, SCHEMA)

    assert left == (1, 1)
    assert applied == ["s0002_stuck"]
    assert (one(watch, ROWS), one(watch, TABLES)) == (0, 3)
    assert migrate(owner, folder, SCHEMA) == []


def test_a_file_that_cannot_be_marked_is_not_there_either(owner: str, watch: Connection, tmp_path: Path) -> None:
    """Killed between the two, a migrator left tables that the next one met, for ever."""
    folder = files(tmp_path, s0001_one="CREATE TABLE scratch_one (n int)")
    watch.execute("ALTER TABLE auth._yoyo_migration ADD CONSTRAINT never CHECK (migration_id <> 's0001_one')")
    with pytest.raises(psycopg.errors.CheckViolation):
        migrate(owner, folder, SCHEMA)
    assert one(watch, TABLES) == 0
    watch.execute("ALTER TABLE auth._yoyo_migration DROP CONSTRAINT never")

    assert migrate(owner, folder, SCHEMA) == ["s0001_one"]


def test_the_second_of_two_migrators_waits_and_finds_nothing_to_do(
    owner: str, watch: Connection, tmp_path: Path
) -> None:
    folder = files(tmp_path, s0001_stuck=STUCK)
    watch.execute(f"SELECT pg_advisory_lock({GATE})")

    with ThreadPoolExecutor(2) as both:
        first = both.submit(migrate, owner, folder, SCHEMA)
        wait_for(watch, AT_THE_GATE)
        second = both.submit(migrate, owner, folder, SCHEMA)
        wait_for(watch, f"SELECT 1 WHERE ({WAITING}) = 2")
        watch.execute(f"SELECT pg_advisory_unlock({GATE})")

    assert (first.result(), second.result()) == (["s0001_stuck"], [])


def test_who_waits_too_long_is_told_whose_session_it_is(owner: str, watch: Connection, tmp_path: Path) -> None:
    folder = files(tmp_path, s0001_stuck=STUCK)
    watch.execute(f"SELECT pg_advisory_lock({GATE})")

    with ThreadPoolExecutor(1) as other:
        first = other.submit(migrate, owner, folder, SCHEMA)
        wait_for(watch, AT_THE_GATE)
        pid = one(watch, AT_THE_GATE)
        with pytest.raises(MigrationsLocked, match=f"schema auth is locked by session {pid} .*pg_terminate_backend"):
            migrate(owner, folder, SCHEMA, wait_s=0.1)
        watch.execute(f"SELECT pg_advisory_unlock({GATE})")

    assert first.result() == ["s0001_stuck"]


def test_the_row_of_a_migrator_that_is_no_more_is_no_lock(owner: str, watch: Connection, tmp_path: Path) -> None:
    leave_row(watch)

    assert migrate(owner, files(tmp_path, s0001_one="SELECT 1"), SCHEMA, wait_s=0.1) == ["s0001_one"]
    assert one(watch, ROWS) == 0


def test_nor_is_it_that_of_a_session_that_came_long_after_it(owner: str, watch: Connection, tmp_path: Path) -> None:
    """Somebody is the owner at a prompt."""
    leave_row(watch, "1 day")

    with psycopg.connect(owner):
        applied = migrate(owner, files(tmp_path, s0001_one="SELECT 1"), SCHEMA, wait_s=0.1)

    assert applied == ["s0001_one"]


def test_a_migrator_of_an_earlier_release_is_waited_for(owner: str, watch: Connection, tmp_path: Path) -> None:
    """It has nothing but the row; its session tells that it lives."""
    folder = files(tmp_path, s0001_one="SELECT 1")
    with psycopg.connect(owner) as earlier:
        leave_row(watch)
        pid = earlier.info.backend_pid
        with pytest.raises(MigrationsLocked, match=f"session {pid} "):
            migrate(owner, folder, SCHEMA, wait_s=0.1)
        assert one(watch, ROWS) == 1

    assert migrate(owner, folder, SCHEMA) == ["s0001_one"]


def test_a_file_gives_way_to_who_serves_and_is_begun_anew(owner: str, watch: Connection, tmp_path: Path) -> None:
    """Two tables in the other order were a deadlock, and ended the migration (or whoever stored a row just then)."""
    watch.execute("CREATE TABLE auth.first_one (n int); CREATE TABLE auth.second_one (n int)")
    watch.execute("ALTER TABLE auth.first_one OWNER TO razvilka_auth_owner")
    watch.execute("ALTER TABLE auth.second_one OWNER TO razvilka_auth_owner")
    folder = files(tmp_path, wants_both="CREATE INDEX ON auth.first_one (n); CREATE INDEX ON auth.second_one (n);")
    # Only the migration may find out that they wait for each other.
    watch.execute("SET deadlock_timeout = '1min'")

    with ThreadPoolExecutor() as threads:
        with watch.transaction():
            watch.execute("INSERT INTO auth.second_one VALUES (1)")
            migrating = threads.submit(migrate, owner, folder, SCHEMA)
            wait_for(watch, f"SELECT count(*) FROM pg_locks WHERE relation = 'auth.second_one'::regclass AND {OURS}")
            watch.execute("INSERT INTO auth.first_one VALUES (1)")

        assert migrating.result(60) == ["wants_both"]
