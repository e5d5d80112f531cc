"""The interface by which accounts ask OAuth to end, or list, what a user allowed to applications."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Protocol

from services.auth.shared.store.unit_of_work import UnitOfWork


class EndReason(StrEnum):
    """Why grants end, for the audit log."""

    PASSWORD_CHANGED = "password_changed"
    PASSWORD_RESET = "password_reset"
    ACCOUNT_DELETED = "account_deleted"


class GrantsOfUser(Protocol):
    """Ends grants inside the account's own unit of work."""

    async def end_all(self, unit: UnitOfWork, user_id: str, reason: EndReason) -> None:
        """End every live grant with its refresh tokens; for ACCOUNT_DELETED also the applications the person owns."""
        ...

    async def end_of_session(self, unit: UnitOfWork, session_id: str) -> None:
        """End the grants given in one login session, by its public id."""
        ...

    async def describe(self, unit: UnitOfWork, user_id: str) -> dict[str, Any]:
        """Return the person's grants and applications as JSON values for the account's export, without secrets."""
        ...
