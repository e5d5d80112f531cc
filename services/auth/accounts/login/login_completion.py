"""The last steps of every login: record it, end the browser's earlier session, open the new one."""

from __future__ import annotations

from datetime import datetime

from servicekit.call import current_call
from services.auth.accounts import metrics
from services.auth.accounts.domain.login_session import LoginSession
from services.auth.accounts.sessions import LoginSessions, OpenedSession
from services.auth.accounts.store.login_attempts import LoginAttemptStore, insert_attempt
from services.auth.accounts.store.unit_of_work import AccountUnit
from services.auth.shared.domain.account import Account
from services.auth.shared.domain.audit import AuditAction
from services.auth.shared.domain.origin import Origin


class LoginCompletion:
    """Completes logins, and records failed ones."""

    def __init__(self, attempts: LoginAttemptStore, sessions: LoginSessions) -> None:
        self._attempts = attempts
        self._sessions = sessions

    async def replaced_by_login(self, previous_secret: str) -> list[LoginSession]:
        """Return the session that the browser had: a login never keeps one that was there before it.

        Raises:
            Unavailable: Redis is gone, and nobody can log in. To be asked before any password is looked at.
        """
        return await self._sessions.replaced(previous_secret)

    async def record(
        self, unit: AccountUnit, account: Account, origin: Origin, replaced: list[LoginSession], *, by: str
    ) -> None:
        """Within a unit of work: write the login down."""
        await unit.revoke_sessions(replaced)
        await insert_attempt(unit.connection, account.id, "success", origin, current_call().request_id, unit.at)
        unit.note(AuditAction.USER_LOGGED_IN, account.id, by=by)

    async def open(
        self, account: Account, origin: Origin, replaced: list[LoginSession], methods: tuple[str, ...]
    ) -> OpenedSession:
        """Open the session after the change."""
        await self._sessions.forget(replaced)
        opened = await self._sessions.open(account, origin, methods)
        metrics.LOGINS.labels("success").inc()
        return opened

    async def refuse(self, user_id: str | None, outcome: str, origin: Origin, at: datetime) -> None:
        """Write down that somebody was not let in; the same work whether or not the account exists."""
        metrics.LOGINS.labels(outcome).inc()
        await self._attempts.note(user_id, outcome, origin, current_call().request_id, at)
