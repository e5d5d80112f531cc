"""Plain SQL migrations, forward only, by yoyo: one directory, one schema, one role that may run DDL."""

from __future__ import annotations

import asyncio
import time
from contextlib import closing
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg
import psycopg
import structlog
from yoyo import get_backend, read_migrations
from yoyo.exceptions import LockTimeout

from servicekit.postgres import UNUSABLE, sql

log = structlog.get_logger()

# How long a migrator waits for another one.
WAIT_S: Final = 60.0
POLL_S: Final = 0.2
# How often whoever waits for migrations looks for them.
LOOK_EVERY_S: Final = 1.0
CONNECT_TIMEOUT_S: Final = 5.0
# A file that waits for a table keeps everybody behind it who wants the same table; and who holds that may want one that
# the file has already. Half PostgreSQL's deadlock_timeout: the file gives way, not a program that serves.
LOCK_TIMEOUT: Final = "500ms"
APPLIED: Final = "SELECT migration_id FROM {schema}._yoyo_migration"
# A client whose machine is gone says no goodbye; PostgreSQL finds out within half a minute, and lets its lock go.
_ENDINGS: Final = (
    ("tcp_keepalives_idle", "10"),
    ("tcp_keepalives_interval", "5"),
    ("tcp_keepalives_count", "3"),
    ("client_connection_check_interval", "5s"),
)
# yoyo's own lock is a row, which a killed migrator leaves behind. It is nobody's when whoever else is connected as the
# schema's owner waits for us, or came so much later than the row that no two clocks differ by that.
_ITS_SESSIONS: Final = """
SELECT session.pid, session.application_name
FROM pg_stat_activity AS session
WHERE session.datname = current_database() AND session.usename = session_user AND session.pid <> pg_backend_pid()
  AND session.backend_start < row.ctime AT TIME ZONE 'UTC' + interval '5 minutes'
  AND NOT EXISTS (SELECT FROM pg_locks AS asked WHERE asked.pid = session.pid AND asked.locktype = 'advisory')
"""
_FREE: Final = sql("DELETE FROM yoyo_lock AS row WHERE NOT EXISTS ({sessions})", sessions=_ITS_SESSIONS)
_HOLDER: Final = sql("SELECT its.* FROM yoyo_lock AS row, LATERAL ({sessions}) AS its", sessions=_ITS_SESSIONS)
_LOCK: Final = "SELECT pg_advisory_lock(hashtextextended('razvilka.migrations.' || %s, 0))"
_OWNER: Final = """
SELECT session.pid, session.application_name
FROM pg_locks AS held JOIN pg_stat_activity AS session USING (pid)
WHERE held.locktype = 'advisory' AND held.granted AND session.datname = current_database()
  AND (held.classid::bigint << 32 | held.objid::bigint) = hashtextextended('razvilka.migrations.' || %s, 0)
"""


class MigrationsLocked(Exception):
    """Another session holds the migration lock and did not release it; the message is one line that names it."""


def migrate(dsn: str, directory: Path, schema: str, *, wait_s: float = WAIT_S) -> list[str]:
    """Apply what is new in `directory` to `schema` and return the names applied, in order.

    Two migrators at once are safe: the second waits for the first one's lock. One that is killed does not block the
    next: its lock ends with its session, and each file is applied and marked in one transaction. Blocking: call it from
    `__main__`.

    Args:
        dsn: postgresql:// of the schema's owner; not through a pooler that gives each transaction another session.
        directory: files `NNNN_what.sql`.
        schema: where the tables and yoyo's own book-keeping go.
        wait_s: how long to wait for another migrator, and, for each file, for tables that are in use.

    Raises:
        MigrationsLocked: it did not end.
        psycopg.errors.LockNotAvailable: a table was in use for all of that time.
    """
    backend = get_backend(_with_schema(dsn, schema))
    with closing(backend.connection):
        _take_lock(backend.connection, schema, wait_s)
        _free_row(backend.connection, schema, wait_s)
        try:
            with backend.lock(timeout=wait_s):
                return _apply_new(backend, directory, wait_s)
        except LockTimeout as exc:
            raise _locked(schema, backend.connection.execute(_HOLDER).fetchone()) from exc


