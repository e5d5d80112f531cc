"""Completes batches: writes their result files once no line runs, and deletes what has expired.

Every router looks, and a row's lock lets one of them do it; a router that dies in the middle has changed nothing.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import structlog

from servicekit.clock import Clock
from servicekit.errors import NotFound, name_of
from servicekit.postgres import UNUSABLE
from services.router.batches.domain.result_lines import EndedLine, result_line
from services.router.batches.domain.values import Batch, Counts, LineResult, Owner, Purpose, Status
from services.router.batches.files import MEGABYTE, new_file_id
from services.router.batches.sealing import Sealing, line_name, opened, sealed_up, worked
from services.router.batches.settings import BatchSettings
from services.router.batches.store.batches import BatchStore
from services.router.batches.store.deferred_calls import DeferredCallStore
from services.router.batches.store.files import FileStore
from services.router.batches.store.lines import LineStore, StoredLine
from services.router.store import Connection, Pool

log = structlog.get_logger()

_LINES_AT_ONCE: Final = 200
_BYTES_AT_ONCE: Final = 8 * MEGABYTE
# Yandex keeps what it was asked for three days.
DEFERRED_KEPT: Final = timedelta(days=3)


class BatchEnding:
    """The periodic job that completes batches."""

    def __init__(self, pool: Pool, sealing: Sealing, settings: BatchSettings, clock: Clock) -> None:
        self._pool = pool
        self._sealing = sealing
        self._kept = timedelta(days=settings.kept_days)
        self._lease = timedelta(seconds=settings.lease_s)
        self._every_s = settings.tend_s
        self._clock = clock

    async def run(self) -> None:
        """Look for ever; cancel it to stop."""
        while True:
            await self._clock.sleep(self._every_s)
            try:
                await self.look()
            except UNUSABLE as exc:
                log.warning("batches.not_looked_at", error=name_of(exc))

    async def look(self) -> int:
        """End what is to be ended, forget what is over; return how many batches were ended."""
        now, batches, ended = self._clock.now(), BatchStore(self._pool), 0
        await batches.cut(now + self._lease)
        await LineStore(self._pool).cut(now + self._lease)
        for batch_id in await batches.ending(now):
            ended += await self._end_apart(batch_id, now)
        await FileStore(self._pool).remove_expired(now)
        await batches.remove_older(now - self._kept)
        await DeferredCallStore(self._pool, self._clock).remove_older(now - DEFERRED_KEPT)
        return ended

    async def _end_apart(self, batch_id: str, now: datetime) -> bool:
        """End a batch; one that cannot be ended keeps no other waiting, and nothing that is over."""
        try:
            return await self._end(batch_id, now)
        except UNUSABLE as exc:
            log.warning("batches.not_ended", batch=batch_id, error=name_of(exc))
        except Exception:
            log.exception("batches.not_ended", batch=batch_id)
        return False

    async def _end(self, batch_id: str, now: datetime) -> bool:
        await BatchStore(self._pool).finalize(batch_id, now)
        async with self._pool.acquire() as connection, connection.transaction():
            batch = await BatchStore(connection).lock(batch_id)
            if batch is None or batch.status.has_ended or await LineStore(connection).count_running(batch_id):
                return False
            await _Writing(connection, self._sealing, batch, now, now + self._kept).run()
        return True


class _Writing:
    """Writes the result files of one batch, in one transaction."""

    def __init__(
        self, connection: Connection, sealing: Sealing, batch: Batch, now: datetime, expires_at: datetime
    ) -> None:
        self._connection = connection
        self._lines = LineStore(connection)
        self._sealing = sealing
        self._batch = batch
        self._now = now
        owner, files = batch.owner, FileStore(connection)
        self._output = _File(files, sealing, owner, f"{batch.id}_output.jsonl", now, expires_at)
        self._errors = _File(files, sealing, owner, f"{batch.id}_error.jsonl", now, expires_at)
        self._total = self._answered = self._failed = self._waiting = 0

    async def run(self) -> None:
        """Write the files, keep how it ended, forget the lines."""
        batch, lines = self._batch, self._lines
        unended = Status.CANCELLED if batch.status is Status.CANCELLING else Status.EXPIRED
        async for line in lines.read(batch.id, _LINES_AT_ONCE, _BYTES_AT_ONCE):
            await self._write(line, unended)
        status = unended if self._waiting or unended is Status.CANCELLED else self._whole(batch)
        files = (await self._output.complete(), await self._errors.complete())
        counts = Counts(self._total, self._answered, self._failed)
        await BatchStore(self._connection).end(batch.id, status, files, counts, self._now)
        await lines.remove(batch.id)
        log.info("batches.ended", batch=batch.id, status=status.value, lines=self._total, failed=self._failed)

    @staticmethod
    def _whole(batch: Batch) -> Status:
        # Its file was never looked through in time.
        return Status.EXPIRED if batch.status is Status.VALIDATING else Status.COMPLETED

    async def _write(self, line: StoredLine, unended: Status) -> None:
        self._total += 1
        result = None if line.state == "waiting" else await self._result(line)
        answered = result is not None and result.is_answer
        self._answered += answered
        self._failed += result is not None and not answered
        self._waiting += result is None
        ended = EndedLine(line.number, line.custom_id, result)
        size = len(result.body) if result is not None else 0
        written = await worked(size, result_line, self._batch.id, ended, unended)
        await (self._output if answered else self._errors).write(written)

    async def _result(self, line: StoredLine) -> LineResult:
        try:
            body = await self._body(line)
        except NotFound:
            return LineResult.unreadable()
        return LineResult(line.request_id, line.http_status, body)

    async def _body(self, line: StoredLine) -> bytes:
        batch_id, number = self._batch.id, line.number
        if not line.parts:
            return await opened(self._sealing, batch_id, number, line.sealed)
        parts = [await self._part(line, part) for part in range(line.parts)]
        parts.append(await opened(self._sealing, line_name(batch_id, number), line.parts, line.sealed))
        return b"".join(parts)

    async def _part(self, line: StoredLine, part: int) -> bytes:
        sealed = await self._lines.read_part((self._batch.id, line.number), part)
        return await opened(self._sealing, line_name(self._batch.id, line.number), part, sealed)


class _File:
    """A result file, written line by line and created by the first."""

    def __init__(
        self, store: FileStore, sealing: Sealing, owner: Owner, name: str, now: datetime, expires_at: datetime
    ) -> None:
        self._store = store
        self._sealing = sealing
        self._owner = owner
        self._name = name
        self._times = now, expires_at
        self._id = ""
        self._parts = 0
        self._buffer = bytearray()

    async def write(self, line: bytes) -> None:
        """Append a line."""
        self._buffer += line
        while len(self._buffer) >= MEGABYTE:
            await self._flush(MEGABYTE)

    async def complete(self) -> str:
        """Return the id of the file, "" if nothing was written."""
        if self._buffer:
            await self._flush(len(self._buffer))
        if self._id:
            await self._store.complete(self._owner, self._id, Purpose.BATCH_OUTPUT, self._times[1])
        return self._id

    async def _flush(self, size: int) -> None:
        if not self._id:
            self._id = new_file_id()
            await self._store.begin(self._owner, self._id, self._name, *self._times)
        content = bytes(self._buffer[:size])
        del self._buffer[:size]
        sealed = await sealed_up(self._sealing, self._id, self._parts, content)
        await self._store.add_part(self._owner, self._id, self._parts, len(content), sealed)
        self._parts += 1
