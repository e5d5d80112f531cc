"""Sends settled records to the usage service, each until it is confirmed.

It reads them back from the journal, so a backlog of hours lies on disk and not in memory. Whatever is in doubt is sent
again: the usage service stores a request id once. It counts: appended = shipped + dead-lettered + quarantined + what is
still pending; when the journal is read to its end and something is pending all the same, that is an alarm.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import structlog

from servicekit.clock import Clock
from servicekit.errors import InvalidRequest, name_of
from servicekit.failpoints import failpoint
from services.gateway.metering import metrics
from services.gateway.metering.accounts import Accounts
from services.gateway.metering.dead_letters import DeadLetters
from services.gateway.metering.interfaces import SendRecords
from services.gateway.metering.journal.journal import Journal
from services.gateway.metering.journal.place import Place
from services.gateway.metering.journal.reader import JournalReader
from services.gateway.metering.journal.records import Settled, decode, encode, is_settled
from services.gateway.metering.journal.segments import Fault
from services.gateway.metering.options import MeteringOptions
from services.gateway.metering.usage_record import Rejected, UsageRecord

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Batch:
    """Records of the journal up to `end`; `appended`: how many there were in all, when the journal ends there."""

    end: Place
    seen: int
    unreadable: int
    records: list[UsageRecord]
    appended: int | None


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
        self._reader = JournalReader(journal)
        self._unjournalled: deque[Settled] = deque()
        self._wake = asyncio.Event()
        self._hurry = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._direct = 0
        self._catching_up = False
        self._oldest_settled_at_us = 0
        self._began_s = -math.inf
        self.accounts = Accounts()

    @property
    def place(self) -> Place:
        """Return up to where the journal is confirmed."""
        return self._reader.place

    @property
    def pending(self) -> int:
        """Return how many records are not confirmed yet."""
        return self.accounts.pending

    @property
    def unjournalled(self) -> int:
        """Return how many records are in memory only."""
        return len(self._unjournalled)

    def wake(self, records: int = 1) -> None:
        """So many settled records were appended to the journal."""
        self.accounts.appended += records
        self._idle.clear()
        self._wake.set()
        if self.pending >= self._options.batch:
            self._hurry.set()

    def add_unjournalled(self, settled: Settled) -> None:
        """Take a record that the journal could not: better from memory than never.

        Metering begins no request for whose end there might be no place here.
        """
        metrics.UNJOURNALLED.inc()
        self._unjournalled.append(settled)
        self.wake()

    def journal_again(self) -> None:
        """Write to the journal what it could not take before.

        Raises:
            JournalFull: it still takes none.
        """
        while self._unjournalled:
            self._journal.append(encode(self._unjournalled[0]))
            self._unjournalled.popleft()

    async def deliver_now(self, record: UsageRecord) -> None:
        """Return when a record that is in no journal of ours is stored, or a dead letter."""
        self.accounts.appended += 1
        self._direct += 1
        try:
            await self._deliver([record], None)
        finally:
            self._direct -= 1

    def observe(self) -> None:
        """Set the gauges."""
        self._dead_letters.observe()
        metrics.DEPTH.set(self.pending)
        metrics.UNACCOUNTED.set(self.accounts.unaccounted)
        metrics.IN_MEMORY.set(len(self._unjournalled))
        now_us = self._clock.now().timestamp() * 1e6
        in_memory = [each.settled_at_us for each in self._unjournalled][:1]
        oldest_us = min(filter(None, [self._oldest_settled_at_us, *in_memory]), default=0)
        metrics.OLDEST.set(max(0.0, (now_us - oldest_us) / 1e6) if oldest_us else 0.0)

    async def serve(self) -> None:
        """Ship, for ever; cancel it to stop."""
        if self.pending:
            # Begun anew after it failed: what woke it then is still to be shipped.
            self._wake.set()
        while True:
            await self._wake.wait()
            await self._linger()
            self._wake.clear()
            self._began_s = self._clock.monotonic()
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
        await self._ship_unjournalled()
        batch = self._next_batch()
        if batch.records:
            await self._deliver(batch.records, batch.end)
            failpoint("gateway.before_ack")
        self._confirm(batch)
        return batch.seen

    async def _ship_unjournalled(self) -> None:
        while self._unjournalled:
            settled = self._unjournalled[0]
            await self._deliver([settled.record], None)
            # Meanwhile it may have found room in the journal: from there it is sent again, which does no harm.
            if self._unjournalled and self._unjournalled[0] is settled:
                self._unjournalled.popleft()
            else:
                self.accounts.appended += 1

    def _confirm(self, batch: _Batch) -> None:
        self.accounts.quarantined += batch.unreadable
        if batch.appended is not None:
            self._account(batch.appended)
        self._reader.place = batch.end
        self._journal.acknowledge(batch.end)
        # What comes next is as old as it is, not as what was confirmed.
        self._oldest_settled_at_us = 0
        if not self.pending:
            self._idle.set()

    def _account(self, appended: int) -> None:
        """All that had been appended is read: what is still pending of it cannot be read any more."""
        lost = self.pending - (self.accounts.appended - appended)
        if not lost:
            return
        if self._journal.missing:
            self.accounts.quarantined += lost
        else:
            self.accounts.unaccounted += lost
        log.error("metering.records_unreadable", records=lost, frames_missing=self._journal.missing)

    async def _linger(self) -> None:
        """Let a batch gather, unless it is full or somebody waits for its end: each costs a call and a transaction."""
        next_s = self._began_s + self._options.batch_every_s - self._clock.monotonic()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(self._options.linger_s, next_s)):
                await self._hurry.wait()
        self._hurry.clear()

    def _next_batch(self) -> _Batch:
        seen, unreadable = 0, 0
        records: list[UsageRecord] = []
        # Without an end of its own it would chase a journal that grows while it reads.
        until = self._journal.end
        appended = self.accounts.appended - len(self._unjournalled) - self._direct
        for place, payload in self._reader.read(until):
            if not is_settled(payload):
                continue
            seen += 1
            settled = self._decode(place, payload)
            if settled is None:
                unreadable += 1
            else:
                if not records:
                    self._oldest_settled_at_us = settled.settled_at_us
                records.append(settled.record)
            if seen == self._options.batch and place != until:
                return _Batch(place, seen, unreadable, records, None)
        return _Batch(until, seen, unreadable, records, appended)

    def _decode(self, place: Place, payload: bytes) -> Settled | None:
        try:
            record = decode(payload)
        except msgspec.DecodeError as exc:
            self._journal.set_aside(place.segment, Fault(place.offset - len(payload), place.offset, 0, str(exc)))
            return None
        return record if isinstance(record, Settled) else None

    async def _deliver(self, batch: Sequence[UsageRecord], end: Place | None) -> None:
        """Send until confirmed; `end` is where the batch ends in the journal, None: it is not in it."""
        wait_s = self._options.retry_first_s
        while True:
            try:
                rejected = await self._refused(batch)
                if rejected is not None:
                    self._set_aside(batch, rejected, end)
            except Exception as exc:  # any failure of a call means the same here: not confirmed, so again
                metrics.RETRIES.inc()
                if not self._catching_up:
                    log.warning("metering.ship_failed", records=len(batch), error=name_of(exc))
                self._catching_up = True
                await self._clock.sleep(wait_s * self._rng.uniform(0.5, 1.0))
                wait_s = min(wait_s * 2, self._options.retry_max_s)
            else:
                break
        if rejected is None:
            middle = len(batch) // 2
            await self._deliver(batch[:middle], end)
            await self._deliver(batch[middle:], end)

    async def _refused(self, batch: Sequence[UsageRecord]) -> Sequence[Rejected] | None:
        """Send once, and return which records were refused; None: one of them, nobody says which, spoils them all."""
        try:
            return await self._send(batch)
        except InvalidRequest as exc:
            if len(batch) > 1:
                return None
            return [Rejected(batch[0].request_id, exc.param or "", exc.message)]

    def _set_aside(self, batch: Sequence[UsageRecord], rejected: Sequence[Rejected], end: Place | None) -> None:
        by_id = {each.request_id: each for each in rejected}
        stored = [record for record in batch if record.request_id not in by_id]
        for record in batch:
            if record.request_id in by_id:
                self._bury(record, by_id[record.request_id], end)
        self.accounts.shipped += len(stored)
        metrics.SHIPPED.inc(len(stored))

    def _bury(self, record: UsageRecord, why: Rejected, end: Place | None) -> None:
        """Keep what is refused; when its line finds no room, its segment stays instead.

        Raises:
            OSError: it is in no segment either.
        """
        try:
            self._dead_letters.add(record, why)
        except OSError as exc:
            if end is None:
                raise
            fault = Fault(0, end.offset, 0, f"refused ({why.field}: {why.message}), and no room for a dead letter")
            log.error("metering.dead_letter_not_written", request_id=record.request_id, error=exc.strerror)
            for number in self._journal.segments_from(self.place.segment, end.segment):
                self._journal.set_aside(number, fault)
            self.accounts.quarantined += 1
        else:
            self.accounts.dead_lettered += 1
