"""`Record`: stores a batch as rows and rollups in one transaction, exactly once however often it is sent."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from operator import attrgetter
from typing import Final

import structlog

from servicekit.clock import Clock
from servicekit.errors import ErrorReason, InvalidRequest, Unavailable
from servicekit.failpoints import failpoint
from services.usage import metrics
from services.usage.domain.batch import Batch, Outcome, Stored, fold, judge
from services.usage.domain.record import UsageRecord
from services.usage.domain.validation import Rejected
from services.usage.settings import IngestSettings
from services.usage.shared_transactions import SharedTransactions
from services.usage.store import Collision, Refusal, Transaction, UsageStore

log = structlog.get_logger()

# A deadlock's partner needs about one transaction's time, 10 ms, to be done.
RETRY_BASE_S: Final = 0.010
RETRY_MAX_S: Final = 0.200


class Ingest:
    """Stores usage records exactly once."""

    def __init__(self, store: UsageStore, settings: IngestSettings, *, clock: Clock, rng: random.Random) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock
        self._rng = rng
        self._transactions = SharedTransactions(
            self._store_together, at_once=settings.transactions, records_max=settings.batch_max
        )

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
        _report(outcome)
        _count(len(records), outcome, self._clock.monotonic() - started)
        return outcome

    async def _store_batch(self, batch: Batch) -> Outcome:
        if not batch.records:
            return Outcome(0, batch.duplicates, 0, batch.rejected, batch.conflicting)
        await self._store.ensure_months(batch.months())
        return await self._transactions.store(batch)

    async def _store_together(self, batches: Sequence[Batch]) -> Sequence[Outcome]:
        try:
            stored = await self._try_repeatedly(batches)
        except Refusal:
            return [await self._store_alone(batch, is_refused=len(batches) == 1) for batch in batches]
        return [stored.outcome_of(batch) for batch in batches]

    async def _store_alone(self, batch: Batch, *, is_refused: bool) -> Outcome:
        """Store a batch whose own records, or others with which it was to be stored, PostgreSQL refused."""
        fit = await self._without_refused(batch) if is_refused else batch
        if not fit.records:
            return Outcome(0, fit.duplicates, 0, fit.rejected, fit.conflicting)
        (outcome,) = await self._store_together([fit])
        return outcome

    async def _without_refused(self, batch: Batch) -> Batch:
        """Leave out what PostgreSQL refuses although we found it fit: one such record must not block the others."""
        refused = await self._store.find_refused(batch.records)
        if not refused:
            raise Unavailable(ErrorReason.DATABASE_ERROR, "The batch was refused, but none of its records is.")
        rejected = tuple(Rejected(request_id, "record", message) for request_id, message in refused.items())
        kept = tuple(record for record in batch.records if record.request_id not in refused)
        return replace(batch, records=kept, rejected=batch.rejected + rejected)

    async def _try_repeatedly(self, batches: Sequence[Batch]) -> Stored:
        # In the order that all writers share.
        records = sorted(chain.from_iterable(batch.records for batch in batches), key=attrgetter("request_id"))
        for tried in range(1, self._settings.tries_max + 1):
            try:
                return await self._store_once(records)
            except Collision as exc:
                if tried == self._settings.tries_max:
                    raise Unavailable(
                        ErrorReason.DATABASE_ERROR, "The usage database is contended.", retry_after_s=1.0
                    ) from exc
                metrics.RETRIES.inc()
                await self._clock.sleep(self._rng.uniform(0, min(RETRY_MAX_S, RETRY_BASE_S * 2**tried)))
        raise AssertionError("the last try returns or raises")

    async def _store_once(self, records: Sequence[UsageRecord]) -> Stored:
        async with self._store.transaction() as transaction:
            inserted = await transaction.insert(records)
            known = [record for record in records if record.request_id not in inserted]
            replaced, conflicting = await _replace_reaped(transaction, known) if known else (frozenset(), ())
            failpoint("usage.in_transaction")
        failpoint("usage.after_commit")
        return Stored(inserted, replaced, frozenset(conflicting))


async def _replace_reaped(
    transaction: Transaction, known: Sequence[UsageRecord]
) -> tuple[frozenset[str], Sequence[str]]:
    """Replace reapers' guesses; return the ids of those, and of what contradicts what is stored."""
    verdict = judge(known, await transaction.find(known))
    if not verdict.replacements:
        return frozenset(), verdict.conflicting
    guesses = await transaction.lock_reaped(verdict.replacements)
    replacing = [record for record in verdict.replacements if record.request_id in guesses]
    await transaction.replace(replacing)
    return frozenset(record.request_id for record in replacing), verdict.conflicting


def _report(outcome: Outcome) -> None:
    for request_id in outcome.conflicting:
        metrics.CONFLICTING_DUPLICATES.inc()
        log.error("usage.conflicting_duplicate", request_id=request_id)
    for problem in outcome.rejected:
        log.error("usage.rejected", request_id=problem.request_id, field=problem.field, problem=problem.message)


def _count(received: int, outcome: Outcome, seconds: float) -> None:
    metrics.BATCH_RECORDS.observe(received)
    metrics.RECORD_SECONDS.observe(seconds)
    metrics.RECORDS.labels("inserted").inc(outcome.inserted)
    metrics.RECORDS.labels("duplicate").inc(outcome.duplicates)
    metrics.RECORDS.labels("replaced").inc(outcome.replaced)
    metrics.RECORDS.labels("rejected").inc(len(outcome.rejected))
