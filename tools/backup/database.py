"""A database into a file and back, with figures taken in the very snapshot that was written."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tools.servers import binaries
from tools.servers.bootstrap import SCHEMAS
from tools.servers.errors import ServerError
from tools.servers.postgres import neutral_environment

ELSEWHERE: Final = "restore into an empty folder, RAZVILKA_HOME=ANOTHER make restore ARGS=FOLDER"
TABLES: Final = """
SELECT n.nspname, c.relname
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname = ANY (%s)
ORDER BY 1, 2
"""
SPENT: Final = "SELECT coalesce(sum(cost) * 1000000, 0)::bigint FROM usage.usage"
SUMMED: Final = "SELECT coalesce(sum(cost_micro_rub), 0)::bigint FROM usage.rollup_day"


class BackupError(ServerError):
    """A backup that cannot be taken, read or restored, in one line."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What a database holds: rows of each table, and micro-roubles of the rows and of their daily sums."""

    rows: dict[str, int]
    spent_micro_rub: int
    summed_micro_rub: int

    def differences(self, found: Figures) -> list[str]:
        """Return in words what another database holds otherwise."""
        tables = sorted(self.rows.keys() | found.rows.keys())
        pairs = [(name, self.rows.get(name), found.rows.get(name)) for name in tables]
        sums: list[tuple[str, int | None, int | None]] = [
            ("micro-roubles of rows", self.spent_micro_rub, found.spent_micro_rub),
            ("micro-roubles of days", self.summed_micro_rub, found.summed_micro_rub),
        ]
        return [
            f"{name}: {mine} were kept, {theirs} are there" for name, mine, theirs in pairs + sums if mine != theirs
        ]


def dump(dsn: str, file: Path) -> Figures:
    """Write the three schemas to `file` and return what stands in it. Writers go on meanwhile.

    Args:
        dsn: of a superuser, or of a role that may read all three schemas past row security.
        file: is made; pg_restore reads it.

    Raises:
        BackupError: pg_dump failed.
    """
    with _connected(dsn) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        snapshot = _one(connection, "SELECT pg_export_snapshot()")
        schemas = [f"--schema={schema}" for schema in SCHEMAS]
        _run("pg_dump", dsn, ["--format=custom", f"--snapshot={snapshot}", f"--file={file}", *schemas])
        return _figures(connection)


def restore(dsn: str, file: Path) -> None:
    """Bring the three schemas of a bootstrapped database to what stands in `file`, wholly or not at all.

    Raises:
        BackupError: the file is none of ours, or does not fit this PostgreSQL.
    """
    _run("pg_restore", dsn, ["--clean", "--if-exists", "--single-transaction", "--exit-on-error", str(file)])


def figures(dsn: str) -> Figures:
    """Return what a database holds."""
    with _connected(dsn) as connection:
        return _figures(connection)


@contextmanager
def _connected(dsn: str) -> Iterator[psycopg.Connection[Any]]:
    try:
        with psycopg.connect(dsn) as connection:
            yield connection
    except psycopg.OperationalError as exc:
        raise BackupError(f"PostgreSQL: {_first_line(str(exc))}") from exc


def _figures(connection: psycopg.Connection[Any]) -> Figures:
    tables = connection.execute(TABLES, [list(SCHEMAS)]).fetchall()
    return Figures({f"{schema}.{name}": _count(connection, schema, name) for schema, name in tables},
                   int(_one(connection, SPENT)), int(_one(connection, SUMMED)))  # fmt: skip


def _count(connection: psycopg.Connection[Any], schema: str, name: str) -> int:
    counted = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(schema, name))).fetchone()
    return int(counted[0]) if counted else 0


def _one(connection: psycopg.Connection[Any], question: str) -> Any:
    row = connection.execute(question.encode()).fetchone()
    return row[0] if row else None


def _run(program: str, dsn: str, options: list[str]) -> None:
    # By the environment, where no other user of the machine reads it.
    parts = conninfo_to_dict(dsn)
    password = str(parts.pop("password", ""))
    where = make_conninfo("", **parts)
    command = [str(binaries.postgres_bin_dir() / program), f"--dbname={where}", *options]
    environment = neutral_environment() | ({"PGPASSWORD": password} if password else {})
    done = subprocess.run(command, env={**environment, "LC_ALL": "C"}, cwd=os.sep, capture_output=True, text=True)
    if done.returncode != 0:
        raise BackupError(f"{program}: {_first_line(done.stderr)}")


def _first_line(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if "error" in line.lower()] or text.strip().splitlines()
    return lines[0] if lines else "no message"
