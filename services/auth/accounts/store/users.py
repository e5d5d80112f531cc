"""Table `users`."""

from __future__ import annotations

from typing import Final

import asyncpg

from servicekit.errors import Conflict, ErrorReason
from servicekit.postgres import database_errors
from services.auth.accounts.domain.email_address import User
from services.auth.shared.domain.audit import AuditEvent
from services.auth.shared.store.audit_log import append_event

INSERT_USER: Final = """
INSERT INTO auth.users (id, email, tier, created_at, updated_at)
VALUES ($1, $2, $3, $4, $4)
"""


class UserStore:
    """Accounts."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self._pool = pool

    async def insert(self, user: User, event: AuditEvent) -> None:
        """Store a new account.

        Raises:
            Conflict: somebody has the e-mail address.
        """
        with database_errors():
            try:
                async with self._pool.acquire() as connection, connection.transaction():
                    await connection.execute(INSERT_USER, user.id, user.email, user.tier, user.created_at)
                    await append_event(connection, event)
            except asyncpg.UniqueViolationError as exc:
                if exc.constraint_name != "users_email_key":
                    raise
                raise Conflict(
                    ErrorReason.CONFLICT, "An account with this e-mail exists already.", param="email"
                ) from exc
