"""Plain SQL migrations, forward only, by yoyo: one directory, one schema, one role that may run DDL."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg
import structlog
from yoyo import get_backend, read_migrations

from servicekit.postgres import LOST, sql

log = structlog.get_logger()

LOOK_EVERY_S: Final = 1.0
CONNECT_TIMEOUT_S: Final = 5.0
APPLIED: Final = "SELECT migration_id FROM {schema}._yoyo_migration"


def migrate(dsn: str, directory: Path, schema: str) -> list[str]:
    """Apply what is new in `directory` to `schema` and return the names applied, in order.

    Two migrators at once are safe: the second waits for the first one's lock. Blocking: call it from `__main__`.

    Args:
        dsn: postgresql:// of the schema's owner.
        directory: files `NNNN_what.sql`.
        schema: where the tables and yoyo's own book-keeping go.
    """
    backend = get_backend(_with_schema(dsn, schema))
    with backend.lock(timeout=60):
        pending = backend.to_apply(read_migrations(str(directory)))
        names = [migration.id for migration in pending]
        backend.apply_migrations(pending)
    return names


async def await_migrations(dsn: str, directory: Path, schema: str) -> None:
    """Return when everything in `directory` is applied to `schema`; say what is missing whenever that changes.

    For a program's start beside the one that migrates, in any order. Without an end of its own: whoever started it
    gives up. A schema that is ahead, of a later release, is fine.

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
    """Return in a few words what is missing, empty when nothing is."""
    try:
        connection = await asyncpg.connect(dsn, timeout=CONNECT_TIMEOUT_S)
    except (*LOST, asyncpg.PostgresError) as exc:
        return f"the database: {exc or type(exc).__name__}"
    try:
        rows = await connection.fetch(sql(APPLIED, schema=schema), timeout=CONNECT_TIMEOUT_S)
    except (*LOST, asyncpg.PostgresError) as exc:
        return f"the schema: {exc or type(exc).__name__}"
    finally:
        connection.terminate()
    return ", ".join(sorted(wanted - {row["migration_id"] for row in rows}))


def _with_schema(dsn: str, schema: str) -> str:
    # yoyo picks psycopg 3 by the scheme; search_path makes its own tables land in the service's schema.
    parts = urlsplit(dsn)
    query = "&".join(filter(None, (parts.query, "options=" + quote(f"-csearch_path={schema}"))))
    return urlunsplit(("postgresql+psycopg", parts.netloc, parts.path, query, ""))
