"""Schedules of reports."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from servicekit.errors import Unavailable
from servicekit.postgres import sql
from services.usage.reports.domain.order import Order
from services.usage.reports.domain.periods import Every
from services.usage.reports.domain.report import Report, Schedule, WhenEmpty
from services.usage.reports.store.encoding import decode_wishes, encode
from services.usage.reports.store.report_store import INSERT as INSERT_REPORT
from services.usage.reports.store.report_store import LOCK_USER, values_of
from services.usage.statistics.domain.request_line import LogQuery
from services.usage.statistics.store.request_log import read_page
from services.usage.store.connection import Connection, connection_of

_COLUMNS: Final = "id::text, user_id, every, at, wishes::text, when_empty, next_at, created_at, paused, maker"
INSERT: Final = """
    INSERT INTO usage.report_schedules (id, user_id, every, at, wishes, when_empty, next_at, paused, created_at, maker)
    VALUES ($1, $2, $3, $4, $5::jsonb, $6, $7, $8, $9, $10)
"""
UPDATE: Final = """
    UPDATE usage.report_schedules
    SET every = $3, at = $4, wishes = $5::jsonb, when_empty = $6, next_at = $7, paused = $8
    WHERE id = $1 AND user_id = $2
"""
# A week and its Monday begin at the same moment: what another rhythm made must not stand for a report of this one.
FREE_PERIODS: Final = """
    UPDATE usage.reports
    SET period_since = created_at
    WHERE schedule_id = $1
        AND user_id = $2
        AND EXISTS (SELECT FROM usage.report_schedules WHERE id = $1 AND user_id = $2 AND every <> $3)
"""
COUNT: Final = "SELECT count(*) FROM usage.report_schedules WHERE user_id = $1"
FIND: Final = sql("SELECT {columns} FROM usage.report_schedules WHERE id = $1 AND user_id = $2", columns=_COLUMNS)
LIST: Final = sql(
    "SELECT {columns} FROM usage.report_schedules WHERE user_id = $1 ORDER BY created_at, id", columns=_COLUMNS
)
DELETE: Final = "DELETE FROM usage.report_schedules WHERE user_id = $1 AND id = $2"
CLAIM_DUE: Final = sql(
    """
    SELECT {columns}
    FROM usage.report_schedules
    WHERE next_at <= $1 AND NOT paused AND id <> ALL ($2::uuid[])
    ORDER BY next_at
    LIMIT 1
    FOR UPDATE SKIP LOCKED
    """,
    columns=_COLUMNS,
)
IS_SHUT: Final = "SELECT EXISTS (SELECT FROM usage.shut_accounts WHERE user_id = $1)"
MOVE_ON: Final = "UPDATE usage.report_schedules SET next_at = $2 WHERE id = $1"
# Makes of an order the report that is kept.
NewReport = Callable[[Order, Schedule], Report]


class ScheduleStore:
    """The table of schedules behind a pool. Each method raises `Unavailable` while PostgreSQL cannot be used."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self._pool = pool

    async def add(self, schedule: Schedule, most: int) -> bool:
        """Keep a new schedule; False: its user has as many as one may have."""
        async with connection_of(self._pool, schedule.user_id) as connection, connection.transaction():
            await connection.execute(LOCK_USER, schedule.user_id)
            if await connection.fetchval(COUNT, schedule.user_id) >= most:
                return False
            await connection.execute(INSERT, *_values(schedule), schedule.created_at, schedule.maker)
            return True

    async def change(self, schedule: Schedule) -> bool:
        """Keep a schedule in place of the one with the same id; False: there is none any more."""
        async with connection_of(self._pool, schedule.user_id) as connection, connection.transaction():
            await connection.execute(FREE_PERIODS, UUID(schedule.id), schedule.user_id, schedule.every.value)
            return bool(await connection.execute(UPDATE, *_values(schedule)) == "UPDATE 1")

    async def find(self, user_id: str, schedule_id: str) -> Schedule | None:
        """Return a schedule of the user."""
        async with connection_of(self._pool, user_id) as connection:
            row = await connection.fetchrow(FIND, UUID(schedule_id), user_id)
            return None if row is None else _schedule(row)

    async def list(self, user_id: str) -> Sequence[Schedule]:
        """Return the user's schedules, oldest first."""
        async with connection_of(self._pool, user_id) as connection:
            rows = await connection.fetch(LIST, user_id)
        return [schedule for schedule in map(_readable, rows) if schedule is not None]

    async def delete(self, user_id: str, schedule_id: str) -> bool:
        """Delete a schedule; tell whether there was one. Reports that it made stay."""
        async with connection_of(self._pool, user_id) as connection:
            return bool(await connection.execute(DELETE, user_id, UUID(schedule_id)) != "DELETE 0")

    async def order_due(self, now: datetime, new_report: NewReport, passed: set[str]) -> bool:
        """Order what one schedule is due for, and move it on, in one transaction; False: none is due.

        `passed` are ids of those that are left to another version; one that is met is added.
        """
        async with connection_of(self._pool) as connection, connection.transaction():
            row = await connection.fetchrow(CLAIM_DUE, now, sorted(passed))
            if row is None:
                return False
            schedule = _readable(row)
            if schedule is None:
                passed.add(row["id"])
                return True
            await connection.execute(MOVE_ON, UUID(schedule.id), schedule.following())
            if await connection.fetchval(IS_SHUT, schedule.user_id):
                # Moved on all the same: once its owner's account is open again, what it missed is not made.
                return True
            order = schedule.due_order()
            if schedule.when_empty is WhenEmpty.SKIP and not await _has_requests(connection, order):
                return True
            await connection.execute(INSERT_REPORT, *values_of(new_report(order, schedule)))
            return True


def _values(schedule: Schedule) -> tuple[object, ...]:
    says = (schedule.every.value, schedule.at, encode(schedule.wishes), schedule.when_empty.value)
    return (UUID(schedule.id), schedule.user_id, *says, schedule.next_at, schedule.paused)


async def _has_requests(connection: Connection, order: Order) -> bool:
    """Tell whether there is one that the report would count: what its filters leave out is none of its rows.

    Where that cannot be told in the time of a statement, the report tells it, which has more: the schedule would be the
    first in line again and again, and stop everybody's.
    """
    span, filters = (order.user_id, order.since, order.until), order.wishes.filters
    try:
        async with connection.transaction():
            return bool(await read_page(connection, LogQuery(*span, filters, oldest_first=True, limit=1)))
    except (TimeoutError, asyncpg.QueryCanceledError):
        return True


def _readable(row: asyncpg.Record) -> Schedule | None:
    """Return a schedule; None: another version made it, and one such must not stop the others."""
    try:
        return _schedule(row)
    except Unavailable:
        return None


def _schedule(row: asyncpg.Record) -> Schedule:
    values = dict(row)
    changed = {
        "every": Every(values["every"]),
        "wishes": decode_wishes(values["wishes"]),
        "when_empty": WhenEmpty(values["when_empty"]),
    }
    return Schedule(**values | changed)
