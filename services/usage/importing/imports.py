"""Imports usage rows of one source: rows, rollups, ids and progress in one transaction for each batch."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

import asyncpg

from servicekit.errors import Conflict, ErrorReason, Unavailable
from services.usage.importing import months, store
from services.usage.importing.created_here import CreatedRequest, created_since
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
        rows: those that move, as `copy_rows` makes them, one or several each, by the first days of their months.
        ids: old ids that became others.
        state: what the mover wants to know when it goes on behind this batch.
        builds_apart: whether months that nobody writes to are built apart: many rows come, and `attach` is called at
            the end.
    """

    from_row: int
    to_row: int
    rows: Mapping[date, Sequence[bytes]]
    ids: Mapping[str, str]
    state: Mapping[str, Any]
    builds_apart: bool = False


class Imports:
    """The import of one source.

    Every method raises:
        Unavailable: the database cannot be used now; nothing of the call was done.
    """

    def __init__(self, usage_store: UsageStore, source_id: str) -> None:
        self._store = usage_store
        self._source_id = source_id
        self._tag = tag_of(source_id)
        # Tables of months that are built apart, and months that are not; None: not asked yet.
        self._tables: dict[date, str] | None = None
        self._not_apart: set[date] = set()

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
        apart = await self._tables_for(batch)
        others = batch.rows.keys() - apart.keys()
        await self._store.ensure_months(others)
        async with self._store.transaction() as transaction:
            connection = transaction.connection
            if not await store.advance(connection, self._source_id, batch.from_row, batch.to_row, batch.state):
                raise _another_run()
            with _conflicts():
                for month, table in apart.items():
                    await months.copy(connection, table, batch.rows[month])
                if others:
                    await store.put_rows(connection, self._tag, [row for month in others for row in batch.rows[month]])
            await store.insert_ids(connection, self._source_id, batch.ids)

    async def _tables_for(self, batch: Batch) -> dict[date, str]:
        """Return the tables that take months of the batch apart."""
        apart = await self._apart()
        for month in sorted(batch.rows.keys() - apart.keys() - self._not_apart if batch.builds_apart else ()):
            async with self._store.transaction() as transaction:
                table = await months.build(transaction.connection, self._tag, month)
            if table is None:
                self._not_apart.add(month)
            else:
                apart[month] = table
        return {month: apart[month] for month in batch.rows.keys() & apart.keys()}

    async def _apart(self) -> dict[date, str]:
        if self._tables is None:
            async with self._store.transaction() as transaction:
                self._tables = await months.find(transaction.connection, self._tag)
        return self._tables

    async def months_apart(self) -> AbstractSet[date]:
        """Return the months whose rows wait for `attach`: till then nobody sees them."""
        return (await self._apart()).keys()

    async def index(self, month: date) -> None:
        """Give a month that was built apart its indexes: from then on its rows are as safe as any, and are not seen.

        No batch with rows of it may be put meanwhile; behind it, any may.

        Raises:
            Conflict, Collision, Unavailable: as `attach`.
        """
        async with self._alone_at(month) as connection:
            await months.index(connection, self._tag, month)

    async def attach(self, month: date) -> None:
        """Have a month that was built apart take its place, with its indexes and its sums, all at once.

        No batch with rows of it may be put meanwhile.

        Raises:
            Conflict: an id is another row's.
            Collision: another writer was in the way; try again.
            Unavailable: somebody reads the table without end, a backup perhaps.
        """
        async with self._alone_at(month) as connection:
            await months.attach(connection, self._tag, month)
        (await self._apart()).pop(month, None)
        self._not_apart.add(month)

    @asynccontextmanager
    async def _alone_at(self, month: date) -> AsyncIterator[Connection]:
        try:
            async with self._store.transaction() as transaction:
                with _conflicts():
                    yield transaction.connection
        except asyncpg.LockNotAvailableError as exc:
            raise Unavailable(
                ErrorReason.DATABASE_ERROR,
                f"A backup or a long query reads the rows of {month:%Y-%m}: wait for its end.",
            ) from exc

    async def days(self) -> dict[date, tuple[int, ...]]:
        """Return requests, tokens in and out, micro-roubles and checksum of the source's rows, by UTC day."""
        async with self._store.transaction() as transaction:
            return await store.sum_days(transaction.connection, self._tag)

    def created_since(self, since: datetime) -> AsyncIterator[CreatedRequest]:
        """Yield all requests since then that no import brought."""
        return created_since(self._store, since)

    async def users_of_others(self, users: Sequence[str]) -> list[str]:
        """Return those of the users who have rows that the source did not bring."""
        async with self._store.transaction() as transaction:
            return await store.users_of_others(transaction.connection, self._tag, users)

    async def take_back(self) -> int:
        """Delete the rows of the source and take their sums off the rollups; return how many there were."""
        async with self._store.transaction() as transaction:
            count = await months.drop(transaction.connection, self._tag)
            span = await store.span_of(transaction.connection, self._tag)
        if span is not None:
            day, last = span[0].replace(hour=0, minute=0, second=0, microsecond=0), span[1]
            while day <= last:
                count += await self._take_back_day(day)
                day += A_DAY
        async with self._store.transaction() as transaction:
            await store.forget(transaction.connection, self._source_id)
        self._tables = None
        self._not_apart.clear()
        return count

    async def _take_back_day(self, day: datetime) -> int:
        async with self._store.transaction() as transaction:
            return await store.take_back(transaction.connection, self._tag, day, day + A_DAY)


def tag_of(source_id: str) -> str:
    """Return what tells the rows of a source from all others: their `price_version`."""
    return f"import:{source_id}"


def _another_run() -> Conflict:
    return Conflict(ErrorReason.CONFLICT, "Another run moves this source: wait for its end, or stop it.")


@contextmanager
def _conflicts() -> Iterator[None]:
    try:
        yield
    except asyncpg.UniqueViolationError as exc:
        raise Conflict(ErrorReason.CONFLICT, f"An id is another row's: {exc.detail}", param="id") from exc
    except asyncpg.UndefinedTableError as exc:
        raise _another_run() from exc
