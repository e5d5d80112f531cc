"""What accounts ask of OAuth: end what a person allowed to applications, and tell what that was."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import asyncpg
    from asyncpg.pool import PoolConnectionProxy

    from services.auth.shared.domain.revocation import Revocation


class EndReason(StrEnum):
    """Why grants end, for the audit log."""

    PASSWORD_CHANGED = "password_changed"
    PASSWORD_RESET = "password_reset"
    SESSION_ENDED = "session_ended"
    ACCOUNT_DELETED = "account_deleted"


class GrantsOfUser(Protocol):
    """Ends grants inside the transaction of the account's own change; nothing is pushed before that has committed."""

    async def end_all(
        self,
        connection: PoolConnectionProxy[asyncpg.Record],
        user_id: str,
        reason: EndReason,
        *,
        at: datetime,
        until: datetime,
    ) -> list[Revocation]:
        """End every live grant with its refresh tokens; return the revocations, noted in this transaction.

        For ACCOUNT_DELETED also end the applications that the person owns.
        """
        ...

    async def end_of_session(
        self, connection: PoolConnectionProxy[asyncpg.Record], session_id: str, *, at: datetime, until: datetime
    ) -> list[Revocation]:
        """End the grants given in one login session, by its public id; return the revocations."""
        ...

    async def describe(self, connection: PoolConnectionProxy[asyncpg.Record], user_id: str) -> dict[str, Any]:
        """Return the person's grants and applications as JSON values for the account's export, without secrets."""
        ...


class NoGrants:
    """Nobody ever allowed anything."""

    async def end_all(
        self,
        connection: PoolConnectionProxy[asyncpg.Record],
        user_id: str,
        reason: EndReason,
        *,
        at: datetime,
        until: datetime,
    ) -> list[Revocation]:
        """Return nothing."""
        return []

    async def end_of_session(
        self, connection: PoolConnectionProxy[asyncpg.Record], session_id: str, *, at: datetime, until: datetime
    ) -> list[Revocation]:
        """Return nothing."""
        return []

    async def describe(self, connection: PoolConnectionProxy[asyncpg.Record], user_id: str) -> dict[str, Any]:
        """Return nothing."""
        return {}
