"""Imports: usage rows of one source; rows, rollups, ids and how far it has come in one transaction a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from servicekit.errors import Conflict, ErrorReason
from services.usage.importing import store
from services.usage.importing.record import ImportedRecord, tag_of
from services.usage.store import UsageStore

BEGINNING: Final = -(2**63)
A_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Batch:
    """The rows of a stretch of the source.

    Attributes:
        from_row: the last row before it.
        to_row: its last row.
        records: those that move.
        ids: old ids that became others.
        state: what the mover wants to know when it goes on behind this batch.
    """

    from_row: int
    to_row: int
    records: Sequence[ImportedRecord]
    ids: Mapping[str, str]
    state: Mapping[str, Any]


class Imports:
    """The entrance of one source.

    Every method raises:
        Unavailable: the database cannot be used now; nothing of the call was done.
    """

    def __init__(self, usage_store: UsageStore, source_id: str) -> None:
        self._store = usage_store
        self._source_id = source_id
        self._tag = tag_of(source_id)

    async def progress(self) -> tuple[int, Mapping[str, Any]]:
        """Return the last row that has a fate, and the state that was kept with it."""
        async with self._store.transaction() as transaction:
            found = await store.find_progress(transaction.connection, self._source_id)
        return found or (BEGINNING, {})

    async def put(self, batch: Batch) -> None:
        """Store a batch, all of it or nothing.

        Raises:
            Conflict: another mover of the source was here, or an id of the batch is another row's.
            Collision: another writer was in the way; try again.
        """
        await self._store.ensure_months({first_of_month(record.at) for record in batch.records})
        ordered = sorted(batch.records, key=lambda record: record.request_id)
        async with self._store.transaction() as transaction:
            if not await store.advance(
                transaction.connection, self._source_id, batch.from_row, batch.to_row, batch.state
            ):
                raise Conflict(ErrorReason.CONFLICT, "Another run moves this source: wait for its end, or stop it.")
            inserted = await transaction.insert(ordered) if ordered else set()
            if len(inserted) != len(ordered):
                taken = next(record for record in ordered if record.request_id not in inserted)
                raise Conflict(ErrorReason.CONFLICT, f"Id {taken.request_id} is another row's.", param="id")
            await store.insert_ids(transaction.connection, self._source_id, batch.ids)

    async def days(self) -> dict[date, tuple[int, int, int, int]]:
        """Return requests, tokens in and out and micro-roubles of the source's rows, by UTC day."""
        async with self._store.transaction() as transaction:
            return await store.sum_days(transaction.connection, self._tag)

    async def take_back(self) -> int:
        """Delete the rows of the source and take their sums off the rollups; return how many there were."""
        async with self._store.transaction() as transaction:
            span = await store.span_of(transaction.connection, self._tag)
        count = 0
        if span is not None:
            day, last = span[0].replace(hour=0, minute=0, second=0, microsecond=0), span[1]
            while day <= last:
                count += await self._take_back_day(day)
                day += A_DAY
        async with self._store.transaction() as transaction:
            await store.forget(transaction.connection, self._source_id)
        return count

    async def _take_back_day(self, day: datetime) -> int:
        async with self._store.transaction() as transaction:
            return await store.take_back(transaction.connection, self._tag, day, day + A_DAY)


def first_of_month(at: datetime) -> date:
    """Return the first day of the month in UTC."""
    return at.astimezone(UTC).date().replace(day=1)
