"""Stored reports: claimed with a lease, written in pieces, read by their owner or by a link."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from servicekit.clock import LEASES_DIFFER
from servicekit.errors import Unavailable
from servicekit.postgres import in_pieces, sql
from services.usage.reports.domain.report import ATTEMPTS, Report, Status
from services.usage.reports.store.encoding import decode_order, encode
from services.usage.store.connection import connection_of

_COLUMNS: Final = """
    id::text, ordered::text, status, rows_total, rows_done, error, size_bytes, sha256, link_key, attempt,
    coalesce(schedule_id::text, '') AS schedule_id, snapshot_at, created_at, finished_at, expires_at
"""
INSERT: Final = """
    INSERT INTO usage.reports
        (id, user_id, ordered, status, rows_total, link_key, attempt, lease_until, schedule_id, created_at, expires_at,
         period_since, told)
    VALUES ($1, $2, $3::jsonb, $4, $5, $6, $7, $8, nullif($9, '')::uuid, $10, $11, $12, $13)
    ON CONFLICT (schedule_id, period_since) DO NOTHING
"""
# Two orders of one user at once must not get past the bound together.
LOCK_USER: Final = "SELECT pg_advisory_xact_lock(hashtextextended('reports:' || $1, 0))"
COUNT: Final = "SELECT count(*) FROM usage.reports WHERE user_id = $1"
FIND: Final = sql("SELECT {columns} FROM usage.reports WHERE id = $1", columns=_COLUMNS)
# Of a shut account a link opens nothing; it does again, for as long as it would have, once the account is open.
FIND_LINKED: Final = sql(
    """
    SELECT {columns}
    FROM usage.reports AS report
    WHERE id = $1
        AND NOT EXISTS (SELECT FROM usage.shut_accounts AS shut WHERE shut.user_id = report.user_id)
    """,
    columns=_COLUMNS,
)
LIST: Final = sql(
    "SELECT {columns} FROM usage.reports WHERE user_id = $1 ORDER BY created_at DESC, id LIMIT $2", columns=_COLUMNS
)
DELETE: Final = "DELETE FROM usage.reports WHERE user_id = $1 AND id = $2"
# Each has its content, of megabytes.
DELETED_AT_ONCE: Final = 8
DELETE_EXPIRED: Final = """
    DELETE FROM usage.reports
    WHERE id IN (
        SELECT id
        FROM usage.reports
        WHERE expires_at <= $1
        ORDER BY expires_at
        LIMIT $2
        FOR UPDATE SKIP LOCKED
    )
"""
GIVE_UP: Final = """
    UPDATE usage.reports
    SET status = 'failed', finished_at = $1, error = $3
    WHERE status = 'running'
        AND lease_until < $1
        AND attempt >= $2
"""
# A lease that ends later than one can that is taken now is of a clock that was ahead. It is cut, not taken: whoever is
# alive renews it three times before it ends.
CUT: Final = """
    UPDATE usage.reports
    SET lease_until = $1
    WHERE status = 'running'
        AND lease_until > $2
"""
# What a shut account had ordered waits until it is open again, and so does telling of it.
CLAIM: Final = sql(
    """
    UPDATE usage.reports
    SET status = 'running', attempt = attempt + 1, lease_until = $2, rows_done = 0
    WHERE id = (
        SELECT id
        FROM usage.reports AS report
        WHERE (status = 'queued' OR (status = 'running' AND lease_until < $1)) AND id <> ALL ($3::uuid[])
            AND NOT EXISTS (SELECT FROM usage.shut_accounts AS shut WHERE shut.user_id = report.user_id)
        ORDER BY created_at
        LIMIT 1
        FOR UPDATE SKIP LOCKED
    )
    RETURNING {columns}
    """,
    columns=_COLUMNS,
)
DROP_PIECES: Final = "DELETE FROM usage.report_pieces WHERE report_id = $1 AND attempt < $2"
RENEW: Final = """
    UPDATE usage.reports
    SET lease_until = $3, rows_done = greatest(rows_done, $4), rows_total = greatest(rows_total, $5)
    WHERE id = $1
        AND attempt = $2
        AND status = 'running'
