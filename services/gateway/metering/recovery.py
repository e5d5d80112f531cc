"""At start: what dead gateways on this disk left unsaid is said.

SETTLED that is not confirmed is copied to the living journal, from where it is shipped; DISPATCHED without an end is
settled by the interrupted rule; a hold of that boot that its journal does not know was never dispatched and is
cancelled: when Redis is away just then, as soon as it is back. Everything here may happen twice (a crash in the middle,
two gateways at once): request ids make it harmless. A segment is deleted when everything in it was understood; one with
damage goes to the quarantine, with what lies behind the damage read all the same.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Set
from pathlib import Path

import msgspec
import structlog

from servicekit.clock import Clock
from servicekit.errors import ServiceError, name_of
from services.gateway.metering import metrics
from services.gateway.metering.bill import kept_bill
from services.gateway.metering.hold import Hold, Ticket, decode_facts
from services.gateway.metering.interfaces import CountRow, FindsHolds, SettlesHolds
from services.gateway.metering.journal.journal import Journal
from services.gateway.metering.journal.place import Place
from services.gateway.metering.journal.quarantine import Quarantine
from services.gateway.metering.journal.reader import DeadJournal, readable
from services.gateway.metering.journal.records import (
    Dispatched,
    JournalRecord,
    Progress,
    Settled,
    Voided,
    decode,
    is_settled,
)
from services.gateway.metering.journal.segments import (
    LOCK,
    DirectoryLock,
    Fault,
    remove_directory,
    segment_path,
)
from services.gateway.metering.settle import interrupted, usage_record
from services.gateway.metering.usage_record import RequestFacts, UsageRecord

log = structlog.get_logger()

# Records between two turns of the event loop: recovery must not stall the living.
PAUSE_EVERY = 500
AGAIN_S = 60.0
# While the holds of a dead boot could not be looked through.
UNEXPLAINED_AGAIN_S = 1.0


class OpenRequests:
    """What a dead journal says began and never ended; memory grows with what was running, not with the journal.

    `holds` are those of the dead boot; None: Redis cannot say, so every id is remembered.
    """

    def __init__(self, holds: dict[str, Hold] | None) -> None:
        self.dispatched: dict[str, tuple[Ticket, RequestFacts]] = {}
        self.delivered: dict[str, int] = {}
        self.billed: set[str] = set()
        self._holds = holds

    def see(self, payload: bytes) -> None:
        """Read the next record.

        Raises:
            msgspec.DecodeError: it is not one of ours.
        """
        self._take(decode(payload))

    def _take(self, record: JournalRecord) -> None:
        if isinstance(record, Dispatched):
            self.dispatched[record.ticket.request_id] = (record.ticket, decode_facts(record.facts))
            self._bill(record.ticket.request_id)
        elif isinstance(record, Progress):
            self.delivered[record.request_id] = record.delivered_tokens
        elif isinstance(record, Settled):
            self._close(record.ticket.request_id)
            self._bill(record.ticket.request_id)
        elif isinstance(record, Voided):
            self._close(record.request_id)
            self.billed.discard(record.request_id)

    def _close(self, request_id: str) -> None:
        self.dispatched.pop(request_id, None)
        self.delivered.pop(request_id, None)

    def _bill(self, request_id: str) -> None:
        if self._holds is None or request_id in self._holds:
            self.billed.add(request_id)


class LostEnds:
    """Requests of the living whose ends were destroyed in the journal before they were shipped."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._seen = 0

    def take(self, running: Set[str], *, now_us: int) -> list[Settled]:
        """Return, once after each damage, what is known of them: the interrupted rule, as after a crash."""
        if self._journal.missing == self._seen:
            return []
        self._seen = self._journal.missing
        requests = OpenRequests({})
        for payload in readable(self._journal):
            with contextlib.suppress(msgspec.DecodeError):  # the shipper sets its segment aside
                requests.see(payload)
        return [
            Settled(_interrupted(requests, ticket, facts, "journal_damaged"), ticket, now_us)
            for request_id, (ticket, facts) in requests.dispatched.items()
            if request_id not in running
        ]


def _interrupted(requests: OpenRequests, ticket: Ticket, facts: RequestFacts, why: str) -> UsageRecord:
    record = usage_record(ticket, facts, interrupted(requests.delivered.get(ticket.request_id, 0), why))
    metrics.count_bill(record)
    return record


