"""One transaction for each use case: its rows, mails, revocations and audit rows are there together or not at all.

Gateways are told and mails are sent after the commit; a process that dies in between leaves both to the jobs.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import datetime

import asyncpg

from servicekit.call import current_call
from servicekit.clock import Clock
from servicekit.errors import ErrorReason, Unavailable
from servicekit.failpoints import failpoint
from servicekit.postgres import database_errors
from services.auth.accounts.domain.login_session import LoginSession
from services.auth.accounts.domain.mail import NewMail
from services.auth.accounts.store.mails import insert_mail
from services.auth.shared.domain.audit import AuditAction, AuditEvent
from services.auth.shared.domain.origin import Origin
from services.auth.shared.domain.revocation import Revocation, RevokedKind
from services.auth.shared.revocation_feed import RevocationFeed
from services.auth.shared.store.audit_log import append_event
from services.auth.shared.store.revocations import insert_revocation
from services.auth.shared.store.transactions import Connection, Pool


class Change:
    """A transaction under way."""

    def __init__(self, connection: Connection, origin: Origin, at: datetime, until: datetime) -> None:
        self.connection = connection
        self.at = at
        self.until = until
        self.revocations: list[Revocation] = []
        self.events: list[AuditEvent] = []
        self.has_mail = False
        self._origin = origin

    def note(self, action: AuditAction, user_id: str, *, actor: str = "", **details: str) -> None:
        """Have the audit log say that this was done to a user, by that user unless another actor is named."""
        facts = {"request_id": current_call().request_id, **details}
        if self._origin.ip:
            facts["ip"] = self._origin.ip
        subject = f"user:{user_id}"
        self.events.append(AuditEvent(self.at, actor or subject, action, subject, facts))

    async def revoke(self, kind: RevokedKind, subject_id: str) -> None:
        """Have the gateways told that this ended."""
        self.revocations.append(await insert_revocation(self.connection, kind, subject_id, self.at, self.until))

    async def revoke_sessions(self, sessions: Iterable[LoginSession]) -> None:
        """Have the gateways told that these sessions ended."""
        for session in sessions:
            await self.revoke(RevokedKind.SESSION, session.id)

    async def mail(self, mail: NewMail) -> None:
        """Have a mail sent."""
        await insert_mail(self.connection, mail, self.at)
        self.has_mail = True


class Ledger:
    """Makes changes."""

    def __init__(self, pool: Pool, feed: RevocationFeed, nudge_post: Callable[[], None], *, clock: Clock) -> None:
        self._pool = pool
        self._feed = feed
        self._nudge_post = nudge_post
        self._clock = clock

    @asynccontextmanager
    async def change(self, origin: Origin) -> AsyncIterator[Change]:
        """Commit what the block does, or nothing of it when it raises; then tell those who must know.

        Raises:
            Unavailable: the database cannot be used now.
        """
        at = self._clock.now()
        with database_errors():
            try:
                async with self._pool.acquire() as connection, connection.transaction():
                    change = Change(connection, origin, at, self._feed.believed_until(at))
                    yield change
                    for event in change.events:
                        await append_event(connection, event)
            except (asyncpg.DeadlockDetectedError, asyncpg.SerializationError) as exc:
                raise Unavailable(
                    ErrorReason.DATABASE_ERROR, "The database is busy. Try again.", retry_after_s=1.0
                ) from exc
        failpoint("auth.account_committed")
        for revocation in change.revocations:
            await self._feed.announce(revocation)
        if change.has_mail:
            self._nudge_post()