async def await_migrations(dsn: str, directory: Path, schema: str) -> None:
    """Return when everything in `directory` is applied to `schema`; say what is missing whenever that changes.

    For services that start in any order beside the migrator. It has no time limit of its own: whoever started it gives
    up. A schema of a later release is accepted.

    Args:
        dsn: postgresql:// of the service's own role, which reads yoyo's book-keeping.
        directory: files `NNNN_what.sql`.
        schema: where the tables and the book-keeping are.
    """
    wanted, said = _names(directory), ""
    while missing := await _missing(dsn, schema, wanted):
        if missing != said:
            log.info("migration.awaited", schema=schema, missing=missing)
        said = missing
        await asyncio.sleep(LOOK_EVERY_S)


def _names(directory: Path) -> set[str]:
    return {file.stem for file in directory.glob("*.sql")}


async def _missing(dsn: str, schema: str, wanted: set[str]) -> str:
    """Describe in a few words what is missing; empty when nothing is."""
    try:
        connection = await asyncpg.connect(dsn, timeout=CONNECT_TIMEOUT_S)
    except UNUSABLE as exc:
        return f"the database: {exc or type(exc).__name__}"
    try:
        rows = await connection.fetch(sql(APPLIED, schema=schema), timeout=CONNECT_TIMEOUT_S)
    except UNUSABLE as exc:
        return f"the schema: {exc or type(exc).__name__}"
    finally:
        connection.terminate()
    return ", ".join(sorted(wanted - {row["migration_id"] for row in rows}))


def _apply_new(backend: Any, directory: Path, wait_s: float) -> list[str]:
    pending = backend.to_apply(read_migrations(str(directory)))
    for migration in pending:
        _apply(backend, migration, time.monotonic() + wait_s)
    return [migration.id for migration in pending]


def _apply(backend: Any, migration: Any, give_up_at: float) -> None:
    """Apply a file and mark it; retry while a table is in use, because services keep running meanwhile."""
    while True:
        try:
            # Killed between the two, the next migrator would meet the tables of a file that is not marked.
            with backend.transaction():
                backend.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
                migration.process_steps(backend, "apply")
                backend.mark_one(migration)
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected) as exc:
            if time.monotonic() > give_up_at:
                raise
            log.info("migration.again", file=migration.id, reason=type(exc).__name__)
            time.sleep(POLL_S)
        else:
            return


def _take_lock(connection: psycopg.Connection[Any], schema: str, wait_s: float) -> None:
    """Take the session-level lock, which is released however the session ends."""
    for setting in (*_ENDINGS, ("lock_timeout", f"{round(wait_s * 1000)}ms")):
        connection.execute("SELECT set_config(%s, %s, false)", setting)
    try:
        connection.execute(_LOCK, (schema,))
    except psycopg.errors.LockNotAvailable as exc:
        raise _locked(schema, connection.execute(_OWNER, (schema,)).fetchone()) from exc
    connection.execute("RESET lock_timeout")


def _free_row(connection: psycopg.Connection[Any], schema: str, wait_s: float) -> None:
    """Delete the lock row of a dead migrator; wait for a migrator of an earlier release, which holds only that row."""
    deadline = time.monotonic() + wait_s
    connection.execute(_FREE)
    while holder := connection.execute(_HOLDER).fetchone():
        if time.monotonic() >= deadline:
            raise _locked(schema, holder)
        time.sleep(POLL_S)
        connection.execute(_FREE)


def _locked(schema: str, holder: tuple[int, str] | None) -> MigrationsLocked:
    pid, name = holder or (0, "")
    who = f"session {pid} ({name or 'without a name'})" if holder else "another session"
    return MigrationsLocked(
        f"schema {schema} is locked by {who}, which migrates it or is connected as its owner: "
        f"wait for its end and start this again, or end it by SELECT pg_terminate_backend({pid or 'its pid'})"
    )


def _with_schema(dsn: str, schema: str) -> str:
    # yoyo picks psycopg 3 by the scheme; search_path makes its own tables land in the service's schema.
    parts = urlsplit(dsn)
    query = "&".join(filter(None, (parts.query, "options=" + quote(f"-csearch_path={schema}"))))
    return urlunsplit(("postgresql+psycopg", parts.netloc, parts.path, query, ""))
