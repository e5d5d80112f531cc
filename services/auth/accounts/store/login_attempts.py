"""Table `login_attempts`: who tried to log in, from where, and the outcome."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from servicekit.postgres import database_errors, in_pieces
from services.auth.shared.domain.origin import Origin
from services.auth.shared.store.unit_of_work import Connection, Pool

INSERT_ATTEMPT: Final = """
INSERT INTO auth.login_attempts (at, user_id, outcome, ip, user_agent, request_id)
VALUES ($1, $2, $3, $4, $5, $6)
"""

FORGET_ATTEMPTS: Final = """
DELETE FROM auth.login_attempts
WHERE id IN (
    SELECT id
    FROM auth.login_attempts
    WHERE at < $1
    ORDER BY at
    LIMIT $2
    FOR UPDATE SKIP LOCKED
)
"""


class LoginAttemptStore:
    """Login attempts."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def note(self, user_id: str | None, outcome: str, origin: Origin, request_id: str, at: datetime) -> None:
        """Store an attempt by itself."""
        with database_errors():
            await self._pool.execute(
                INSERT_ATTEMPT, at, user_id, outcome, origin.ip, origin.user_agent, request_id[:128]
            )

    async def forget_before(self, timestamp: datetime) -> None:
        """Delete old attempts: they are personal data."""
        with database_errors():
            await in_pieces(self._pool, FORGET_ATTEMPTS, timestamp)


async def insert_attempt(
    connection: Connection, user_id: str, outcome: str, origin: Origin, request_id: str, at: datetime
) -> None:
    """Store an attempt in the transaction of what it led to."""
    await connection.execute(INSERT_ATTEMPT, at, user_id, outcome, origin.ip, origin.user_agent, request_id[:128])