"""
ADD_PIECE: Final = """
    INSERT INTO usage.report_pieces (report_id, attempt, number, user_id, content)
    VALUES ($1, $2, $3, $4, $5)
"""
FINISH: Final = """
    UPDATE usage.reports
    SET status = 'done', rows_total = $3, rows_done = $3, size_bytes = $4, sha256 = $5, snapshot_at = $6,
        finished_at = $7
    WHERE id = $1
        AND attempt = $2
        AND status = 'running'
"""
FAIL: Final = """
    UPDATE usage.reports
    SET status = 'failed', error = $3, finished_at = $4
    WHERE id = $1
        AND attempt = $2
        AND status = 'running'
"""
READ_PIECE: Final = "SELECT content FROM usage.report_pieces WHERE report_id = $1 AND attempt = $2 AND number = $3"
UNTOLD: Final = sql(
    """
    SELECT {columns}
    FROM usage.reports AS report
    WHERE status IN ('done', 'failed')
        AND NOT told
        AND id <> ALL ($2::uuid[])
        AND NOT EXISTS (SELECT FROM usage.shut_accounts AS shut WHERE shut.user_id = report.user_id)
    ORDER BY finished_at
    LIMIT $1
    """,
    columns=_COLUMNS,
)
MARK_TOLD: Final = "UPDATE usage.reports SET told = true WHERE id = $1 AND attempt = $2"
TOLD_AT_ONCE: Final = 100
GAVE_UP: Final = "The report could not be made. Try a shorter period or another format."


class _NotOurs(Exception):
    """The claimed report must be generated by an instance of another version."""


class ReportStore:
    """The tables of reports behind a pool. Each method raises `Unavailable` while PostgreSQL cannot be used."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self._pool = pool
        # Left to another version: one such must not stop the others.
        self._passed: set[str] = set()

    async def add(self, report: Report, most: int, lease_until: datetime | None = None) -> bool:
        """Keep a new report that its user ordered; False: they have as many as one may have."""
        user_id = report.order.user_id
        async with connection_of(self._pool, user_id) as connection, connection.transaction():
            await connection.execute(LOCK_USER, user_id)
            if await connection.fetchval(COUNT, user_id) >= most:
                return False
            await connection.execute(INSERT, *values_of(report, lease_until))
            return True

    async def count(self, user_id: str) -> int:
        """Return how many reports the user has."""
        async with connection_of(self._pool, user_id) as connection:
            return int(await connection.fetchval(COUNT, user_id))

    async def find(self, user_id: str, report_id: str) -> Report | None:
        """Return a report of the user."""
        async with connection_of(self._pool, user_id) as connection:
            row = await connection.fetchrow(FIND, UUID(report_id))
            return None if row is None else _report(row)

    async def find_linked(self, report_id: str) -> Report | None:
        """Return a report of anybody, for whoever has a link to it; none of a shut account."""
        async with connection_of(self._pool) as connection:
            row = await connection.fetchrow(FIND_LINKED, UUID(report_id))
            return None if row is None else _report(row)

    async def list(self, user_id: str, limit: int) -> Sequence[Report]:
        """Return the user's reports, newest first."""
        async with connection_of(self._pool, user_id) as connection:
            return self._readable(await connection.fetch(LIST, user_id, limit))

    async def delete(self, user_id: str, report_id: str) -> bool:
        """Delete a report and its content; tell whether there was one."""
        async with connection_of(self._pool, user_id) as connection:
            return bool(await connection.execute(DELETE, user_id, UUID(report_id)) != "DELETE 0")

    async def delete_expired(self, now: datetime) -> None:
        """Delete the reports whose time is over."""
        async with connection_of(self._pool) as connection:
            await in_pieces(connection, DELETE_EXPIRED, now, most=DELETED_AT_ONCE)

    async def claim(self, now: datetime, lease_until: datetime) -> Report | None:
        """Return the next report to make, ours until `lease_until`; nobody else gets it meanwhile."""
        while True:
            with suppress(_NotOurs):
                return await self._claim(now, lease_until)

    async def _claim(self, now: datetime, lease_until: datetime) -> Report | None:
        async with connection_of(self._pool) as connection, connection.transaction():
            await connection.execute(CUT, lease_until, lease_until + LEASES_DIFFER)
            await connection.execute(GIVE_UP, now, ATTEMPTS, GAVE_UP)
            row = await connection.fetchrow(CLAIM, now, lease_until, sorted(self._passed))
            if row is None:
                return None
            if not (found := self._readable([row])):
                # Before it is committed: whoever can make it does not wait for us.
                raise _NotOurs
            await connection.execute(DROP_PIECES, UUID(found[0].id), found[0].attempt)
            return found[0]

    async def renew(self, report: Report, lease_until: datetime, done: int = 0, total: int = 0) -> bool:
        """Keep the lease and tell how far we are; False: another has it."""
        return await self._change(RENEW, report, lease_until, done, total)

    async def add_piece(self, report: Report, number: int, content: bytes) -> None:
        """Keep a piece of the content."""
        async with connection_of(self._pool, report.order.user_id) as connection:
            user_id = report.order.user_id
            try:
                await connection.execute(ADD_PIECE, UUID(report.id), report.attempt, number, user_id, content)
            except asyncpg.ForeignKeyViolationError:
                # Its owner deleted it; that the lease is lost is found out at the end.
                return

    async def finish(self, report: Report, now: datetime) -> bool:
        """Say that all of the content is there, as `report` describes it; False: another has the lease."""
        return await self._change(
            FINISH, report, report.rows_total, report.size_bytes, report.sha256, report.snapshot_at, now
        )

    async def fail(self, report: Report, error: str, now: datetime) -> bool:
        """Say why there will be no content; False: another has the lease."""
        return await self._change(FAIL, report, error, now)

    async def untold(self) -> Sequence[Report]:
        """Return some reports that have ended, well or not, and of which their owners were not told, oldest first."""
        async with connection_of(self._pool) as connection:
            return self._readable(await connection.fetch(UNTOLD, TOLD_AT_ONCE, sorted(self._passed)))

    async def mark_told(self, report: Report) -> None:
        """Note that the owner was told."""
        await self._change(MARK_TOLD, report)

    async def content(self, report: Report) -> AsyncIterator[bytes]:
        """Yield the content of a report that is done, piece by piece."""
        number = 0
        while (piece := await self._piece(report, number)) is not None:
            yield piece
            number += 1

    async def _piece(self, report: Report, number: int) -> bytes | None:
        async with connection_of(self._pool, report.order.user_id) as connection:
            found: bytes | None = await connection.fetchval(READ_PIECE, UUID(report.id), report.attempt, number)
            return found

    def _readable(self, rows: Sequence[asyncpg.Record]) -> Sequence[Report]:
        found: list[Report] = []
        for row in rows:
            try:
                found.append(_report(row))
            except Unavailable:
                self._passed.add(row["id"])
        return found

    async def _change(self, statement: str, report: Report, *values: object) -> bool:
        async with connection_of(self._pool, report.order.user_id) as connection:
            return bool(await connection.execute(statement, UUID(report.id), report.attempt, *values) == "UPDATE 1")


def values_of(report: Report, lease_until: datetime | None = None) -> tuple[object, ...]:
    """Return the values of `INSERT`."""
    return (
        UUID(report.id),
        report.order.user_id,
        encode(report.order),
        report.status.value,
        report.rows_total,
        report.link_key,
        report.attempt,
        lease_until,
        report.schedule_id,
        report.created_at,
        report.expires_at,
        report.order.since,
        # Whoever is being waited for tells by ending.
        lease_until is not None,
    )


def _report(row: asyncpg.Record) -> Report:
    values = dict(row)
    order = decode_order(values.pop("ordered"))
    return Report(**values | {"order": order, "status": Status(values["status"])})
