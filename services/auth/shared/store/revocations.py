"""Table `revocations`: what ended, and whether the gateways have been told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

import asyncpg

from servicekit.postgres import database_errors, in_pieces
from services.auth.shared.domain.revocation import Revocation, RevokedKind

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

INSERT_REVOCATION: Final = """
INSERT INTO auth.revocations (kind, subject_id, revoked_at, until)
VALUES ($1, $2, $3, $4)
RETURNING number
"""


async def insert_revocation(
    connection: PoolConnectionProxy[asyncpg.Record], kind: RevokedKind, subject_id: str, at: datetime, until: datetime
) -> Revocation:
    """Note a revocation in the transaction that makes it."""
    number: int = await connection.fetchval(INSERT_REVOCATION, kind, subject_id, at, until)
    return Revocation(number, kind, subject_id, at, until)


READ_UNPUBLISHED: Final = """
SELECT number, kind, subject_id, revoked_at, until
FROM auth.revocations
WHERE published_at IS NULL
ORDER BY number
LIMIT $1
"""

READ_SINCE: Final = """
SELECT number, kind, subject_id, revoked_at, until
FROM auth.revocations
WHERE until > $1 AND revoked_at >= $2 AND (revoked_at, number) > ($2, $3)
ORDER BY revoked_at, number
LIMIT $4
"""

MARK_PUBLISHED: Final = """
UPDATE auth.revocations
SET published_at = $2
WHERE number = ANY($1::bigint[]) AND published_at IS NULL
"""

FORGET_OVER: Final = """
DELETE FROM auth.revocations
WHERE number IN (
    SELECT number
    FROM auth.revocations
    WHERE until <= $1 AND published_at IS NOT NULL
    ORDER BY until
    LIMIT $2
    FOR UPDATE SKIP LOCKED
)
"""


_KINDS: Final = {kind.value: kind for kind in RevokedKind}


class RevocationStore:
    """Revocations on their way to the gateways."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self._pool = pool

    async def read_unpublished(self, limit: int) -> list[Revocation]:
        """Return the oldest revocations that the gateways have not been told."""
        with database_errors():
            return [_from_row(row) for row in await self._pool.fetch(READ_UNPUBLISHED, limit)]

    async def read_since(self, since: datetime, after: int, now: datetime, limit: int) -> list[Revocation]:
        """Return the oldest revocations made since a time that still matter; of that time those with a number above."""
        with database_errors():
            return [_from_row(row) for row in await self._pool.fetch(READ_SINCE, now, since, after, limit)]

    async def mark_published(self, numbers: Sequence[int], at: datetime) -> None:
        """Note that the gateways have been told."""
        with database_errors():
            await self._pool.execute(MARK_PUBLISHED, numbers, at)

    async def forget_over(self, now: datetime) -> None:
        """Delete what was published and nobody can believe in any more."""
        with database_errors():
            await in_pieces(self._pool, FORGET_OVER, now)


def _from_row(row: asyncpg.Record) -> Revocation:
    kind = _KINDS.get(row["kind"], row["kind"])
    return Revocation(row["number"], kind, row["subject_id"], row["revoked_at"], row["until"])
