"""What workers do with batches: look through their files, claim their lines, say what became of them.

A worker that vanishes loses what it had when its lease is over, and another one goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from servicekit.clock import Clock
from servicekit.errors import Conflict, ErrorReason, NotFound
from servicekit.postgres import database_errors
from services.router.batches.domain.values import (
    ClaimedLine,
    LineError,
    LineResult,
    NewLine,
    Owner,
    UncheckedBatch,
)
from services.router.batches.files import no_such_file
from services.router.batches.sealing import Sealing, line_name, opened, sealed_up
from services.router.batches.settings import BatchSettings
from services.router.batches.store.batches import BatchStore
from services.router.batches.store.files import FileStore
from services.router.batches.store.lines import EndOfLine, LineStore
from services.router.store import Pool, transaction

# Batches that one claim looks into.
_AT_ONCE: Final = 32
# What all lines of one claim weigh, unless one alone weighs more: they go out in one message (24 MiB at most).
CLAIM_BYTES: Final = 8 * 1024 * 1024


class BatchWork:
    """Hands out lines to workers, and stores their results."""

    def __init__(self, pool: Pool, sealing: Sealing, settings: BatchSettings, clock: Clock) -> None:
        self._pool = pool
        self._batches = BatchStore(pool)
        self._files = FileStore(pool)
        self._lines = LineStore(pool)
        self._sealing = sealing
        self._lease = timedelta(seconds=settings.lease_s)
        self._clock = clock

    def _times(self) -> tuple[datetime, datetime]:
        """Return now, and until when a worker that is heard of now is believed."""
        now = self._clock.now()
        return now, now + self._lease

    async def claim_batch(self, worker: str) -> UncheckedBatch | None:
        """Give the worker a batch whose file is to be looked through, None when there is none."""
        with database_errors():
            return await self._batches.claim(worker, *self._times())

    async def read_input(self, worker: str, batch_id: str, number: int) -> bytes:
        """Return a part of the batch's file.

        Raises:
            Conflict: the batch is not the worker's.
            NotFound: the file is gone.
        """
        file_id = await self._hold(worker, batch_id)
        with database_errors():
            sealed = await self._files.read_part(file_id, number)
        if sealed is None:
            raise no_such_file()
        return await opened(self._sealing, file_id, number, sealed)

    async def add_lines(self, worker: str, batch_id: str, lines: Sequence[NewLine]) -> None:
        """Keep lines.

        Raises:
            Conflict: the batch is not the worker's.
        """
        await self._hold(worker, batch_id)
        sealed = [(each.number, each.custom_id, self._sealing.seal(batch_id, each.number, each.body)) for each in lines]
        with database_errors():
            await self._lines.add(batch_id, sealed)

    async def start_batch(self, worker: str, batch_id: str, errors: Sequence[LineError]) -> None:
        """Let the lines be claimed; with errors, the batch has failed and its lines are forgotten.

        Raises:
            Conflict: the batch is not the worker's.
        """
        now = self._clock.now()
        with database_errors():
            # At once: what a process that dies between would leave of a failed batch, nobody looks for.
            async with transaction(self._pool) as connection:
                if not await BatchStore(connection).start(worker, batch_id, list(errors), now):
                    raise not_yours()
                if errors:
                    await LineStore(connection).remove(batch_id)

    async def _hold(self, worker: str, batch_id: str) -> str:
        with database_errors():
            file_id = await self._batches.hold(worker, batch_id, self._times()[1])
        if file_id is None:
            raise not_yours()
        return file_id

    async def claim_lines(self, worker: str, count: int) -> list[ClaimedLine]:
        """Give the worker lines to answer."""
        with database_errors():
            rows = await self._lines.claim(worker, count, *self._times(), _AT_ONCE, most_bytes=CLAIM_BYTES)
        claimed = [(row, self._claimed(row)) for row in rows]
        for row, line in claimed:
            if line is None:
                await self.finish(worker, row["batch_id"], row["number"], LineResult.unreadable())
        return [line for _, line in claimed if line is not None]

    def _claimed(self, row: Any) -> ClaimedLine | None:
        try:
            body = self._sealing.open(row["batch_id"], row["number"], row["sealed"])
        except NotFound:
            return None
        return ClaimedLine(
            row["batch_id"],
            row["number"],
            body,
            Owner(row["owner"], row["application"]),
            row["key_id"],
            row["endpoint"],
            row["attempt"],
            row["expires_at"],
            row["token_grant"],
        )

    async def renew(self, worker: str) -> None:
        """Keep what the worker has its own."""
        with database_errors():
            await self._lines.renew(worker, self._times()[1])

    async def add_answer_part(self, worker: str, batch_id: str, number: int, part: int, body: bytes) -> None:
        """Keep a part (from 0) of the beginning of an answer.

        Raises:
            Conflict: as `finish`.
        """
        sealed = await sealed_up(self._sealing, line_name(batch_id, number), part, body)
        with database_errors():
            if not await self._lines.add_part(worker, (batch_id, number), part, sealed):
                raise not_yours()

    async def finish(self, worker: str, batch_id: str, number: int, result: LineResult, parts: int = 0) -> None:
        """Keep what became of a line; the body is the end of it where `parts` were kept before.

        Raises:
            Conflict: the line is not the worker's: another one went on with it.
        """
        state = "completed" if result.is_answer else "failed"
        # The end of a long answer is sealed as its parts are: a router of the version before, which knows no parts, may
        # not take it for the whole: it says that it cannot be read.
        name, place = (line_name(batch_id, number), parts) if parts else (batch_id, number)
        sealed = await sealed_up(self._sealing, name, place, result.body)
        ended = EndOfLine(state, result.request_id, result.http_status, sealed, parts)
        with database_errors():
            if not await self._lines.finish(worker, (batch_id, number), ended):
                raise not_yours()

    async def release(self, worker: str, batch_id: str, number: int, after_s: float, *, was_tried: bool) -> None:
        """Let a line be claimed again after a while; one that was not tried does not count as an attempt."""
        until = self._clock.now() + timedelta(seconds=after_s)
        with database_errors():
            await self._lines.release(worker, (batch_id, number), until, uncounted=int(not was_tried))


def not_yours() -> Conflict:
    """Return the refusal of a worker whose lease is over."""
    return Conflict(ErrorReason.CONFLICT, "Another worker has this by now.")
