"""Imports: usage rows of one source; rows, rollups, ids and how far it has come in one transaction a batch."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

import asyncpg

from servicekit.errors import Conflict, ErrorReason
from services.usage.importing import store
from services.usage.importing.born import BornRequest, born_since
from services.usage.store import UsageStore
from services.usage.store.connection import Connection

BEGINNING: Final = -(2**63)
A_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Batch:
    """The rows of a stretch of the source.

    Attributes:
        from_row: the last row before it.
        to_row: its last row.
        rows: those that move, as `copy_rows` makes them; each item is one or several.
        ids: old ids that became others.
        state: what the mover wants to know when it goes on behind this batch.
        months: in which the rows lie, by their first days; others may be among them.
    """

    from_row: int
    to_row: int
    rows: Sequence[bytes]
    ids: Mapping[str, str]
    state: Mapping[str, Any]
    months: AbstractSet[date] = frozenset()


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
            Refusal: PostgreSQL will never store it.
        """
        await self._store.ensure_months(set(batch.months))
        async with self._store.transaction() as transaction:
            if not await store.advance(
                transaction.connection, self._source_id, batch.from_row, batch.to_row, batch.state
            ):
                raise Conflict(ErrorReason.CONFLICT, "Another run moves this source: wait for its end, or stop it.")
            if batch.rows:
                await self._put_rows(transaction.connection, batch.rows)
            await store.insert_ids(transaction.connection, self._source_id, batch.ids)

    async def _put_rows(self, connection: Connection, rows: Sequence[bytes]) -> None:
        try:
            await store.put_rows(connection, self._tag, rows)
        except asyncpg.UniqueViolationError as exc:
            raise Conflict(ErrorReason.CONFLICT, f"An id is another row's: {exc.detail}", param="id") from exc

    async def days(self) -> dict[date, tuple[int, ...]]:
        """Return requests, tokens in and out, micro-roubles and checksum of the source's rows, by UTC day."""
        async with self._store.transaction() as transaction:
            return await store.sum_days(transaction.connection, self._tag)

    def born_since(self, since: datetime) -> AsyncIterator[BornRequest]:
        """Yield all requests since then that no import brought."""
        return born_since(self._store, since)

    async def users_of_others(self, users: Sequence[str]) -> list[str]:
        """Return those of the users who have rows that the source did not bring."""
        async with self._store.transaction() as transaction:
            return await store.users_of_others(transaction.connection, self._tag, users)

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


def tag_of(source_id: str) -> str:
    """Return what tells the rows of a source from all others: their `price_version`."""
    return f"import:{source_id}"
