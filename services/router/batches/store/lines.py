"""Table `batch_lines`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from services.router.store import Connection, Pool

# Of the lines that one claim gives out. A message has 24 MB, and a gateway may take lines of 20.
MOST_BYTES: Final = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class StoredLine:
    """A line as it is stored: sealed."""

    number: int
    custom_id: str
    state: str
    request_id: str
    http_status: int
    sealed: bytes


class LineStore:
    """Lines of batches. Methods raise what is in UNUSABLE."""

    def __init__(self, pool: Pool | Connection) -> None:
        self._pool = pool

    ADD_LINES: Final = """
INSERT INTO router.batch_lines (batch_id, number, custom_id, state, until, sealed)
SELECT $1, n.number, n.custom_id, 'waiting', $2, n.sealed
FROM unnest($3::integer[], $4::text[], $5::bytea[]) AS n (number, custom_id, sealed)
ON CONFLICT (batch_id, number) DO NOTHING
"""

    async def add(self, batch_id: str, lines: Sequence[tuple[int, str, bytes]], now: datetime) -> None:
        """Keep lines (number, custom id, sealed body); those that are known stay as they are."""
        numbers, names, bodies = [each[0] for each in lines], [each[1] for each in lines], [each[2] for each in lines]
        await self._pool.execute(self.ADD_LINES, batch_id, now, numbers, names, bodies)

    # Who ends or cancels a batch waits for the lock of its row: nothing is claimed of what has ended. Each batch gives
    # its share, so that a large one does not keep small ones waiting. A line that runs has begun: whoever vanished with
    # it, another goes on, also when its batch is being cancelled or its time is over. All that is given out goes in one
    # message, so lines weigh no more than that together; the first is given however much it weighs.
    CLAIM_LINES: Final = """
WITH open AS (
    SELECT id, status = 'in_progress' AND expires_at > $2 AS may_begin
    FROM router.batches
    WHERE status IN ('in_progress', 'finalizing', 'cancelling')
    ORDER BY random()
    LIMIT $5
    FOR SHARE SKIP LOCKED
), fitting AS (
    SELECT l.batch_id, l.number, octet_length(l.sealed) AS weight
    FROM open
    CROSS JOIN LATERAL (
        SELECT batch_id, number, sealed
        FROM router.batch_lines
        WHERE batch_id = open.id AND until <= $2
            AND (state = 'running' OR state = 'waiting' AND open.may_begin)
        ORDER BY number
        LIMIT greatest(1, $4 / (SELECT count(*) FROM open))
        FOR UPDATE SKIP LOCKED
    ) AS l
    LIMIT $4
), chosen AS (
    SELECT batch_id, number, row_number() OVER (ORDER BY batch_id, number) AS place,
           sum(weight) OVER (ORDER BY batch_id, number) AS together
    FROM fitting
)
UPDATE router.batch_lines AS l
SET state = 'running', worker = $1, until = $3, attempt = l.attempt + 1
FROM chosen
JOIN router.batches AS b ON b.id = chosen.batch_id
WHERE l.batch_id = chosen.batch_id AND l.number = chosen.number AND (chosen.place = 1 OR chosen.together <= $6)
RETURNING l.batch_id, l.number, l.sealed, l.attempt, b.owner, b.application, b.key_id, b.endpoint, b.expires_at
"""

    async def claim(self, worker: str, count: int, now: datetime, until: datetime, batches: int) -> list[Any]:
        """Give a worker lines of at most so many batches; return their rows, sealed."""
        found: list[Any] = await self._pool.fetch(self.CLAIM_LINES, worker, now, until, count, batches, MOST_BYTES)
        return found

    RENEW_LINES: Final = """
UPDATE router.batch_lines
SET until = $2
WHERE worker = $1 AND state = 'running'
"""

    async def renew(self, worker: str, until: datetime) -> None:
        """Say that a worker is alive."""
        await self._pool.execute(self.RENEW_LINES, worker, until)

    FINISH_LINE: Final = """
UPDATE router.batch_lines
SET state = $4, request_id = $5, http_status = $6, sealed = $7, worker = ''
WHERE batch_id = $2 AND number = $3 AND worker = $1 AND state = 'running'
"""

    async def finish(
        self, worker: str, line: tuple[str, int], state: str, request_id: str, http_status: int, sealed: bytes
    ) -> bool:
        """Keep what became of a line (batch, number); tell whether it was the worker's."""
        done = await self._pool.execute(self.FINISH_LINE, worker, *line, state, request_id, http_status, sealed)
        return bool(done != "UPDATE 0")

    RELEASE_LINE: Final = """
UPDATE router.batch_lines
SET state = 'waiting', worker = '', until = $4, attempt = attempt - $5
WHERE batch_id = $2 AND number = $3 AND worker = $1 AND state = 'running'
"""

    async def release(self, worker: str, line: tuple[str, int], until: datetime, *, uncounted: int) -> None:
        """Give a line (batch, number) back until then; so many attempts (0 or 1) were none."""
        await self._pool.execute(self.RELEASE_LINE, worker, *line, until, uncounted)

    COUNT_RUNNING: Final = """
SELECT count(*)
FROM router.batch_lines
WHERE batch_id = $1 AND state = 'running'
"""

    async def count_running(self, batch_id: str) -> int:
        """Return how many lines of a batch run."""
        return int(await self._pool.fetchval(self.COUNT_RUNNING, batch_id))

    READ_LINES: Final = """
SELECT number, custom_id, state, request_id, http_status,
       CASE WHEN state = 'waiting' THEN ''::bytea ELSE sealed END AS sealed
FROM router.batch_lines
WHERE batch_id = $1 AND number > $2
ORDER BY number
LIMIT $3
"""

    async def read(self, batch_id: str, at_once: int) -> AsyncIterator[StoredLine]:
        """Yield the lines of a batch in order, so many in memory."""
        last = 0
        while rows := await self._pool.fetch(self.READ_LINES, batch_id, last, at_once):
            for row in rows:
                yield StoredLine(**dict(row))
            last = rows[-1]["number"]

    REMOVE_LINES: Final = """
DELETE FROM router.batch_lines
WHERE batch_id = $1
"""

    async def remove(self, batch_id: str) -> None:
        """Forget the lines of a batch."""
        await self._pool.execute(self.REMOVE_LINES, batch_id)
