"""Export and deletion of accounts."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any, Final

from servicekit.clock import Clock
from servicekit.errors import ErrorReason, Unauthenticated
from services.auth.accounts import metrics
from services.auth.accounts.account_lookup import usable_account
from services.auth.accounts.credentials.reauthentication import Reauthentication
from services.auth.accounts.domain.mail import MailKind, NewMail
from services.auth.accounts.grants_of_user import EndReason, GrantsOfUser
from services.auth.accounts.sessions import LoginSessions
from services.auth.accounts.store.personal_data import erase_account, export_account
from services.auth.accounts.store.unit_of_work import AccountUnits
from services.auth.shared.domain.account import Account
from services.auth.shared.domain.audit import AuditAction
from services.auth.shared.domain.origin import Origin
from services.auth.shared.domain.revocation import RevokedKind
from services.auth.shared.store.accounts import AccountStore, lock_account

# Without a password the login itself must be that young.
FRESH: Final = timedelta(minutes=10)


class AccountDeletion:
    """Export and deletion of accounts."""

    def __init__(
        self,
        accounts: AccountStore,
        units: AccountUnits,
        sessions: LoginSessions,
        grants: GrantsOfUser,
        reauthentication: Reauthentication,
        *,
        clock: Clock,
    ) -> None:
        self._accounts = accounts
        self._units = units
        self._sessions = sessions
        self._grants = grants
        self._reauthentication = reauthentication
        self._clock = clock

    async def export(self, user_id: str) -> str:
        """Return everything auth knows of a person as JSON, without secrets.

        Raises:
            NotFound: there is no such user.
        """
        account = await usable_account(self._accounts, user_id)
        sessions = await self._sessions.list_of(account.id)
        async with self._units.begin(Origin()) as unit:
            document: dict[str, Any] = await export_account(unit.connection, account.id)
            document["applications"] = await self._grants.describe(unit, account.id)
            unit.note(AuditAction.ACCOUNT_EXPORTED, account.id)
        document["sessions"] = [
            {
                "id": session.id,
                "created_at": session.created_at.isoformat(),
                "last_seen_at": session.last_seen_at.isoformat(),
                "ip": session.ip,
                "user_agent": session.user_agent,
            }
            for session in sessions
        ]
        return json.dumps(document, ensure_ascii=False, indent=2, default=str)

    async def delete(self, user_id: str, password: str, session_secret: str, origin: Origin) -> None:
        """End everything of a person at once and erase what is personal; the id stays, for what was billed to it.

        Raises:
            NotFound: there is no such user.
            Unauthenticated: INVALID_CREDENTIALS: not the password; without one: the login is too long ago.
        """
        account = await usable_account(self._accounts, user_id)
        if account.password_hash is not None:
            await self._reauthentication.check_password(account, password, origin)
        else:
            await self._check_fresh(account, session_secret)
        ended = await self._sessions.others(account.id)
        async with self._units.begin(origin) as unit:
            await lock_account(unit.connection, account.id)
            if not await erase_account(unit.connection, account.id, account.email, unit.at):
                return
            await unit.revoke(RevokedKind.USER, account.id)
            await unit.revoke_sessions(ended)
            await self._grants.end_all(unit, account.id, EndReason.ACCOUNT_DELETED)
            await unit.mail(NewMail(MailKind.DELETED, account.email, account.language))
            unit.note(AuditAction.USER_DELETED, account.id)
        await self._sessions.forget(ended)
        metrics.USERS_DELETED.inc()

    async def _check_fresh(self, account: Account, session_secret: str) -> None:
        found = await self._sessions.look(session_secret)
        if found is None or found[1].id != account.id or self._clock.now() - found[0].authenticated_at > FRESH:
            raise Unauthenticated(ErrorReason.INVALID_CREDENTIALS, "Log in again to do this.", param="session_id")
