"""Everything the service asks of PostgreSQL, in one facade."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import date, datetime
from typing import Final

import asyncpg

from servicekit.errors import Unavailable
from servicekit.postgres import database_errors
from services.usage.domain.invariant import CheckResult
from services.usage.domain.model_caller import ModelCaller
from services.usage.domain.record import UsageRecord
from services.usage.domain.spend import Span, Spend, Subject
from services.usage.store import checks, model_callers, partitions, records, spend
from services.usage.store.connection import COLLIDED, EVERYBODY, Connection, connection_of

# Planning for the very batch takes ten times as long as storing it; there is one good plan for all.
BEGIN_WRITING: Final = "SELECT set_config('razvilka.user', $1, false), set_config('plan_cache_mode', $2, false)"
GENERIC_PLAN: Final = "force_generic_plan"
READY: Final = "SELECT to_regclass('usage.rollup_tag_days') IS NOT NULL AND NOT pg_is_in_recovery()"

_REFUSED: Final = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, asyncpg.ProgramLimitExceededError)


class Collision(Exception):
    """A deadlock or serialization failure; the transaction was rolled back and may be retried."""


class Refusal(Exception):
    """PostgreSQL will never accept this batch as it is."""


class Transaction:
    """A writer's transaction. All writers call in this order: insert, lock, replace."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    async def insert(self, batch: Sequence[UsageRecord]) -> set[str]:
        """Insert records sorted by id, and their sums into the rollups; return the ids of those that were not there."""
        return await records.insert(self.connection, batch)

    async def find(self, batch: Sequence[UsageRecord]) -> dict[str, UsageRecord]:
        """Return what is stored under the ids of these records."""
        return await records.find(self.connection, batch)

    async def lock_reaped(self, batch: Sequence[UsageRecord]) -> dict[str, UsageRecord]:
        """Lock and return the rows under the ids of these records that are still a reaper's guess."""
        return await records.lock_reaped(self.connection, batch)

    async def replace(self, batch: Sequence[UsageRecord]) -> None:
        """Overwrite the stored rows of these ids, and correct the rollups."""
        await records.replace(self.connection, batch)


class UsageStore:
    """Schema `usage` behind a pool. Each method raises `Unavailable` while PostgreSQL cannot be reached."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self._pool = pool
        self._months: set[date] = set()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Yield a transaction; it commits, durably, when the block ends well."""
        try:
            with database_errors():
                async with self._pool.acquire() as connection, connection.transaction():
                    await connection.execute(BEGIN_WRITING, EVERYBODY, GENERIC_PLAN)
                    yield Transaction(connection)
        except COLLIDED as exc:
            raise Collision from exc
        except _REFUSED as exc:
            raise Refusal from exc

    async def find_refused(self, batch: Sequence[UsageRecord]) -> dict[str, str]:
        """Try each record alone, store none, and return what PostgreSQL says about those it refuses.

        Each trial lets go of the sums that it has locked before the next one begins: in the order of the records they
        would be locked otherwise than by those who store a batch.
        """
        refused: dict[str, str] = {}
        async with connection_of(self._pool) as connection:
            for record in batch:
                trial = connection.transaction()
                await trial.start()
                try:
                    await records.insert(connection, [record])
                except _REFUSED as exc:
                    refused[record.request_id] = f"is refused by the database ({exc.sqlstate})"
                finally:
                    await trial.rollback()
        return refused

    async def ensure_months(self, months: set[date]) -> None:
        """Make the partitions that are missing for months given by their first days."""
        for month in sorted(months - self._months):
            async with connection_of(self._pool) as connection:
                if await partitions.ensure_month(connection, month):
                    self._months.add(month)

    async def count_strays(self) -> int:
        """Return how many rows belong to no month's partition."""
        async with connection_of(self._pool) as connection:
            return await partitions.count_strays(connection)

    async def find_of_user(self, user_id: str, request_id: str) -> UsageRecord | None:
        """Return one request of one user."""
        async with connection_of(self._pool, user_id) as connection:
            return await records.find_of_user(connection, user_id, request_id)

    async def find_imported_id(self, old_id: str) -> str | None:
        """Return the id that a request of release 1.0 has now."""
        async with connection_of(self._pool) as connection:
            return await records.find_imported_id(connection, old_id)

    async def sum_spend(self, subject: Subject, span: Span) -> Spend:
        """Return what the subject spent in the span."""
        async with connection_of(self._pool, subject.user_id) as connection:
            return await spend.sum_spend(connection, subject, span)

    async def sum_of_users(self, parts: Sequence[tuple[str, Span]]) -> int:
        """Return what users spent together, each in a span of their own, in micro-roubles."""
        async with connection_of(self._pool) as connection:
            return await spend.sum_of_users(connection, parts)

    async def callers_of(self, models: Sequence[str], since: date, limit: int) -> list[ModelCaller]:
        """Return who has called any of the models from a UTC day on, most requests first."""
        async with connection_of(self._pool) as connection:
            return await model_callers.find(connection, models, since, limit)

    async def check(self, since: datetime) -> CheckResult:
        """Compare rows and rollups since the start of a UTC day."""
        async with connection_of(self._pool) as connection:
            return await checks.check(connection, since)

    async def is_ready(self) -> bool:
        """Tell whether the migrated database answers within a second and can be written to."""
        try:
            async with connection_of(self._pool) as connection:
                return bool(await connection.fetchval(READY, timeout=1.0))
        except Unavailable:
            return False
