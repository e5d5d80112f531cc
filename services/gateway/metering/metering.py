"""The face of metering: a meter for each dispatched request, and the work behind it.

    dispatched ─▶ journal DISPATCHED
    progress   ─▶ journal PROGRESS, each 256 tokens or 1 s
    settle     ─▶ journal SETTLED ─▶ admission ─▶ (background) usage.Record

The lifecycle owns `open_metering`; closing drains, syncs and removes what nobody needs.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import structlog

from servicekit.clock import Clock, SystemClock
from servicekit.failpoints import failpoint
from servicekit.lifecycle import Background
from services.gateway.metering.accounts import Accounts
from services.gateway.metering.bill import bill
from services.gateway.metering.dead_letters import DeadLetters
from services.gateway.metering.expired_holds import ExpiredHolds
from services.gateway.metering.hold import Ticket, encode_facts
from services.gateway.metering.interfaces import CountRow, ElectsLeader, Explain, FindsHolds, SendRecords, SettlesHolds
from services.gateway.metering.journal.journal import Journal, JournalFull
from services.gateway.metering.journal.records import Dispatched, Progress, Settled, Voided, encode
from services.gateway.metering.journal.segments import DEAD_LETTERS
from services.gateway.metering.options import MeteringOptions
from services.gateway.metering.readiness.clock_watch import ClockWatch
from services.gateway.metering.readiness.health import Health, unaccountable
from services.gateway.metering.recovery import LostEnds, Recovery
from services.gateway.metering.shipper import Shipper
from services.gateway.metering.usage_record import Outcome, RequestFacts, UsageRecord

log = structlog.get_logger()

TICK_S = 1.0


class Meter:
    """One dispatched request, until it is settled or voided; `record` is its row once it is settled."""

    __slots__ = ("_ended", "_last_s", "_last_tokens", "_metering", "facts", "record", "segment", "ticket")

    def __init__(self, metering: Metering, ticket: Ticket, facts: RequestFacts, segment: int, now_s: float) -> None:
        self._metering = metering
        self.ticket = ticket
        self.facts = facts
        self.segment = segment
        self._last_tokens, self._last_s = 0, now_s
        self._ended = False
        self.record: UsageRecord | None = None

    @property
    def delivered_tokens(self) -> int:
        """Return the delivered tokens that were last journalled."""
        return self._last_tokens

    def progress(self, delivered_tokens: int) -> None:
        """Say how many output tokens the caller has by now in total; journals each 256 tokens or 1 s."""
        now_s = self._metering.clock.monotonic()
        options = self._metering.options
        gained = delivered_tokens - self._last_tokens
        if gained >= options.progress_tokens or (gained > 0 and now_s - self._last_s >= options.progress_s):
            self._last_tokens, self._last_s = delivered_tokens, now_s
            self._metering.note_progress(self.ticket.request_id, delivered_tokens)

    async def settle(self, outcome: Outcome, explain: Explain | None = None) -> int:
        """Journal what it cost, then settle the admission, keeping what `explain` says; return the micro-roubles.

        Nothing can be lost any more, even if the task is cancelled. The first call counts; it never raises.
        """
        if self._ended:
            return 0
        self._ended = True
        return await self._metering.settle(self, outcome, explain)

    async def void(self) -> None:
        """Nothing was asked of a provider after all: no row, no cost."""
        if not self._ended:
            self._ended = True
            await self._metering.void(self)


class Metering:
    """Journals, settles and ships."""

    def __init__(
        self,
        journal: Journal,
        shipper: Shipper,
        admission: SettlesHolds,
        clock_watch: ClockWatch,
        *,
        clock: Clock,
        options: MeteringOptions,
    ) -> None:
        self._journal = journal
        self._shipper = shipper
        self._admission = admission
        self._lost_ends = LostEnds(journal)
        self._meters: set[Meter] = set()
        self.health = Health(
            journal,
            shipper,
            clock_watch,
            open_requests=lambda: len(self._meters),
            max_unjournalled=options.max_unjournalled,
        )
        self._recovered = asyncio.Event()
        self.clock = clock
        self.options = options

    @property
    def is_ready(self) -> bool:
        """Tell whether a request can be accounted for from its beginning to its stored row."""
        return not self.health.problems()

    @property
    def accounts(self) -> Accounts:
        """Return where the records of this process are."""
        return self._shipper.accounts

    @property
    def open_requests(self) -> int:
        """Return how many requests are dispatched and not ended."""
        return len(self._meters)

    @property
    def unshipped(self) -> int:
        """Return how many rows the usage service has not confirmed."""
        return self._shipper.pending

    def dispatched(self, ticket: Ticket, facts: RequestFacts) -> Meter:
        """Journal that a request goes out; nothing may be asked of a provider before this returns.

        Raises:
            Unavailable: the journal takes no records; cancel the admission.
        """
        if self.health.refusals():
            raise unaccountable()
        try:
            segment = self._journal.begin_request(encode(Dispatched(ticket, encode_facts(facts))))
        except JournalFull as exc:
            raise unaccountable() from exc
        meter = Meter(self, ticket, facts, segment, self.clock.monotonic())
        self._meters.add(meter)
        failpoint("gateway.after_dispatched")
        return meter

    def note_progress(self, request_id: str, delivered_tokens: int) -> None:
        """Journal progress; a full disk costs precision only."""
        try:
            self._journal.append(encode(Progress(request_id, delivered_tokens)))
        except JournalFull:
            return
        failpoint("gateway.mid_stream")

    async def settle(self, meter: Meter, outcome: Outcome, explain: Explain | None = None) -> int:
        """End a metered request; whatever happens, its lease and hold are given back."""
        record = meter.record = bill(meter.ticket, meter.facts, outcome)
        explanation = explain(record) if explain is not None else ""
        settled = Settled(record, meter.ticket, self.now_us())
        self._meters.discard(meter)
        try:
            failpoint("gateway.before_settled")
            self._journal_settled(meter, settled)
        finally:
            failpoint("gateway.after_settled")
            await self._admission.settle(settled.ticket, settled.tokens, record.cost_micro_rub, explanation)
        return record.cost_micro_rub

    def _journal_settled(self, meter: Meter, settled: Settled) -> None:
        try:
            self._journal.end_request(meter.segment, encode(settled))
            self._shipper.wake()
        except Exception as exc:
            log.warning("metering.settle_not_journalled", request_id=meter.ticket.request_id, error=repr(exc))
            self._shipper.add_unjournalled(settled)

    async def void(self, meter: Meter) -> None:
        """End a metered request that reached nobody."""
        self._meters.discard(meter)
        try:
            self._journal.end_request(meter.segment, encode(Voided(meter.ticket.request_id)))
        except JournalFull:
            log.warning("metering.void_not_journalled", request_id=meter.ticket.request_id)
        await self._admission.settle(meter.ticket, 0, 0)

    async def keep(self, settled: Settled) -> None:
        """Journal a row to ship; while the disk is full, return when it is stored."""
        try:
            self._journal.append(encode(settled))
            self._shipper.wake()
        except JournalFull:
            await self._shipper.deliver_now(settled.record)

    def recovered(self) -> None:
        """The journals of dead boots have been worked through once since the start."""
        self._recovered.set()

    @property
    def recovering(self) -> bool:
        """Tell whether dead journals are still being worked through for the first time."""
        return not self._recovered.is_set()

    async def caught_up(self) -> None:
        """Return when what dead gateways left is taken over, and every record is confirmed."""
        await self._recovered.wait()
        await self._shipper.drained()

    def now_us(self) -> int:
        """Return the wall clock in microseconds."""
        return int(self.clock.now().timestamp() * 1e6)

    async def serve(self) -> None:
        """Sync, carry old requests forward, try a full disk again: once a second, for ever; cancel it to stop."""
        while True:
            await self.clock.sleep(TICK_S)
            self._shipper.observe()
            self._journal.quarantine.observe()
            try:
                self._move(self._journal.return_to_place())
                self._carry_forward()
                for lost in self._lost_ends.take(
                    {each.ticket.request_id for each in self._meters}, now_us=self.now_us()
                ):
                    await self.keep(lost)
                if self._journal.check_room():
                    self._shipper.journal_again()
                await self._journal.sync()
            except (JournalFull, OSError) as exc:
                log.warning("journal.tick_failed", error=str(exc))

    def _carry_forward(self) -> None:
        """Write the oldest open requests anew, so that one long stream does not keep every segment after it."""
        while self._journal.segments > self.options.carry_segments:
            oldest = self._journal.oldest
            self._move([oldest])
            self._journal.acknowledge(self._shipper.place)
            if self._journal.oldest == oldest:
                return  # not shipped yet

    def _move(self, segments: list[int]) -> None:
        """Write the open requests of some segments anew."""
        for meter in [meter for meter in self._meters if meter.segment in segments]:
            begun = encode(Dispatched(meter.ticket, encode_facts(meter.facts)))
            meter.segment = self._journal.move_request(meter.segment, begun)
            if meter.delivered_tokens:
                self._journal.append(encode(Progress(meter.ticket.request_id, meter.delivered_tokens)))


@asynccontextmanager
async def open_metering(
    root: Path,
    election: ElectsLeader,
    send: SendRecords,
    admission: SettlesHolds,
    holds: FindsHolds,
    *,
    boot_id: str,
    options: MeteringOptions | None = None,
    clock: Clock | None = None,
    clock_watch: ClockWatch | None = None,
    count: CountRow = lambda _: None,
) -> AsyncIterator[Metering]:
    """Yield metering with its background work; on leaving, drain (bounded), sync, close.

    Raises:
        JournalLocked: the boot id is in use.
        OSError: the journal's folder cannot be written.
    """
    options, clock = options or MeteringOptions(), clock or SystemClock()
    journal = Journal.open(root, boot_id, segment_bytes=options.segment_bytes)
    dead_letters = DeadLetters(root / DEAD_LETTERS)
    shipper = Shipper(journal, send, dead_letters, clock=clock, rng=random.SystemRandom(), options=options)
    metering = Metering(journal, shipper, admission, clock_watch or ClockWatch({}, clock), clock=clock, options=options)
    own, keep, sync = journal.directory, metering.keep, journal.sync
    recovery = Recovery(root, own, keep=keep, sync=sync, admission=admission, holds=holds, clock=clock, count=count)
    expired_holds = ExpiredHolds(election, holds, send, admission, dead_letters, clock=clock, options=options)
    owner = Background()
    owner.keep(shipper.serve, name="metering.shipper")
    owner.keep(metering.serve, name="metering.tick")
    owner.keep(lambda: recovery.serve(metering.recovered), name="metering.recovery")
    owner.keep(expired_holds.serve, name="metering.expired_holds")
    try:
        yield metering
    finally:
        try:
            async with asyncio.timeout(options.drain_at_stop_s):
                await shipper.drained()
        except TimeoutError:
            log.warning("metering.stopped_with_backlog", records=shipper.pending)
        finally:
            await owner.drain(0.0)
            journal.close(remove=shipper.pending == 0 and metering.open_requests == 0)
