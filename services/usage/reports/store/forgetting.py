"""Deletes an account's schedules, reports and files, and the schedules of a revoked credential."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import asyncpg

from servicekit.postgres import in_pieces
from services.usage.domain.forgetting import EndSchedules, Forget
from services.usage.reports.store.report_store import DELETED_AT_ONCE
from services.usage.store.connection import connection_of

FORGET_SCHEDULES: Final = "DELETE FROM usage.report_schedules WHERE user_id = ANY($1::text[])"
# Their pieces go with them; whoever makes one just now finds out at its end.
FORGET_REPORTS: Final = """
    DELETE FROM usage.reports
    WHERE id IN (
        SELECT id
        FROM usage.reports
        WHERE user_id = ANY($1::text[])
        LIMIT $2
    )
"""
# Reports that they made stay, as when their owner deletes them.
END_SCHEDULES: Final = """
    DELETE FROM usage.report_schedules
    WHERE maker = ANY($1::text[]) AND maker <> '' AND created_at < $2
    RETURNING user_id, id::text, maker
"""


def forgetting_reports(pool: asyncpg.Pool[asyncpg.Record]) -> Forget:
    """Return what forgets the reports of deleted accounts; it raises `Unavailable` while PostgreSQL cannot be used."""

    async def forget(user_ids: Sequence[str]) -> None:
        async with connection_of(pool) as connection:
            # The schedules first: none of them orders another report.
            await connection.execute(FORGET_SCHEDULES, user_ids)
            await in_pieces(connection, FORGET_REPORTS, user_ids, most=DELETED_AT_ONCE)

    return forget


def ending_schedules(pool: asyncpg.Pool[asyncpg.Record]) -> EndSchedules:
    """Return what ends the schedules that makers made before a moment, and returns whose, which, and their makers."""

    async def end(makers: Sequence[str], before: datetime) -> Sequence[tuple[str, str, str]]:
        async with connection_of(pool) as connection:
            return [tuple(row) for row in await connection.fetch(END_SCHEDULES, makers, before)]

    return end
