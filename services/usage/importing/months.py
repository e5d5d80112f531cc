"""Loads months by COPY into a table without indexes, which then becomes the month's partition."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import date
from typing import Final

import asyncpg

from services.usage.importing.copy_rows import COLUMNS
from services.usage.importing.store import SUM_TIMEOUT_S, stream
from services.usage.importing.sums import adding_month
from services.usage.store.connection import Connection

FIND_APART: Final = """
SELECT month, usage.name_month_apart($1, month) FROM usage.months_apart($1) AS waiting (month)
"""
BUILD_APART: Final = "SELECT usage.build_month_apart($1, $2)"
NAME_APART: Final = "SELECT usage.name_month_apart($1, $2)"
INDEX_APART: Final = "SELECT usage.index_month_apart($1, $2)"
ATTACH_APART: Final = "SELECT usage.attach_month_apart($1, $2)"
DROP_APART: Final = "SELECT usage.drop_months_apart($1)"
# One large question in place of many small ones: memory for it (each sort takes so much, and more is no faster), no
# compiler, and an end where the tool was killed.
BEGIN_SUMMING: Final = """
SELECT
    set_config('work_mem', '16MB', true), set_config('jit', 'off', true),
    set_config('client_connection_check_interval', '1s', true)
"""
# A backup, or a long question, keeps a month from becoming a partition: it is tried for two minutes.
TRIES: Final = 40
PAUSE_S: Final = 1.0


async def find(connection: Connection, tag: str) -> dict[date, str]:
    """Return the months of a source that wait to become partitions, with the names of their tables."""
    return dict(map(tuple, await connection.fetch(FIND_APART, tag)))


async def build(connection: Connection, tag: str, month: date) -> str | None:
    """Return the table of a month, made if need be; None: its rows go the way of all others."""
    return await connection.fetchval(BUILD_APART, tag, month)  # type: ignore[no-any-return]


async def copy(connection: Connection, table: str, rows: Sequence[bytes]) -> None:
    """Store rows as `copy_rows` makes them.

    Raises:
        asyncpg.UndefinedTableError: the month is a partition already.
    """
    await connection.copy_to_table(
        table, schema_name="usage", columns=COLUMNS, format="binary", source=stream(rows), timeout=SUM_TIMEOUT_S
    )


async def index(connection: Connection, tag: str, month: date) -> bool:
    """Give a month the indexes that it has not, and keep all others from it; False: it is part of usage already.

    Raises:
        asyncpg.UniqueViolationError: an id is there twice at the same time.
        asyncpg.LockNotAvailableError: somebody reads the table all the time.
    """
    return await _patiently(connection, INDEX_APART, tag, month)


async def attach(connection: Connection, tag: str, month: date) -> None:
    """Make a month part of usage, with its indexes and its sums; nothing, where it is already.

    Raises:
        asyncpg.UniqueViolationError, asyncpg.LockNotAvailableError: as `index`.
    """
    await connection.execute(BEGIN_SUMMING)
    if await index(connection, tag, month):
        table = await connection.fetchval(NAME_APART, tag, month)
        await _add(connection, table)
        await _patiently(connection, ATTACH_APART, tag, month)


async def _add(connection: Connection, table: str) -> None:
    """Add the sums of a month; most often they are the first of its days."""
    try:
        async with connection.transaction():
            await connection.fetchval(adding_month(table, is_new=True), timeout=SUM_TIMEOUT_S)
    except asyncpg.UniqueViolationError:
        await connection.fetchval(adding_month(table, is_new=False), timeout=SUM_TIMEOUT_S)


async def _patiently(connection: Connection, query: str, tag: str, month: date) -> bool:
    """Ask again while somebody holds what the query locks, and keep what the transaction has done before."""
    for left in reversed(range(TRIES)):
        try:
            async with connection.transaction():
                return bool(await connection.fetchval(query, tag, month, timeout=SUM_TIMEOUT_S))
        except asyncpg.LockNotAvailableError:
            if not left:
                raise
            await asyncio.sleep(PAUSE_S)
    return False


async def drop(connection: Connection, tag: str) -> int:
    """Drop what a source has built apart; return how many rows that were."""
    return int(await connection.fetchval(DROP_APART, tag, timeout=SUM_TIMEOUT_S))
