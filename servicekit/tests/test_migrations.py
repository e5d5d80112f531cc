"""A migrator that is killed is in nobody's way, and two of them do not work at once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest

from servicekit.migrations import MigrationsLocked, migrate
from tools.testing.databases import Databases

SCHEMA: Final = "scratch"
# A step that ends when the test lets it, and a table before it.
GATE: Final = 4_711
STUCK: Final = f"CREATE TABLE first (n int);\nSELECT pg_advisory_xact_lock({GATE});\nCREATE TABLE second (n int);\n"
RUN: Final = "import sys, pathlib; from servicekit.migrations import migrate; migrate(sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3])"
ASKS: Final = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = %s AND NOT granted"
A_ROW: Final = "INSERT INTO scratch.yoyo_lock (locked, ctime, pid) VALUES (1, now() AT TIME ZONE 'UTC', 1)"
TABLES: Final = "SELECT count(*) FROM pg_tables WHERE schemaname = 'scratch' AND tablename IN ('first', 'second')"

Connection = psycopg.Connection[Any]


@pytest.fixture
def owner_dsn(databases: Databases) -> Iterator[str]:
    """Return the DSN of a schema's owner, in a database of its own."""
    made = databases.create("auth")
    dsn = databases.admin_dsn_of(made)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA scratch")
    yield dsn
    databases.drop(made)


@pytest.fixture
def watching(databases: Databases, owner_dsn: str) -> Iterator[Connection]:
    """Return a connection of somebody else: not one of the schema's owner."""
    with psycopg.connect(owner_dsn, autocommit=True) as connection:
        connection.execute("CREATE ROLE scratch_watcher SUPERUSER")
