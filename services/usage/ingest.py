"""Record: a batch becomes rows and rollups in one transaction, once, however often it is sent."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import structlog

from servicekit.clock import Clock
from servicekit.errors import ErrorReason, InvalidRequest, Unavailable
from servicekit.failpoints import failpoint
from services.usage import metrics
from services.usage.domain.batch import Batch, fold, judge
from services.usage.domain.record import UsageRecord
from services.usage.domain.validation import Rejected
from services.usage.settings import IngestSettings
from services.usage.store import Collision, Refusal, Transaction, UsageStore

log = structlog.get_logger()

# A deadlock's partner needs about one transaction's time, 10 ms, to be done.
RETRY_BASE_S: Final = 0.010
RETRY_MAX_S: Final = 0.200


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a batch: the four sum up to the records received."""

    inserted: int
    duplicates: int
    replaced: int
    rejected: tuple[Rejected, ...]


class Ingest:
    """Stores usage records exactly once."""

    def __init__(self, store: UsageStore, settings: IngestSettings, *, clock: Clock, rng: random.Random) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock
        self._rng = rng

    def now_us(self) -> int:
        """Return the clock by which records are judged, in Unix microseconds."""
        return int(self._clock.now().timestamp() * 1e6)

    async def record(self, records: Sequence[UsageRecord]) -> Outcome:
        """Store the batch and return when it is durable; records that can never be stored are named.

        Raises:
            InvalidRequest: more records than a batch may have.
            Unavailable: PostgreSQL is down or too contended; nothing was stored, send the batch again.
        """
        if len(records) > self._settings.batch_max:
            raise InvalidRequest(
                ErrorReason.PAYLOAD_TOO_LARGE, f"More than {self._settings.batch_max} records.", param="records"
            )
        started = self._clock.monotonic()
        outcome = await self._store_batch(fold(records, now=self._clock.now()))
        _count(len(records), outcome, self._clock.monotonic() - started)
        return outcome

    async def _store_batch(self, batch: Batch) -> Outcome:
        if not batch.records:
            _report(batch.conflicting, batch.rejected)
            return Outcome(0, batch.duplicates, 0, batch.rejected)
        await self._store.ensure_months(batch.months())
        try:
            return await self._try_repeatedly(batch)
        except Refusal:
            return await self._store_batch(await self._without_refused(batch))

    async def _without_refused(self, batch: Batch) -> Batch:
        """Leave out what PostgreSQL refuses although we found it fit: one such record must not block the others."""
        refused = await self._store.find_refused(batch.records)
        if not refused:
            raise Unavailable(ErrorReason.DATABASE_ERROR, "The batch was refused, but none of its records is.")
        rejected = tuple(Rejected(request_id, "record", message) for request_id, message in refused.items())
        kept = tuple(record for record in batch.records if record.request_id not in refused)
        return replace(batch, records=kept, rejected=batch.rejected + rejected)

    async def _try_repeatedly(self, batch: Batch) -> Outcome:
        for tried in range(1, self._settings.tries_max + 1):
            try:
                return await self._store_once(batch)
            except Collision as exc:
                if tried == self._settings.tries_max:
                    raise Unavailable(
                        ErrorReason.DATABASE_ERROR, "The usage database is contended.", retry_after_s=1.0
                    ) from exc
                metrics.RETRIES.inc()
                await self._clock.sleep(self._rng.uniform(0, min(RETRY_MAX_S, RETRY_BASE_S * 2**tried)))
        raise AssertionError("the last try returns or raises")

    async def _store_once(self, batch: Batch) -> Outcome:
        async with self._store.transaction() as transaction:
            inserted_ids = await transaction.insert(batch.records)
            known = [record for record in batch.records if record.request_id not in inserted_ids]
            replaced, conflicting = await _replace_reaped(transaction, known) if known else (0, ())
            failpoint("usage.in_transaction")
        failpoint("usage.after_commit")
        _report(batch.conflicting + conflicting, batch.rejected)
        duplicates = batch.duplicates + len(known) - replaced
        return Outcome(len(inserted_ids), duplicates, replaced, batch.rejected)


async def _replace_reaped(transaction: Transaction, known: Sequence[UsageRecord]) -> tuple[int, tuple[str, ...]]:
    """Replace reapers' guesses; return how many, and the ids that contradict what is stored."""
    verdict = judge(known, await transaction.find(known))
    if not verdict.replacements:
        return 0, verdict.conflicting
    guesses = await transaction.lock_reaped(verdict.replacements)
    replacing = [record for record in verdict.replacements if record.request_id in guesses]
    await transaction.replace(replacing)
    return len(replacing), verdict.conflicting


def _report(conflicting: Sequence[str], rejected: Sequence[Rejected]) -> None:
    for request_id in conflicting:
        metrics.CONFLICTING_DUPLICATES.inc()
        log.error("usage.conflicting_duplicate", request_id=request_id)
    for problem in rejected:
        log.error("usage.rejected", request_id=problem.request_id, field=problem.field, problem=problem.message)


def _count(received: int, outcome: Outcome, seconds: float) -> None:
    metrics.BATCH_RECORDS.observe(received)
    metrics.RECORD_SECONDS.observe(seconds)
    metrics.RECORDS.labels("inserted").inc(outcome.inserted)
    metrics.RECORDS.labels("duplicate").inc(outcome.duplicates)
    metrics.RECORDS.labels("replaced").inc(outcome.replaced)
    metrics.RECORDS.labels("rejected").inc(len(outcome.rejected))
