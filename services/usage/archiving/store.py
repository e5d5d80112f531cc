"""SQL of the archive: lists months, reads their rows, deletes an archived month."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Final

import asyncpg

from servicekit.postgres import database_errors, sql
from services.usage.archiving.parquet import NAMES, Proof
from services.usage.domain.months import months_from
from services.usage.store.column_sql import listed
from services.usage.store.connection import EVERYBODY, NAME_USER, Connection

# A month of ten million rows is read in minutes.
READ_TIMEOUT_S: Final = 3_600.0
TRY_LOCK: Final = "SELECT pg_try_advisory_lock(hashtext('usage.archive'))"
# Partitions are named `usage_2024_01`.
LIST_MONTHS: Final = """
    SELECT to_date(right(relname, 7), 'YYYY_MM')
    FROM pg_inherits
    JOIN pg_class ON pg_class.oid = inhrelid
    WHERE inhparent = 'usage.usage'::regclass AND relname ~ '^usage_[0-9]{4}_[0-9]{2}$'
    ORDER BY 1
"""
READ_ROWS: Final = sql(
    "SELECT {names} FROM usage.usage WHERE created_at >= $1 AND created_at < $2", names=listed(NAMES)
)
PROVE: Final = "SELECT * FROM usage.prove_month($1)"
DROP_MONTH: Final = "SELECT usage.archive_month($1, $2, $3, $4, $5, $6, $7)"
IS_ARCHIVED: Final = "SELECT EXISTS (SELECT FROM usage.archived_months WHERE month = $1)"


class ArchiveStore:
    """Months of rows, archived by one instance at a time."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self._pool = pool

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[Connection | None]:
        """Yield a connection for one archivist; None: another instance is at work."""
        async with contextlib.AsyncExitStack() as held:
            # What goes wrong later may be the disk's fault and must not be called the database's.
            with database_errors():
                connection = await held.enter_async_context(self._pool.acquire())
                await connection.execute(NAME_USER, EVERYBODY)
                is_alone = await connection.fetchval(TRY_LOCK)
            yield connection if is_alone else None


async def list_months(connection: Connection) -> list[date]:
    """Return the first days of the months that have a partition, earliest first."""
    return [row[0] for row in await connection.fetch(LIST_MONTHS)]


async def write_rows(connection: Connection, month: date, file: Path) -> None:
    """Write the rows of a month as CSV with a line of names."""
    first, following = [datetime.combine(day, time(), UTC) for day in months_from(month, 1)]
    await connection.copy_from_query(
        READ_ROWS, first, following, output=file, format="csv", header=True, timeout=READ_TIMEOUT_S
    )


async def prove(connection: Connection, month: date) -> Proof:
    """Return what the rows of a month hold."""
    row = await connection.fetchrow(PROVE, month, timeout=READ_TIMEOUT_S)
    assert row is not None  # an aggregate has one row
    return Proof(*row.values())


async def is_archived(connection: Connection, month: date) -> bool:
    """Tell whether the rows of a month are in a file alone."""
    return bool(await connection.fetchval(IS_ARCHIVED, month))


async def drop_month(connection: Connection, month: date, proof: Proof, file: str, sha256: str) -> bool:
    """Drop the rows of a month if they are still those of the proof, and note where they are.

    False: the table was in use, or another row has come; the month is still there.
    """
    try:
        return bool(
            await connection.fetchval(
                DROP_MONTH,
                month,
                proof.rows,
                proof.cost_micro_rub,
                proof.tokens,
                proof.digest,
                file,
                sha256,
                timeout=READ_TIMEOUT_S,
            )
        )
    except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
        return False
