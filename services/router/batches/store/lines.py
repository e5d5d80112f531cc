"""Table `batch_lines`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from servicekit.clock import LEASES_DIFFER
from services.router.store import Connection, Pool

REMOVED_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class StoredLine:
    """A line as it is stored: encrypted."""

    number: int
    custom_id: str
    state: str
    request_id: str
    http_status: int
    sealed: bytes
    parts: int


@dataclass(frozen=True, slots=True)
class EndOfLine:
    """The stored result of a line; `sealed` follows after so many parts."""

    state: str
    request_id: str
    http_status: int
    sealed: bytes
    parts: int


class LineStore:
    """Lines of batches. Methods raise what is in UNUSABLE."""

    def __init__(self, pool: Pool | Connection) -> None:
        self._pool = pool

    # Whoever keeps them does not say when they may be claimed, at once: its clock may be ahead. A batch does not end
    # meanwhile: what came behind its end would stay for as long as it does, and be counted once more.
    ADD_LINES: Final = """
WITH held AS (
    SELECT id
    FROM router.batches
    WHERE id = $1 AND status = 'validating'
    FOR SHARE
)
INSERT INTO router.batch_lines (batch_id, number, custom_id, state, until, sealed)
SELECT held.id, n.number, n.custom_id, 'waiting', '-infinity', n.sealed
FROM held
CROSS JOIN unnest($2::integer[], $3::text[], $4::bytea[]) AS n (number, custom_id, sealed)
ON CONFLICT (batch_id, number) DO NOTHING
"""

    async def add(self, batch_id: str, lines: Sequence[tuple[int, str, bytes]]) -> None:
        """Keep lines (number, custom id, sealed body) of a batch whose file is looked through; known ones stay."""
        numbers, names, bodies = [each[0] for each in lines], [each[1] for each in lines], [each[2] for each in lines]
        await self._pool.execute(self.ADD_LINES, batch_id, numbers, names, bodies)

    # Who ends or cancels a batch waits for the lock of its row: nothing is claimed of what has ended. Each batch gives
    # its share, so that a large one does not keep small ones waiting. A line that runs has begun: whoever vanished with
    # it, another goes on, also when its batch is being cancelled or its time is over.
    # All go out in one message, so they are bounded in bytes too. The first always goes; locks of those that have no
    # room end with the statement.
    CLAIM_LINES: Final = """
WITH open AS (
    SELECT id, status = 'in_progress' AND expires_at > $2 AS may_begin
    FROM router.batches
    WHERE status IN ('in_progress', 'finalizing', 'cancelling')
    ORDER BY random()
    LIMIT $5
    FOR SHARE SKIP LOCKED
), chosen AS (
    SELECT l.batch_id, l.number, l.size
    FROM open
    CROSS JOIN LATERAL (
        SELECT batch_id, number, octet_length(sealed) AS size
        FROM router.batch_lines
        WHERE batch_id = open.id AND until <= $2
            AND (state = 'running' OR state = 'waiting' AND open.may_begin)
        ORDER BY number
        LIMIT greatest(1, $4 / (SELECT count(*) FROM open))
        FOR UPDATE SKIP LOCKED
    ) AS l
    LIMIT $4
), weighed AS (
    SELECT batch_id, number, size, sum(size) OVER (ROWS UNBOUNDED PRECEDING) AS whole
    FROM chosen
)
UPDATE router.batch_lines AS l
SET state = 'running', worker = $1, until = $3, attempt = l.attempt + 1
FROM weighed
JOIN router.batches AS b ON b.id = weighed.batch_id
WHERE l.batch_id = weighed.batch_id AND l.number = weighed.number AND (whole <= $6 OR whole = size)
RETURNING l.batch_id, l.number, l.sealed, l.attempt, b.owner, b.application, b.key_id, b.endpoint, b.expires_at,
    b.token_grant
"""

    async def claim(
        self, worker: str, count: int, now: datetime, until: datetime, batches: int, *, most_bytes: int
    ) -> list[Any]:
        """Give a worker lines of at most so many batches; return their rows, sealed: one, or as many as have room."""
        found: list[Any] = await self._pool.fetch(self.CLAIM_LINES, worker, now, until, count, batches, most_bytes)
        return found

    RENEW_LINES: Final = """
