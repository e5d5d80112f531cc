"""Export and deletion of accounts."""

from __future__ import annotations

import json
from typing import Any

from services.auth.accounts import metrics
from services.auth.accounts.account_lookup import usable_account
from services.auth.accounts.credentials.reauthentication import Proof, Reauthentication, lock_proved
from services.auth.accounts.domain.mail import MailKind, NewMail
from services.auth.accounts.grants_of_user import EndReason, GrantsOfUser
from services.auth.accounts.sessions import LoginSessions
from services.auth.accounts.store.personal_data import erase_account, export_account
from services.auth.accounts.store.unit_of_work import AccountUnits
from services.auth.shared.domain.audit import AuditAction
from services.auth.shared.domain.origin import Origin
from services.auth.shared.domain.revocation import RevokedKind
from services.auth.shared.store.accounts import AccountStore, lock_account


class AccountDeletion:
    """Export and deletion of accounts."""

    def __init__(
        self,
        accounts: AccountStore,
        units: AccountUnits,
        sessions: LoginSessions,
        grants: GrantsOfUser,
        reauthentication: Reauthentication,
    ) -> None:
        self._accounts = accounts
        self._units = units
        self._sessions = sessions
        self._grants = grants
        self._reauthentication = reauthentication

    async def export(self, user_id: str) -> str:
        """Return everything auth knows of a person as JSON, without secrets.

        Raises:
            NotFound: there is no such user.
        """
        account = await usable_account(self._accounts, user_id)
        sessions = await self._sessions.list_of(account.id)
        async with self._units.begin(Origin()) as unit:
            async with unit.rows_of(account.id):
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

    async def delete(self, user_id: str, proof: Proof, origin: Origin) -> None:
        """End everything of a person at once and erase what is personal; the id stays, for what was billed to it.

        Raises:
            NotFound: there is no such user.
            Unauthenticated: INVALID_CREDENTIALS: the proof is not good.
        """
        account = await usable_account(self._accounts, user_id)
        await self._reauthentication.prove(account, proof, origin)
        ended = await self._sessions.others(account.id)
        async with self._units.begin(origin) as unit:
            current = await lock_account(unit.connection, account.id)
            if current is None or current.deleted_at is not None:
                return
            # Its address, too, is the one of now: what was mailed there is erased with it.
            account = await lock_proved(unit, account)
            await erase_account(unit.connection, account.id, account.email, unit.at)
            await unit.revoke(RevokedKind.USER, account.id)
            await unit.revoke_sessions(ended)
            await self._grants.end_all(unit, account.id, EndReason.ACCOUNT_DELETED)
            await unit.mail(NewMail(MailKind.DELETED, account.email, account.language))
            unit.note(AuditAction.USER_DELETED, account.id)
        await self._sessions.forget(ended)
        metrics.USERS_DELETED.inc()
