"""Installation: databases of 1.1 that a move goes into, again and again; and the tool, run as an operator runs it."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg

from migrate.__main__ import main
from tests.migration.checker.check import check
from tests.migration.checker.verdict import Problem

Connection = psycopg.Connection[Any]

# But for the default partition.
MONTHS: Final = """
SELECT inhrelid::regclass::text FROM pg_inherits
WHERE inhparent = 'usage.usage'::regclass AND inhrelid <> 'usage.usage_default'::regclass
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the tool ended: its exit status, what it answered, and its lines for people."""

    status: int
    answer: Any
    said: str


@dataclass(frozen=True, slots=True)
class Installation:
    """Two databases, as the services' roles see them, and as one who may do everything does."""

    dsns: Mapping[str, str]
    auth: Connection
    usage: Connection

    def migrate(self, *arguments: str) -> Outcome:
        """Run a verb of the tool."""
        out, err = io.StringIO(), io.StringIO()
        with _environment(self.dsns), redirect_stdout(out), redirect_stderr(err):
            status = main([*arguments, "--json"])
        return Outcome(status, json.loads(out.getvalue()), err.getvalue())

    def run(self, source: Path, report: Path, zone: str | None = None) -> Outcome:
        """Move a source."""
        stated = ["--naive-zone", zone] if zone else []
        return self.migrate("run", "--source", str(source), "--report", str(report), *stated)

    def problems(self, source: Path, report: Path) -> list[Problem]:
        """Return what the checker finds."""
        return check(source, report, self.auth, self.usage)

    def empty(self) -> None:
        """Forget everything that was moved."""
        for connection, schema, tables in (
            (self.auth, "auth", ("imported_rows", "imports", "api_keys", "users")),
            (self.usage, "usage", (*_of_rows(self.usage), "imports", "import_ids", "usage")),
        ):
            for table in tables:
                connection.execute(f"DELETE FROM {schema}.{table}")
            connection.commit()

    def forget_months(self) -> None:
        """Drop the months of rows: the next move finds 1.1 as new as the first one did."""
        for (name,) in self.usage.execute(MONTHS).fetchall():
            self.usage.execute(f"DROP TABLE {name}")
        self.usage.commit()


def _of_rows(usage: Connection) -> list[str]:
    found = usage.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'usage' AND tablename LIKE 'rollup%'")
    return [name for (name,) in found]


@contextmanager
def installation(dsns: Mapping[str, str], admin: Mapping[str, str]) -> Iterator[Installation]:
    """Yield an installation of databases by service, for the services' roles and for a superuser."""
    named = {f"{service.upper()}_POSTGRES_DSN": dsn for service, dsn in dsns.items()}
    with psycopg.connect(admin["auth"]) as auth, psycopg.connect(admin["usage"]) as usage:
        yield Installation(named, auth, usage)


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
