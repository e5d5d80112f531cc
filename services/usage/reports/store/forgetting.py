"""What is forgotten with an account: its schedules, its reports and their files."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import asyncpg

from services.usage.store.connection import connection_of

FORGET_SCHEDULES: Final = "DELETE FROM usage.report_schedules WHERE user_id = ANY($1::text[])"
# Their pieces go with them; whoever makes one just now finds out at its end.
FORGET_REPORTS: Final = "DELETE FROM usage.reports WHERE user_id = ANY($1::text[])"

Forget = Callable[[Sequence[str]], Awaitable[None]]


def forgetting_reports(pool: asyncpg.Pool[asyncpg.Record]) -> Forget:
    """Return what forgets the reports of deleted accounts; it raises `Unavailable` while PostgreSQL cannot be used."""

    async def forget(user_ids: Sequence[str]) -> None:
        async with connection_of(pool) as connection, connection.transaction():
            # The schedules first: none of them orders another report.
            await connection.execute(FORGET_SCHEDULES, user_ids)
            await connection.execute(FORGET_REPORTS, user_ids)

    return forget