UPDATE router.batch_lines
SET until = $2
WHERE worker = $1 AND state = 'running'
"""

    async def renew(self, worker: str, until: datetime) -> None:
        """Say that a worker is alive."""
        await self._pool.execute(self.RENEW_LINES, worker, until)

    # A lease that ends later than one can that is taken now is of a clock that was ahead. It is cut, not taken: whoever
    # is alive renews it three times before it ends.
    CUT_LINES: Final = """
UPDATE router.batch_lines
SET until = $1
WHERE state = 'running' AND until > $2
"""

    async def cut(self, until: datetime) -> None:
        """Have no lease end much later than one that is taken now."""
        await self._pool.execute(self.CUT_LINES, until, until + LEASES_DIFFER)

    FINISH_LINE: Final = """
UPDATE router.batch_lines
SET state = $4, request_id = $5, http_status = $6, sealed = $7, parts = $8, worker = ''
WHERE batch_id = $2 AND number = $3 AND worker = $1 AND state = 'running'
"""

    async def finish(self, worker: str, line: tuple[str, int], end: EndOfLine) -> bool:
        """Keep what became of a line (batch, number); tell whether it was the worker's."""
        told = (end.state, end.request_id, end.http_status, end.sealed, end.parts)
        done = await self._pool.execute(self.FINISH_LINE, worker, *line, *told)
        return bool(done != "UPDATE 0")

    ADD_PART: Final = """
INSERT INTO router.batch_answer_parts (batch_id, number, part, sealed)
SELECT batch_id, number, $4, $5
FROM router.batch_lines
WHERE batch_id = $2 AND number = $3 AND worker = $1 AND state = 'running'
FOR UPDATE
ON CONFLICT (batch_id, number, part) DO UPDATE SET sealed = excluded.sealed
"""

    async def add_part(self, worker: str, line: tuple[str, int], part: int, sealed: bytes) -> bool:
        """Keep a part of an answer (batch, number), in place of one that is there; tell whether it was the worker's."""
        done = await self._pool.execute(self.ADD_PART, worker, *line, part, sealed)
        return bool(done != "INSERT 0 0")

    READ_PART: Final = """
SELECT sealed
FROM router.batch_answer_parts
WHERE batch_id = $1 AND number = $2 AND part = $3
"""

    async def read_part(self, line: tuple[str, int], part: int) -> bytes:
        """Return a part of an answer (batch, number), sealed."""
        return bytes(await self._pool.fetchval(self.READ_PART, *line, part))

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
WITH next AS (
    SELECT number, size, sum(size) OVER (ORDER BY number) AS whole
    FROM (
        SELECT number, octet_length(sealed) AS size
        FROM router.batch_lines
        WHERE batch_id = $1 AND number > $2
        ORDER BY number
        LIMIT $3
    ) AS n
)
SELECT number, custom_id, state, request_id, http_status, parts,
       CASE WHEN state = 'waiting' THEN ''::bytea ELSE sealed END AS sealed
FROM next
JOIN router.batch_lines USING (number)
WHERE batch_id = $1 AND (whole <= $4 OR whole = size)
ORDER BY number
"""

    async def read(self, batch_id: str, at_once: int, most_bytes: int) -> AsyncIterator[StoredLine]:
        """Yield the lines of a batch in order, so many in memory: one, or as many as have room."""
        last = 0
        while rows := await self._pool.fetch(self.READ_LINES, batch_id, last, at_once, most_bytes):
            for row in rows:
                yield StoredLine(**dict(row))
            last = rows[-1]["number"]

    REMOVE_LINES: Final = """
DELETE FROM router.batch_lines
WHERE batch_id = $1 AND number IN (
    SELECT number
    FROM router.batch_lines
    WHERE batch_id = $1 AND number > $2
    ORDER BY number
    LIMIT $3
)
RETURNING number
"""

    async def remove(self, batch_id: str) -> None:
        """Forget the lines of a batch, so many with a statement: each has its time, and answers may be gigabytes."""
        last = 0
        while rows := await self._pool.fetch(self.REMOVE_LINES, batch_id, last, REMOVED_AT_ONCE):
            last = max(row["number"] for row in rows)
