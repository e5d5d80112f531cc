"""Table `batches`."""

from __future__ import annotations

import dataclasses
import json
from datetime import datetime
from typing import Any, Final

from servicekit.clock import LEASES_DIFFER
from servicekit.postgres import in_pieces
from services.router.batches.domain.values import (
    Batch,
    Counts,
    LineError,
    NewBatch,
    Owner,
    Page,
    Status,
    UncheckedBatch,
)
from services.router.store import Connection, Pool, transaction


class BatchStore:
    """Batches, by owner and by state. Methods raise what is in UNUSABLE."""

    def __init__(self, pool: Pool | Connection) -> None:
        self._pool = pool

    # One after the other: two that were counted at once would both find room.
    LOCK_OWNER: Final = "SELECT pg_advisory_xact_lock(hashtextextended('router.batches:' || $1, 0))"

    COUNT_OPEN: Final = """
SELECT count(*)
FROM router.batches
WHERE owner = $1 AND status IN ('validating', 'in_progress', 'finalizing', 'cancelling')
"""

    ADD_BATCH: Final = """
INSERT INTO router.batches
    (id, owner, application, key_id, endpoint, input_file_id, status, created_at, expires_at, metadata, token_grant)
VALUES ($1, $2, $3, $4, $5, $6, 'validating', $7, $8, $9, $10)
"""

    async def add(
        self, owner: Owner, batch_id: str, order: NewBatch, times: tuple[datetime, datetime], *, most: int
    ) -> bool:
        """Take a batch in that begins and expires then; False: so many of the user have not ended already."""
        metadata = json.dumps(dict(order.metadata))
        named = (batch_id, owner.user_id, owner.application, order.key_id, order.endpoint, order.input_file_id)
        async with transaction(self._pool) as connection:
            await connection.execute(self.LOCK_OWNER, owner.user_id)
            if await connection.fetchval(self.COUNT_OPEN, owner.user_id) >= most:
                return False
            await connection.execute(self.ADD_BATCH, *named, *times, metadata, order.token_grant)
        return True

    FIND_BATCH: Final = """
SELECT b.id, b.owner, b.application, b.endpoint, b.input_file_id, b.status, b.output_file_id, b.error_file_id,
       b.created_at, b.expires_at, b.moments, b.metadata, b.errors,
       b.total + l.total AS total, b.completed + l.completed AS completed, b.failed + l.failed AS failed
FROM router.batches AS b
CROSS JOIN LATERAL (
    SELECT count(*)::integer AS total,
           count(*) FILTER (WHERE state = 'completed')::integer AS completed,
           count(*) FILTER (WHERE state = 'failed')::integer AS failed
    FROM router.batch_lines
    WHERE batch_id = b.id AND b.status <> 'validating'
) AS l
WHERE b.id = $1 AND b.owner = $2 AND b.application = $3
"""

    async def find(self, owner: Owner, batch_id: str) -> Batch | None:
        """Return a batch with its counts, None when there is none."""
        row = await self._pool.fetchrow(self.FIND_BATCH, batch_id, owner.user_id, owner.application)
        return None if row is None else _batch(row)

    LIST_BATCHES: Final = """
SELECT b.id, b.owner, b.application, b.endpoint, b.input_file_id, b.status, b.output_file_id, b.error_file_id,
       b.created_at, b.expires_at, b.moments, b.metadata, b.errors,
       b.total + l.total AS total, b.completed + l.completed AS completed, b.failed + l.failed AS failed
FROM router.batches AS b
LEFT JOIN router.batches AS a ON a.id = $3
CROSS JOIN LATERAL (
    SELECT count(*)::integer AS total,
           count(*) FILTER (WHERE state = 'completed')::integer AS completed,
           count(*) FILTER (WHERE state = 'failed')::integer AS failed
    FROM router.batch_lines
    WHERE batch_id = b.id AND b.status <> 'validating'
) AS l
WHERE b.owner = $1 AND b.application = $2 AND ($3 = '' OR (b.created_at, b.id) < (a.created_at, a.id))
ORDER BY b.created_at DESC, b.id DESC
LIMIT $4
"""

    async def page(self, owner: Owner, page: Page) -> list[Batch]:
        """Return a page of batches and one more, if there is one."""
        rows = await self._pool.fetch(self.LIST_BATCHES, owner.user_id, owner.application, page.after, page.limit + 1)
        return [_batch(row) for row in rows]

    CANCEL_BATCH: Final = """
UPDATE router.batches
SET status = 'cancelling', moments = moments || jsonb_build_object('cancelling_at', $4::bigint)
WHERE id = $1 AND owner = $2 AND application = $3 AND status IN ('validating', 'in_progress')
"""

    async def cancel(self, owner: Owner, batch_id: str, now: datetime) -> bool:
        """Begin no further line; tell whether it could still be said."""
        told = await self._pool.execute(
            self.CANCEL_BATCH, batch_id, owner.user_id, owner.application, int(now.timestamp())
        )
        return bool(told != "UPDATE 0")

    CLAIM_BATCH: Final = """
WITH chosen AS (
    SELECT id
    FROM router.batches
    WHERE status = 'validating' AND (claimed_until IS NULL OR claimed_until < $2)
    ORDER BY created_at
    LIMIT 1
    FOR UPDATE SKIP LOCKED
)
UPDATE router.batches AS b
SET worker = $1, claimed_until = $3
FROM chosen
WHERE b.id = chosen.id
RETURNING b.id, b.endpoint, coalesce((
    SELECT f.parts
    FROM router.files AS f
    WHERE f.id = b.input_file_id AND f.owner = b.owner AND f.application = b.application AND f.purpose = 'batch'
        AND f.expires_at > $2
), 0) AS parts
"""

    async def claim(self, worker: str, now: datetime, until: datetime) -> UncheckedBatch | None:
        """Give a worker a batch whose file is to be looked through."""
        row = await self._pool.fetchrow(self.CLAIM_BATCH, worker, now, until)
        return None if row is None else UncheckedBatch(row["id"], row["endpoint"], row["parts"])

    # As CUT_LINES.
    CUT_BATCHES: Final = """
UPDATE router.batches
SET claimed_until = $1
WHERE status = 'validating' AND claimed_until > $2
"""

    async def cut(self, until: datetime) -> None:
        """Have no lease end much later than one that is taken now."""
        await self._pool.execute(self.CUT_BATCHES, until, until + LEASES_DIFFER)

    HOLD_BATCH: Final = """
UPDATE router.batches
SET claimed_until = $3
WHERE id = $1 AND worker = $2 AND status = 'validating'
RETURNING input_file_id
"""

    async def hold(self, worker: str, batch_id: str, until: datetime) -> str | None:
        """Say that a worker goes on looking through; return the id of the file, None: the batch is not its own."""
        found: str | None = await self._pool.fetchval(self.HOLD_BATCH, batch_id, worker, until)
        return found

    START_BATCH: Final = """
UPDATE router.batches
SET status = $3, errors = $4, moments = moments || jsonb_build_object($3::text || '_at', $5::bigint)
WHERE id = $1 AND worker = $2 AND status = 'validating'
"""

    async def start(self, worker: str, batch_id: str, errors: list[LineError], now: datetime) -> bool:
        """Let a batch begin, or fail; tell whether it was the worker's."""
        status = Status.FAILED if errors else Status.IN_PROGRESS
        told = json.dumps([_storable(error) for error in errors])
        done = await self._pool.execute(self.START_BATCH, batch_id, worker, status, told, int(now.timestamp()))
        return bool(done != "UPDATE 0")

    FIND_ENDING: Final = """
SELECT b.id
FROM router.batches AS b
WHERE (b.status IN ('in_progress', 'finalizing', 'cancelling') OR b.status = 'validating' AND b.expires_at <= $1)
    AND NOT EXISTS (
        SELECT
        FROM router.batch_lines AS l
        WHERE l.batch_id = b.id
            AND (l.state = 'running' OR l.state = 'waiting' AND b.status = 'in_progress' AND b.expires_at > $1)
    )
"""

    async def ending(self, now: datetime) -> list[str]:
        """Return the batches of which no line runs or is to be run any more."""
        return [row["id"] for row in await self._pool.fetch(self.FIND_ENDING, now)]

    FINALIZE_BATCH: Final = """
UPDATE router.batches
SET status = $2, moments = moments || jsonb_build_object($2::text || '_at', $3::bigint)
WHERE id = $1 AND status = 'in_progress'
"""

    async def finalize(self, batch_id: str, now: datetime) -> None:
        """Say of a batch in progress that its files are being written."""
        await self._pool.execute(self.FINALIZE_BATCH, batch_id, Status.FINALIZING, int(now.timestamp()))

    LOCK_BATCH: Final = """
SELECT b.id, b.owner, b.application, b.endpoint, b.input_file_id, b.status, b.output_file_id, b.error_file_id,
       b.created_at, b.expires_at, b.moments, b.metadata, b.errors, b.total, b.completed, b.failed
FROM router.batches AS b
WHERE b.id = $1
FOR UPDATE SKIP LOCKED
"""

    async def lock(self, batch_id: str) -> Batch | None:
        """Return a batch that nobody else ends meanwhile, None: somebody does, or it is gone."""
        row = await self._pool.fetchrow(self.LOCK_BATCH, batch_id)
        return None if row is None else _batch(row)

    END_BATCH: Final = """
UPDATE router.batches
SET status = $2, output_file_id = $3, error_file_id = $4, total = $5, completed = $6, failed = $7,
    moments = moments || jsonb_build_object($2::text || '_at', $8::bigint)
WHERE id = $1
"""

    async def end(self, batch_id: str, status: Status, files: tuple[str, str], counts: Counts, now: datetime) -> None:
        """Keep how a batch ended; the files are those of answers and of failures."""
        await self._pool.execute(
            self.END_BATCH,
            batch_id,
            status,
            *files,
            counts.total,
            counts.completed,
            counts.failed,
            int(now.timestamp()),
        )

    REMOVE_OLD: Final = """
DELETE FROM router.batches
WHERE id IN (
    SELECT id
    FROM router.batches
    WHERE created_at < $1 AND status IN ('failed', 'completed', 'expired', 'cancelled')
    ORDER BY created_at
    LIMIT $2
)
"""

    async def remove_older(self, than: datetime) -> None:
        """Forget batches that have ended."""
        await in_pieces(self._pool, self.REMOVE_OLD, than)


def _storable(error: LineError) -> dict[str, Any]:
    """Return the error as jsonb takes it: names out of a line may hold NUL, which no text of PostgreSQL does."""
    told = dataclasses.asdict(error)
    return {name: value.replace("\0", "\ufffd") if isinstance(value, str) else value for name, value in told.items()}


def _batch(row: Any) -> Batch:
    return Batch(
        id=row["id"],
        owner=Owner(row["owner"], row["application"]),
        endpoint=row["endpoint"],
        input_file_id=row["input_file_id"],
        status=Status(row["status"]),
        output_file_id=row["output_file_id"],
        error_file_id=row["error_file_id"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        moments_s=json.loads(row["moments"]),
        metadata=json.loads(row["metadata"]),
        errors=[LineError(**error) for error in json.loads(row["errors"])],
        counts=Counts(row["total"], row["completed"], row["failed"]),
    )
