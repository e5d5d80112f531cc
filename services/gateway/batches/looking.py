"""The look through a batch's file, before anything of it is asked: all of its lines are good, or it fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Final

import structlog

from servicekit.errors import NotFound
from services.gateway.batches import metrics
from services.gateway.batches.input_lines import LineCheck, WrongLineError, lines_of
from services.gateway.batches.line_route import LineRoute
from services.gateway.clients.router.batch_work import BatchWorkClient, NewLine, UncheckedBatch
from services.gateway.clients.router.batches import LineError

log = structlog.get_logger()

# Nobody reads on behind so many.
MOST_ERRORS: Final = 100
# Lines go to the router in messages of about this size.
BYTES_AT_ONCE: Final = 1024 * 1024
LINES_AT_ONCE: Final = 500
# Lines between two turns of the event loop.
PAUSE_EVERY: Final = 20


class Looking:
    """Looks through files, one at a time.

    Args:
        work: whose files.
        routes: endpoint -> what answers its lines.
        most_lines: of one file.
        longest_line: in bytes.
    """

    def __init__(
        self, work: BatchWorkClient, routes: Mapping[str, LineRoute], *, most_lines: int, longest_line: int
    ) -> None:
        self._work = work
        self._routes = routes
        self._most_lines = most_lines
        self._longest_line = longest_line

    async def look(self) -> bool:
        """Look through one file; tell whether there was one.

        Raises:
            Conflict: it took so long that another worker does it.
            Unavailable: the router cannot be asked.
        """
        batch = await self._work.claim_batch()
        if batch is None:
            return False
        errors = await self._errors(batch)
        await self._work.start_batch(batch.id, errors)
        metrics.FILES.labels("wrong" if errors else "good").inc()
        log.info("batches.looked_through", batch=batch.id, errors=len(errors))
        return True

    async def _errors(self, batch: UncheckedBatch) -> list[LineError]:
        if not batch.parts:
            return [_gone()]
        file = _File(self._work, batch, LineCheck(batch.endpoint, self._routes[batch.endpoint]))
        try:
            await self._read(file)
        except WrongLineError as exc:
            file.errors.append(exc.error)
        except NotFound:
            return [_gone()]
        if not file.errors and not file.lines:
            return [LineError("empty_file", "The input file has no requests.")]
        return file.errors

    async def _read(self, file: _File) -> None:
        async for number, raw in lines_of(file.parts(), self._longest_line):
            await file.take(number, raw)
            if file.lines > self._most_lines:
                text = f"The input file has more than {self._most_lines} requests."
                raise WrongLineError(LineError("too_many_requests", text))
            if len(file.errors) >= MOST_ERRORS:
                return
        await file.flush()


class _File:
    """A file that is being looked through: what was found of it so far."""

    def __init__(self, work: BatchWorkClient, batch: UncheckedBatch, check: LineCheck) -> None:
        self._work = work
        self._batch = batch
        self._check = check
        self._waiting: list[NewLine] = []
        self._size = 0
        self.lines = 0
        self.errors: list[LineError] = []

    async def parts(self) -> AsyncIterator[bytes]:
        """Yield its content."""
        for number in range(self._batch.parts):
            yield await self._work.read_input(self._batch.id, number)

    async def take(self, number: int, raw: bytes) -> None:
        """Check a line; it is kept, or noted as wrong."""
        self.lines += 1
        try:
            line = await self._check.checked(number, raw)
        except WrongLineError as exc:
            self.errors.append(exc.error)
            return
        if self.lines % PAUSE_EVERY == 0:
            await asyncio.sleep(0)
        if not self.errors:
            await self._keep(line)

    async def _keep(self, line: NewLine) -> None:
        self._waiting.append(line)
        self._size += len(line.body)
        if self._size >= BYTES_AT_ONCE or len(self._waiting) >= LINES_AT_ONCE:
            await self.flush()

    async def flush(self) -> None:
        """Hand over what is kept, unless something is wrong: then nothing of the file is ever asked."""
        if self._waiting and not self.errors:
            await self._work.add_lines(self._batch.id, self._waiting)
        self._waiting, self._size = [], 0


def _gone() -> LineError:
    return LineError("file_not_found", "The input file is not there any more.", "input_file_id")
