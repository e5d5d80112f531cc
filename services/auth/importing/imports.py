"""Imports accounts and keys of one source, one transaction for each batch."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from servicekit.postgres import database_errors
from services.auth.importing import store, taking_back
from services.auth.importing.records import Arrival, ImportedAccount, ImportedKey, KeptKey
from services.auth.shared.store.unit_of_work import Connection, Pool

BATCH: Final = 1_000


@dataclass(frozen=True, slots=True)
class TakenBack:
    """What was deleted, and what stays because something created here needs it, as (kind, id, needed by)."""

    keys: Sequence[str]
    accounts: Sequence[str]
    staying: Sequence[tuple[str, str, str]]


class Imports:
    """Imports one source. Every method is idempotent.

    Every method raises:
        Unavailable: the database cannot be used now; nothing of the call was done.
    """

    def __init__(self, pool: Pool, source_id: str) -> None:
        self._pool = pool
        self._source_id = source_id

    async def accounts(self, accounts: Sequence[ImportedAccount]) -> dict[str, Arrival]:
        """Insert accounts; return what became of each, by id."""
        async with self._transaction() as connection:
            return await store.insert_accounts(connection, self._source_id, accounts)

    async def keys(self, keys: Sequence[ImportedKey]) -> dict[str, Arrival]:
        """Insert keys of accounts that are here; return what became of each, by id."""
        async with self._transaction() as connection:
            return await store.insert_keys(connection, self._source_id, keys)

    async def addresses(self, ids: Sequence[str]) -> dict[str, str]:
        """Return the addresses of those of the accounts that the source brought, by id."""
        async with self._reading() as connection:
            return await store.addresses(connection, self._source_id, ids)

    async def alike(self, addresses: Mapping[str, str]) -> list[tuple[str, str, bool]]:
        """Return pairs of accounts that have one address, as people or the database compare them.

        Args:
            addresses: of accounts of the source, by id.

        Returns:
            The id of one of them, that of another one, and whether that is an account here which others brought.
        """
        async with self._reading() as connection:
            return await store.alike(connection, self._source_id, addresses)

    async def kept_keys(self) -> dict[str, KeptKey]:
        """Return by id the keys that the source brought, did not withdraw, and are still here."""
        async with self._reading() as connection:
            return await store.kept_keys(connection, self._source_id)

    async def residents(self) -> AsyncIterator[Sequence[ImportedAccount]]:
        """Yield batches of the accounts here that the source did not bring."""
        after: str | None = ""
        while after is not None:
            async with self._reading() as connection:
                found = await store.residents(connection, self._source_id, after, BATCH)
            if found:
                yield found
            after = found[-1].id if found else None

    async def resident_keys(self) -> AsyncIterator[Sequence[ImportedKey]]:
        """Yield batches of the keys here that the source did not bring."""
        after: str | None = ""
        while after is not None:
            async with self._reading() as connection:
                found = await store.resident_keys(connection, self._source_id, after, BATCH)
            if found:
                yield found
            after = found[-1].id if found else None

    async def brought_accounts(self) -> list[str]:
        """Return the ids of the accounts that the source brought."""
        async with self._reading() as connection:
            return await taking_back.brought_accounts(connection, self._source_id)

    async def take_back(self, in_use: Collection[str] = ()) -> TakenBack:
        """Delete what was imported from the source, except what something created here needs.

        Args:
            in_use: accounts on which requests are booked that the source did not bring.
        """
        async with self._transaction() as connection:
            return TakenBack(*await taking_back.take_back(connection, self._source_id, in_use))

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[Connection]:
        with database_errors():
            async with self._pool.acquire() as connection, connection.transaction(readonly=True):
                yield connection

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Connection]:
        with database_errors():
            async with self._pool.acquire() as connection, connection.transaction():
                await store.begin(connection, self._source_id)
                yield connection
