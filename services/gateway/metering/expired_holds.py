"""Bills the holds whose gateway vanished together with its journal.

The gateway does it because it alone owns the admission keys. A hold expires when its owner stops renewing it; after a
grace, in which a restarted gateway may still explain it from its journal, it becomes a row with the input estimate and
source REAPED, and only then is it released. Should the exact row turn up later, the usage service replaces the reaped
one by it; one gateway at a time reaps, but twice would do no harm.
"""

from __future__ import annotations

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from servicekit.clock import Clock
from servicekit.errors import InvalidRequest, ServiceError
from services.gateway.metering import metrics
from services.gateway.metering.dead_letters import DeadLetters
from services.gateway.metering.interfaces import FindsHolds, Record, Settles
from services.gateway.metering.leader_election import elected
from services.gateway.metering.options import MeteringOptions
from services.gateway.metering.usage_record import Hold, Rejected, Source, Status, UsageRecord

log = structlog.get_logger()

BATCH = 100


class Reaper:
    """Looks for holds without an owner, every so often."""

    def __init__(
        self,
        client: Redis,
        holds: FindsHolds,
        record: Record,
        admission: Settles,
        dead_letters: DeadLetters,
        *,
        clock: Clock,
        options: MeteringOptions,
    ) -> None:
        self._client = client
        self._holds = holds
        self._record = record
        self._admission = admission
        self._dead_letters = dead_letters
        self._clock = clock
        self._options = options

    async def serve(self) -> None:
        """Reap, for ever; cancel it to stop."""
        while True:
            await self._clock.sleep(self._options.reap_every_s)
            try:
                async with elected(self._client, "reaper", timeout_s=self._options.chores_timeout_s) as chosen:
                    if chosen:
                        await self.run_once()
            except (RedisError, OSError, TimeoutError, ServiceError) as exc:
                log.warning("metering.reaping_missed", error=type(exc).__name__)

    async def run_once(self) -> int:
        """Bill and release every hold that expired before the grace; return how many.

        Raises:
            RedisError: Redis is lost.
            ServiceError: the usage service is away; the holds stay for the next time.
        """
        reaped = 0
        batch: list[Hold] = []
        async for hold in self._holds.expired(older_than_s=self._options.reap_grace_s):
            batch.append(hold)
            if len(batch) == BATCH:
                reaped += await self._reap(batch)
                batch = []
        return reaped + await self._reap(batch)

    async def _reap(self, batch: list[Hold]) -> int:
        if not batch:
            return 0
        try:
            rejected = await self._record([reaped_record(hold) for hold in batch])
        except InvalidRequest as exc:
            if len(batch) == 1:
                rejected = [Rejected(batch[0].request_id, exc.param or "", exc.message)]
            else:
                return sum([await self._reap([hold]) for hold in batch])
        refused = {each.request_id: each for each in rejected}
        for hold in batch:
            if hold.request_id in refused:
                self._dead_letters.add(reaped_record(hold), refused[hold.request_id])
            await self._admission.settle(hold.ticket, hold.facts.input_tokens, hold.facts.input_cost_micro_rub)
        metrics.REAPED.inc(len(batch))
        metrics.ESTIMATED.inc(len(batch))
        log.warning("metering.reaped", holds=len(batch))
        return len(batch)


def reaped_record(hold: Hold) -> UsageRecord:
    """Return the row of a hold that nobody explains: its input estimate, since a provider was probably asked."""
    facts = hold.facts
    return UsageRecord(
        request_id=hold.request_id,
        user_id=hold.user_id,
        key_id=facts.key_id,
        grant_id=facts.grant_id,
        client_id=facts.client_id,
        provider=facts.provider,
        model=facts.model,
        requested_model=facts.requested_model,
        endpoint=facts.endpoint,
        stream=facts.stream,
        tokens_input=facts.input_tokens,
        cost_micro_rub=facts.input_cost_micro_rub,
        price_version=facts.price_version,
        status=Status.INTERRUPTED,
        source=Source.REAPED,
        error_code="gateway_lost",
        started_at_us=facts.started_at_us,
    )
