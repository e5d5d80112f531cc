"""Takes work on batches from the router, for as long as the gateway runs: every gateway does, a lease parts them."""

from __future__ import annotations

import asyncio
from collections import Counter

import structlog

from servicekit.clock import Clock
from servicekit.errors import ServiceError, name_of
from servicekit.lifecycle import Background
from services.gateway.batches import metrics
from services.gateway.batches.line_answers import LineAnswers
from services.gateway.batches.looking import Looking
from services.gateway.clients.router.batch_work import BatchWorkClient, ClaimedLine
from services.gateway.work_settings import BatchSettings

log = structlog.get_logger()


class BatchRunner:
    """Looks through files and has lines answered, so many at once.

    Args:
        work: where it comes from.
        looking: looks through files.
        answers: has lines answered.
        tasks: those that answer; they end with their owner.
        news: is set when there is more to do than a moment ago.
    """

    def __init__(
        self,
        work: BatchWorkClient,
        looking: Looking,
        answers: LineAnswers,
        settings: BatchSettings,
        *,
        clock: Clock,
        tasks: Background,
        news: asyncio.Event,
    ) -> None:
        self._work = work
        self._looking = looking
        self._answers = answers
        self._settings = settings
        self._clock = clock
        self._tasks = tasks
        self._news = news
        # Lines that are being answered, by the claim that brought them.
        self._running: Counter[str] = Counter()

    async def run(self) -> None:
        """Work for ever; cancel it to stop taking more."""
        while True:
            self._news.clear()
            if not await self._step():
                await self._rest()

    async def renew(self) -> None:
        """Say again and again that what this gateway has is its own; cancel it to stop."""
        while True:
            await self._clock.sleep(self._settings.renew_s)
            if self._running:
                try:
                    await self._work.renew(tuple(self._running))
                except ServiceError as exc:
                    log.warning("batches.not_renewed", error=name_of(exc))

    async def _step(self) -> bool:
        """Look through one file and take as many lines as there is room for; tell whether there was anything."""
        try:
            looked = await self._looking.look()
            free = self._settings.parallel - self._running.total()
            lines = await self._work.claim_lines(free) if free > 0 else []
        except ServiceError as exc:
            log.warning("batches.no_work_taken", error=name_of(exc))
            return False
        except Exception:
            # A file that nobody foresaw must not end the work on all others.
            log.exception("batches.step_failed")
            return False
        for line in lines:
            self._running[line.claim] += 1
            metrics.RUNNING.inc()
            self._tasks.start(self._answer(line), name="batches.line")
        return looked or bool(lines)

    async def _answer(self, line: ClaimedLine) -> None:
        try:
            await self._answers.answer(line)
        finally:
            self._running[line.claim] -= 1
            if not self._running[line.claim]:
                del self._running[line.claim]
            metrics.RUNNING.dec()
            self._news.set()

    async def _rest(self) -> None:
        try:
            async with asyncio.timeout(self._settings.poll_s):
                await self._news.wait()
        except TimeoutError:
            return
