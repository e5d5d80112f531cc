"""One transaction for each change: its rows, revocations and audit rows are there together or not at all.

A store object reads over the pool, and writes what stands alone: one statement without a revocation or an audit row.
Whatever else writes is a function that is given a unit of work or its connection, so that a use case decides what
belongs together. Gateways are told after the commit; a process that dies in between leaves that to the sweep.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

import asyncpg

from servicekit.clock import Clock
from servicekit.errors import ErrorReason, Unavailable
from servicekit.postgres import database_errors
from services.auth.shared.domain.audit import AuditEvent
from services.auth.shared.domain.revocation import MAKERS, Revocation, RevokedKind, ended_with_maker
from services.auth.shared.store.audit_log import append_event
from services.auth.shared.store.descendants import end_descendants
from services.auth.shared.store.named_user import rows_of
from services.auth.shared.store.revocations import insert_revocation

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

Connection: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
T = TypeVar("T")

# Deleting a client or user locks its rows in another order than issuing tokens does; PostgreSQL then ends one of the
# two, which has done nothing and can be done again.
ATTEMPTS: Final = 3
LOST_THE_RACE: Final = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)


class UnitOfWork:
    """A transaction under way.

    Args:
        connection: where it runs.
        at: when it began: the time of all its rows.
        until: when nobody can believe any more in what it ends.
    """

    def __init__(self, connection: Connection, at: datetime, until: datetime) -> None:
        self.connection = connection
        self.at = at
        self.until = until
        self.revocations: list[Revocation] = []
        self.events: list[AuditEvent] = []

    def record(self, event: AuditEvent) -> None:
        """Have the audit log say this. Written last: until the commit no other transaction can write to the log."""
        self.events.append(event)

    def rows_of(self, user_id: str) -> AbstractAsyncContextManager[None]:
        """Keep the statements of a block to one user's rows. Nothing may be revoked in it: that may reach others'."""
        return rows_of(self.connection, user_id)

    async def revoke(self, kind: RevokedKind, subject_id: str, *, until: datetime | None = None) -> Revocation:
        """Have the gateways told that this ended, and end all that it made; return what they are told of itself."""
        revocation = await self._tell(kind, subject_id, until or self.until)
        if kind in MAKERS:
            for ended in await end_descendants(self.connection, kind, subject_id, self.at):
                await self._tell(ended.kind, ended.id, self.until)
                self.record(ended_with_maker(ended.kind, ended.subject, f"{kind}:{subject_id}", self.at))
        return revocation

    async def _tell(self, kind: RevokedKind, subject_id: str, until: datetime) -> Revocation:
        revocation = await insert_revocation(self.connection, kind, subject_id, self.at, until)
        self.revocations.append(revocation)
        return revocation

    def after_commit(self) -> None:
        """Do what must wait for the commit and is no revocation; rooms override it."""


U = TypeVar("U", bound=UnitOfWork)


class UnitsOfWork:
    """Begins units of work.

    Args:
        pool: where they run.
        announce: tells the gateways of a committed revocation; never fails.
        believed_for: how long somebody may believe in what was ended.
        clock: tells their time.
    """

    def __init__(
        self,
        pool: Pool,
        announce: Callable[[Revocation], Awaitable[None]],
        *,
        believed_for: timedelta,
        clock: Clock,
    ) -> None:
        self._pool = pool
        self._announce = announce
        self._believed_for = believed_for
        self._clock = clock

    @asynccontextmanager
    async def begin(self, make: Callable[[Connection, datetime, datetime], U]) -> AsyncIterator[U]:
        """Commit what the block does with the unit that `make` makes, or nothing of it when the block raises.

        Raises:
            Unavailable: the database cannot be used now.
        """
        try:
            async with self._transaction(make) as unit:
                yield unit
        except LOST_THE_RACE as exc:
            raise _busy() from exc

    async def run(self, work: Callable[[UnitOfWork], Awaitable[T]]) -> T:
        """Commit what `work` does and return what it returns, or nothing of it when it raises.

        It is done again when it met another transaction, so it must have no effect but through its unit.

        Raises:
            Unavailable: the database cannot be used now.
        """
        for _ in range(ATTEMPTS):
            try:
                async with self._transaction(UnitOfWork) as unit:
                    outcome = await work(unit)
            except LOST_THE_RACE:
                continue
            return outcome
        raise _busy()

    async def record(self, event: AuditEvent) -> None:
        """Have the audit log say what changed no other row.

        Raises:
            Unavailable: the database cannot be used now.
        """
        async with self._transaction(UnitOfWork) as unit:
            unit.record(event)

    @asynccontextmanager
    async def _transaction(self, make: Callable[[Connection, datetime, datetime], U]) -> AsyncIterator[U]:
        at = self._clock.now()
        with database_errors():
            async with self._pool.acquire() as connection, connection.transaction():
                unit = make(connection, at, at + self._believed_for)
                yield unit
                for event in unit.events:
                    await append_event(connection, event)
        unit.after_commit()
        for revocation in unit.revocations:
            await self._announce(revocation)


def _busy() -> Unavailable:
    return Unavailable(ErrorReason.DATABASE_ERROR, "The database is busy. Try again.", retry_after_s=1.0)
