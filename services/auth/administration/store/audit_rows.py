"""Reads the audit log, newest first."""

from __future__ import annotations

from typing import Final

from servicekit.postgres import database_errors
from services.auth.administration.domain.listed import AuditQuestion
from services.auth.shared.domain.audit import AuditRow
from services.auth.shared.store.unit_of_work import Pool

# Without its type PostgreSQL takes $1 for what 0 is, an integer of 32 bits.
READ_BEFORE: Final = """
SELECT seq, at, actor, action, subject, details, previous_hash, hash
FROM auth.audit_log
WHERE ($1::bigint = 0 OR seq < $1) AND ($2 = '' OR actor = $2)
    AND ($3 = '' OR action = $3) AND ($4 = '' OR subject = $4)
ORDER BY seq DESC
LIMIT $5
"""


class AuditRows:
    """Reads the log from its end."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def read(self, question: AuditQuestion, limit: int) -> list[AuditRow]:
        """Return up to `limit` rows that fit, the newest first."""
        asked = (question.before, question.actor, question.action, question.subject)
        with database_errors():
            rows = await self._pool.fetch(READ_BEFORE, *asked, limit)
        return [AuditRow(*row) for row in rows]
