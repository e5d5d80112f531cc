"""Accounts: register one."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from servicekit.call import current_call
from servicekit.clock import Clock
from services.auth.accounts.domain.email_address import User, check_email
from services.auth.accounts.store.users import UserStore
from services.auth.shared import metrics
from services.auth.shared.domain.audit import SYSTEM, AuditAction, AuditEvent
from services.auth.shared.domain.tier import Tier


class Users:
    """Use cases of accounts."""

    def __init__(self, store: UserStore, *, clock: Clock, new_id: Callable[[], UUID]) -> None:
        self._store = store
        self._clock = clock
        self._new_id = new_id

    async def create(self, email: str, tier: Tier) -> User:
        """Register an account.

        Raises:
            InvalidRequest: this is not an e-mail address.
            Conflict: somebody has it.
        """
        user = User(str(self._new_id()), check_email(email), tier, self._clock.now())
        # The address itself stays out of the log, which outlives the account.
        details = {"tier": user.tier.value, "request_id": current_call().request_id}
        event = AuditEvent(user.created_at, SYSTEM, AuditAction.USER_CREATED, f"user:{user.id}", details)
        await self._store.insert(user, event)
        metrics.USERS_CREATED.inc()
        return user