class Recovery:
    """Works through the directories of dead boots."""

    def __init__(
        self,
        root: Path,
        own_directory: Path,
        *,
        keep: Callable[[Settled], Awaitable[None]],
        sync: Callable[[], Awaitable[None]],
        admission: SettlesHolds,
        holds: FindsHolds,
        clock: Clock,
        count: CountRow,
    ) -> None:
        self._root = root
        self._own_directory = own_directory
        self._keep = keep
        self._sync = sync
        self._quarantine = Quarantine(root)
        self._admission = admission
        self._holds = holds
        self._clock = clock
        self._count = count
        # Boots whose holds could not be seen, and the requests of each that are settled from its journal.
        self._unexplained: dict[str, set[str]] = {}

    async def serve(self, done: Callable[[], None]) -> None:
        """Recover now and every minute (a neighbour on this disk may die later); cancel it to stop.

        `done` is called after each round.
        """
        while True:
            try:
                await self.run()
            except OSError as exc:
                log.error("metering.recovery_failed", error=str(exc))
            done()
            await self._clock.sleep(UNEXPLAINED_AGAIN_S if self._unexplained else AGAIN_S)

    async def run(self) -> int:
        """Adopt every dead journal; return how many requests were settled from them.

        One that cannot be read or removed stays for the next round.

        Raises:
            OSError: the folder of the journals cannot be read.
        """
        recovered = 0
        for directory in sorted(self._root.iterdir()):
            if directory == self._own_directory or not (directory / LOCK).exists():
                continue
            lock = DirectoryLock.take(directory)
            if lock is None:
                continue
            try:
                recovered += await self._adopt(directory)
            except OSError as exc:
                log.error("metering.recovery_failed", boot_id=directory.name, error=str(exc))
            finally:
                lock.free()
        await self._explain()
        return recovered

    async def _adopt(self, directory: Path) -> int:
        boot_id = directory.name
        holds = await self._holds_of(boot_id)
        journal = DeadJournal(directory)
        requests = await self._read(journal, holds)
        made = await self._settle_open(requests)
        count = len(made)
        for number in journal.numbers:
            count += await self._copy_settled(journal, number, holds)
        # Nobody reads of them again, so each is counted once. What has an end its own gateway has counted.
        for record in made:
            self._count(record)
        if holds is None:
            self._unexplained[boot_id] = requests.billed
        else:
            await self._cancel_never_dispatched(holds, requests.billed)
        remove_directory(directory)
        metrics.RECOVERED.inc(count)
        log.info("metering.recovered", boot_id=boot_id, requests=count, interrupted=len(made))
        return count

    @staticmethod
    async def _read(journal: DeadJournal, holds: dict[str, Hold] | None) -> OpenRequests:
        requests = OpenRequests(holds)
        for at, (place, payload) in enumerate(journal.read()):
            try:
                requests.see(payload)
            except msgspec.DecodeError as exc:
                journal.set_aside(
                    place.segment, Fault(place.offset - len(payload), place.offset, 0, f"no record of ours: {exc}")
                )
            if at % PAUSE_EVERY == 0:
                await asyncio.sleep(0)
        return requests

    async def _explain(self) -> None:
        """Look again for the holds of boots that died while Redis was away."""
        for boot_id, billed in list(self._unexplained.items()):
            holds = await self._holds_of(boot_id)
            if holds is not None:
                await self._cancel_never_dispatched(holds, billed)
                del self._unexplained[boot_id]

    async def _cancel_never_dispatched(self, holds: dict[str, Hold], billed: set[str]) -> None:
        for request_id, hold in holds.items():
            if request_id not in billed:
                await self._admission.settle(hold.ticket, 0, 0)

    async def _settle_open(self, requests: OpenRequests) -> list[UsageRecord]:
        rows: list[UsageRecord] = []
        for ticket, facts in requests.dispatched.values():
            settled = await kept_bill(self._holds, ticket, facts)
            if settled is None:
                record = _interrupted(requests, ticket, facts, "gateway_restarted")
                settled = Settled(record, ticket, int(self._clock.now().timestamp() * 1e6))
            else:
                metrics.count_bill(settled.record)
            await self._settle(settled)
            rows.append(settled.record)
        return rows

    async def _copy_settled(self, journal: DeadJournal, number: int, holds: dict[str, Hold] | None) -> int:
        count = 0
        for place, payload in journal.read_segment(number):
            if is_settled(payload):
                with contextlib.suppress(msgspec.DecodeError):  # a fault since it was first read
                    count += await self._take_over(journal, place, payload, holds)
        # What was copied is on the disk before the original goes.
        await self._sync()
        path = segment_path(journal.directory, number)
        if number in journal.faults:
            # Killed in between, its successor raises one alarm too many; the other way round the file could be deleted.
            self._quarantine.take(path, journal.faults[number])
            journal.confirm(number)
        else:
            journal.confirm(number)
            path.unlink()
        return count

    async def _take_over(
        self, journal: DeadJournal, place: Place, payload: bytes, holds: dict[str, Hold] | None
    ) -> int:
        """Settle one record, and ship it unless it is stored already; return how many rows that makes."""
        settled = decode(payload)
        assert isinstance(settled, Settled)
        if place > journal.confirmed:
            await self._settle(settled)
            return 1
        if holds is None or settled.ticket.request_id in holds:
            await self._release(settled)
        return 0

    async def _settle(self, settled: Settled) -> None:
        await self._keep(settled)
        await self._release(settled)

    async def _release(self, settled: Settled) -> None:
        await self._admission.settle(settled.ticket, settled.tokens, settled.record.cost_micro_rub)

    async def _holds_of(self, boot_id: str) -> dict[str, Hold] | None:
        try:
            return {hold.request_id: hold async for hold in self._holds.all() if hold.facts.boot_id == boot_id}
        except ServiceError as exc:
            log.warning("metering.holds_unseen", boot_id=boot_id, error=name_of(exc))
            return None
