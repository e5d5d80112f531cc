"""Bills the holds whose gateway vanished together with its journal.

The gateway does it because it alone owns the admission keys. A hold expires when its owner stops renewing it; after a
grace, in which a restarted gateway may still explain it from its journal, it becomes a row with the input estimate and
source REAPED, and only then is it released. Should the exact row turn up later, the usage service replaces the reaped
one by it; one gateway at a time does this, but twice would do no harm.
"""

from __future__ import annotations

import structlog

from servicekit.clock import Clock
from servicekit.errors import InvalidRequest
from services.gateway.metering import metrics
from services.gateway.metering.bill import kept_bill
from services.gateway.metering.chores.rounds import again_and_again
from services.gateway.metering.dead_letters import DeadLetters
from services.gateway.metering.hold import Hold
from services.gateway.metering.interfaces import ElectsLeader, FindsHolds, SendRecords, SettlesHolds
from services.gateway.metering.options import MeteringOptions
from services.gateway.metering.settle import reaped_record
from services.gateway.metering.usage_record import Rejected, Source, UsageRecord

log = structlog.get_logger()

BATCH = 100
CHORE = "reaper"


class ExpiredHolds:
    """Looks for holds without an owner, every so often."""

    def __init__(
        self,
        election: ElectsLeader,
        holds: FindsHolds,
        send: SendRecords,
        admission: SettlesHolds,
        dead_letters: DeadLetters,
        *,
        clock: Clock,
        options: MeteringOptions,
    ) -> None:
        self._election = election
        self._holds = holds
        self._send = send
        self._admission = admission
        self._dead_letters = dead_letters
        self._clock = clock
        self._options = options

    async def serve(self) -> None:
        """Bill what has expired, for ever; cancel it to stop."""
        await again_and_again(
            self._election,
            CHORE,
            self.bill,
            clock=self._clock,
            every_s=self._options.reap_every_s,
            timeout_s=self._options.chores_timeout_s,
            missed="metering.reaping_missed",
        )

    async def bill(self) -> int:
        """Bill and release every hold that expired before the grace; return how many.

        Raises:
            ServiceError: Redis or the usage service is away; the holds stay for the next time.
            OSError: no room for a dead letter; its hold stays.
        """
        billed = 0
        batch: list[Hold] = []
        async for hold in self._holds.expired(older_than_s=self._options.reap_grace_s):
            batch.append(hold)
            if len(batch) == BATCH:
                billed += await self._bill(batch)
                batch = []
        billed += await self._bill(batch)
        async for ticket in self._holds.forsaken(older_than_s=self._options.reap_grace_s):
            await self._admission.settle(ticket, 0, 0)
        return billed

    async def _bill(self, batch: list[Hold]) -> int:
        if not batch:
            return 0
        records = [await self._record(hold) for hold in batch]
        try:
            rejected = await self._send(records)
        except InvalidRequest as exc:
            if len(batch) > 1:
                return sum([await self._bill([hold]) for hold in batch])
            rejected = [Rejected(batch[0].request_id, exc.param or "", exc.message)]
        await self._release(batch, records, {each.request_id: each for each in rejected})
        for record in records:
            _count(record)
        log.warning("metering.reaped", holds=len(batch))
        return len(batch)

    async def _record(self, hold: Hold) -> UsageRecord:
        kept = await kept_bill(self._holds, hold.ticket, hold.facts)
        return reaped_record(hold) if kept is None else kept.record

    async def _release(self, batch: list[Hold], records: list[UsageRecord], refused: dict[str, Rejected]) -> None:
        for hold, record in zip(batch, records, strict=True):
            if hold.request_id in refused:
                self._dead_letters.add(record, refused[hold.request_id])
            tokens = record.tokens_input + record.tokens_output
            await self._admission.settle(hold.ticket, tokens, record.cost_micro_rub)


def _count(record: UsageRecord) -> None:
    metrics.count_bill(record)
    # Not the bill that lay beside its answer, which is as exact as any: its gateway did not live to count it.
    if record.source is Source.REAPED:
        metrics.REAPED.inc()
        metrics.ESTIMATED.inc()
