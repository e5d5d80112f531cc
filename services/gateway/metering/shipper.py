"""Sends settled records to the usage service, each until it is confirmed.

It reads them back from the journal, so a backlog of hours lies on disk and not in memory. Whatever is in doubt is sent
again: the usage service stores a request id once.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import deque
from collections.abc import Sequence

import msgspec
import structlog

from servicekit.clock import Clock
from servicekit.errors import InvalidRequest
from servicekit.failpoints import failpoint
from services.gateway.metering import metrics
from services.gateway.metering.dead_letters import DeadLetters
from services.gateway.metering.interfaces import SendRecords
from services.gateway.metering.journal.journal import Journal, Place
from services.gateway.metering.journal.reader import JournalReader
from services.gateway.metering.journal.records import Settled, decode, is_settled
from services.gateway.metering.options import MeteringOptions
from services.gateway.metering.usage_record import Rejected, UsageRecord

log = structlog.get_logger()


class Shipper:
    """One batch at a time, in the order of the journal."""

    def __init__(
        self,
        journal: Journal,
        send: SendRecords,
        dead_letters: DeadLetters,
        *,
        clock: Clock,
        rng: random.Random,
        options: MeteringOptions,
    ) -> None:
        self._journal = journal
        self._send = send
        self._dead_letters = dead_letters
        self._clock = clock
        self._rng = rng
        self._options = options
        self._reader = JournalReader(journal.directory, Place(1, 0))
        self._unjournalled: deque[UsageRecord] = deque(maxlen=options.max_unjournalled)
        self._wake = asyncio.Event()
        self._hurry = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._pending = 0
        self._catching_up = False
        self._oldest_settled_at_us = 0

    @property
    def place(self) -> Place:
        """Return up to where the journal is confirmed."""
        return self._reader.place

    @property
    def pending(self) -> int:
        """Return how many records are not confirmed yet."""
        return self._pending + len(self._unjournalled)

    def wake(self, records: int = 1) -> None:
        """So many settled records were appended to the journal."""
        self._pending += records
        self._idle.clear()
        self._wake.set()
        if self._pending >= self._options.batch:
            self._hurry.set()

    def add_unjournalled(self, record: UsageRecord) -> None:
        """Take a record that the journal could not: better from memory than never."""
        metrics.UNJOURNALLED.inc()
        self._unjournalled.append(record)
        self._idle.clear()
        self._wake.set()

    def observe(self) -> None:
        """Set the gauges."""
        metrics.DEPTH.set(self.pending)
        now_us = self._clock.now().timestamp() * 1e6
        oldest_us = self._oldest_settled_at_us if self._pending else 0
        metrics.OLDEST.set(max(0.0, (now_us - oldest_us) / 1e6) if oldest_us else 0.0)

    async def serve(self) -> None:
        """Ship, for ever; cancel it to stop."""
        while True:
            await self._wake.wait()
            await self._linger()
            self._wake.clear()
            # What came while a batch was on its way lingers too: small batches cost the usage service twice as much.
            while await self.ship_batch() == self._options.batch:
                if self._catching_up:
                    await self._clock.sleep(self._options.batch / self._options.drain_per_s)
            self._catching_up = False

    async def drained(self) -> None:
        """Return when every record is confirmed."""
        self._hurry.set()
        self._wake.set()
        await self._idle.wait()

    async def ship_batch(self) -> int:
        """Ship the next batch until it is confirmed; return how many settled records of the journal were in it."""
        while self._unjournalled:
            record = self._unjournalled[0]
            await self._deliver([record])
            self._unjournalled.popleft()
        end, seen, batch = self._next_batch()
        if batch:
            await self._deliver(batch)
            failpoint("gateway.before_ack")
            metrics.SHIPPED.inc(len(batch))
        self._pending -= seen
        self._reader.place = end
        self._journal.acknowledge(end)
        if not self.pending:
            self._idle.set()
        return seen

    async def _linger(self) -> None:
        """Let a batch gather, unless it is full or somebody waits for the end."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._options.linger_s):
                await self._hurry.wait()
        self._hurry.clear()

    def _next_batch(self) -> tuple[Place, int, list[UsageRecord]]:
        """Return where it ends, how many settled records are in it, and those that can be read."""
        seen = 0
        batch: list[UsageRecord] = []
        # Without an end of its own it would chase a journal that grows while it reads.
        until = self._journal.end
        for place, payload in self._reader.read(until):
            if not is_settled(payload):
                continue
            seen += 1
            settled = self._decode(payload)
            if settled is not None:
                if not batch:
                    self._oldest_settled_at_us = settled.settled_at_us
                batch.append(settled.record)
            if seen == self._options.batch:
                return place, seen, batch
        return until, seen, batch

    @staticmethod
    def _decode(payload: bytes) -> Settled | None:
        try:
            record = decode(payload)
        except msgspec.DecodeError as exc:
            metrics.CORRUPT.inc()
            log.error("journal.unreadable_record", error=str(exc))
            return None
        return record if isinstance(record, Settled) else None

    async def _deliver(self, batch: Sequence[UsageRecord]) -> None:
        wait_s = self._options.retry_first_s
        while True:
            try:
                rejected = await self._send(batch)
            except InvalidRequest as exc:
                await self._divide(batch, exc)
                return
            except Exception as exc:  # any failure of a call means the same here: not confirmed, so again
                metrics.RETRIES.inc()
                if not self._catching_up:
                    log.warning("metering.ship_failed", records=len(batch), error=type(exc).__name__)
                self._catching_up = True
                await self._clock.sleep(wait_s * self._rng.uniform(0.5, 1.0))
                wait_s = min(wait_s * 2, self._options.retry_max_s)
            else:
                self._set_aside(batch, rejected)
                return

    async def _divide(self, batch: Sequence[UsageRecord], refused: InvalidRequest) -> None:
        """Find the record that spoils the batch."""
        if len(batch) == 1:
            why = Rejected(batch[0].request_id, refused.param or "", refused.message)
            self._dead_letters.add(batch[0], why)
            return
        middle = len(batch) // 2
        await self._deliver(batch[:middle])
        await self._deliver(batch[middle:])

    def _set_aside(self, batch: Sequence[UsageRecord], rejected: Sequence[Rejected]) -> None:
        if rejected:
            by_id = {each.request_id: each for each in rejected}
            for record in batch:
                if record.request_id in by_id:
                    self._dead_letters.add(record, by_id[record.request_id])
