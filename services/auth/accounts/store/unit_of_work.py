"""The unit of work of accounts, which also sends mails and knows the origin of the request.

Mails are sent after the commit; a process that dies in between leaves them to the delivery job.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from datetime import datetime

from servicekit.failpoints import failpoint
from services.auth.accounts.domain.login_session import LoginSession
from services.auth.accounts.domain.mail import NewMail
from services.auth.accounts.store.mails import insert_mail
from services.auth.shared.audit_events import event_of_call
from services.auth.shared.domain.audit import AuditAction
from services.auth.shared.domain.origin import Origin
from services.auth.shared.domain.revocation import RevokedKind
from services.auth.shared.store.unit_of_work import Connection, UnitOfWork, UnitsOfWork


class AccountUnit(UnitOfWork):
    """A transaction that changes an account."""

    def __init__(
        self, connection: Connection, at: datetime, until: datetime, *, origin: Origin, deliver: Callable[[], None]
    ) -> None:
        super().__init__(connection, at, until)
        self._origin = origin
        self._deliver = deliver
        self._has_mail = False

    def note(self, action: AuditAction, user_id: str, *, actor: str = "", **details: str) -> None:
        """Have the audit log say that this was done to a user, by that user unless another actor is named."""
        subject = f"user:{user_id}"
        self.note_of(action, subject, actor or subject, **details)

    def note_of(self, action: AuditAction, subject: str, actor: str, **details: str) -> None:
        """Have the audit log say that the actor did this to something, such as `key:<id>`."""
        where = {"ip": self._origin.ip} if self._origin.ip else {}
        self.record(event_of_call(self.at, actor, action, subject, **{**details, **where}))

    async def revoke_sessions(self, sessions: Iterable[LoginSession]) -> None:
        """Have the gateways told that these sessions ended."""
        for session in sessions:
            await self.revoke(RevokedKind.SESSION, session.id)

    async def mail(self, mail: NewMail) -> None:
        """Have a mail sent."""
        await insert_mail(self.connection, mail, self.at)
        self._has_mail = True

    def after_commit(self) -> None:
        """Have the mails delivered."""
        failpoint("auth.account_committed")
        if self._has_mail:
            self._deliver()


class AccountUnits:
    """Begins transactions that change accounts."""

    def __init__(self, units: UnitsOfWork, deliver: Callable[[], None]) -> None:
        self._units = units
        self._deliver = deliver

    def begin(self, origin: Origin) -> AbstractAsyncContextManager[AccountUnit]:
        """Commit what the block does, or nothing of it when it raises; then tell those who must know.

        Raises:
            Unavailable: the database cannot be used now.
        """

        def make(connection: Connection, at: datetime, until: datetime) -> AccountUnit:
            return AccountUnit(connection, at, until, origin=origin, deliver=self._deliver)

        return self._units.begin(make)
