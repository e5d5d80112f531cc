"""Table `audit_log`: append and read, nothing else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import asyncpg

from servicekit.postgres import database_errors
from services.auth.shared.domain.audit import AuditEvent, AuditRow

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

# Number and hashes are the table's own work (trigger audit_log_seal).
APPEND_EVENT: Final = """
INSERT INTO auth.audit_log (at, actor, action, subject, details)
VALUES ($1, $2, $3, $4, $5)
"""


async def append_event(connection: PoolConnectionProxy[asyncpg.Record], event: AuditEvent) -> None:
    """Add the event. The last statement of a transaction: other writers wait until it has ended."""
    details = json.dumps(event.details, ensure_ascii=False, sort_keys=True)
    await connection.execute(APPEND_EVENT, event.at, event.actor, event.action, event.subject, details)


READ_AFTER: Final = """
SELECT seq, at, actor, action, subject, details, previous_hash, hash
FROM auth.audit_log
WHERE seq > $1
ORDER BY seq
LIMIT $2
"""


class AuditStore:
    """Reads the log in its order."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self._pool = pool

    async def read_after(self, seq: int, limit: int) -> list[AuditRow]:
        """Return up to `limit` rows that follow row number `seq`."""
        with database_errors():
            rows = await self._pool.fetch(READ_AFTER, seq, limit)
        return [AuditRow(*row) for row in rows]
