"""Applies what the source changed or deleted after its accounts and keys were imported."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from servicekit.postgres import database_errors
from services.auth.importing import change_store as store
from services.auth.importing.created_here import CreatedHere, find_created_here
from services.auth.importing.field_merge import (
    REFUSED,
    WITHDRAWN,
    Told,
    account_fields,
    digests,
    key_fields,
    merge,
    told_of,
)
from services.auth.importing.records import ImportedAccount, ImportedKey
from services.auth.shared.domain.audit import SYSTEM, AuditAction, AuditEvent
from services.auth.shared.domain.revocation import RevokedKind
from services.auth.shared.store.audit_log import append_event
from services.auth.shared.store.disabled import disable, enable
from services.auth.shared.store.unit_of_work import Connection, Pool, UnitOfWork

# As long as gateways may believe in a key that they were told of.
BELIEVED_FOR: Final = timedelta(days=1)
SWITCHED: Final = {
    ("user", False): AuditAction.USER_DISABLED,
    ("user", True): AuditAction.USER_ENABLED,
    ("key", False): AuditAction.KEY_DISABLED,
    ("key", True): AuditAction.KEY_ENABLED,
}


class Outcome(StrEnum):
    """The outcome of a change."""

    WRITTEN = "written"
    KEPT = "kept"
    """It was changed here, too, and stays so."""
    TAKEN = "taken"
    """Another account has the address, or another key the hash; it stays as it was."""
    DISABLED = "disabled"
    """The row is not there any more, or would not be brought as it is now."""
    ENABLED = "enabled"
    """It is there again."""


@dataclass(frozen=True, slots=True)
class Change:
    """A change at the source; `field` is empty for a whole row. Hashes are not included."""

    kind: str
    id: str
    field: str
    old: Any
    new: Any
    outcome: Outcome


class Following:
    """Applies changes of the source. Every call is idempotent.

    The changing calls commit when their block ends well, so that the caller can write down first what changes.

    Every method raises:
        Unavailable: the database cannot be used now; nothing of the call was done.
    """

    def __init__(self, pool: Pool, source_id: str) -> None:
        self._pool = pool
        self._source_id = source_id

    async def created_here(self) -> CreatedHere | None:
        """Return what came into being here since the source was brought; None: it was not."""
        return await find_created_here(self._pool, self._source_id)

    async def told(self, kind: str) -> dict[str, Told]:
        """Return what the source last said of its accounts (`user`) or keys (`key`), by id."""
        with database_errors():
            async with self._pool.acquire() as connection:
                return await store.read_told(connection, self._source_id, kind)

    @asynccontextmanager
    async def accounts(self, accounts: Sequence[ImportedAccount]) -> AsyncIterator[list[Change]]:
        """Write what the source changed of accounts that it brought; yield what that is."""
        async with self._unit() as unit:
            changes = await self._follow(unit, "user", accounts)
            await store.touch_accounts(unit.connection, {each.id: each.updated_at for each in accounts})
            yield changes

    @asynccontextmanager
    async def keys(self, keys: Sequence[ImportedKey]) -> AsyncIterator[list[Change]]:
        """Write what the source changed of keys that it brought; a hash that was made anew here is no change."""
        async with self._unit() as unit:
            changes = await self._follow(unit, "key", keys)
            await store.touch_keys(unit.connection, {each.id: each.last_used_at for each in keys if each.last_used_at})
            yield changes

    @asynccontextmanager
    async def withdrawn(self, kind: str, ids: Collection[str]) -> AsyncIterator[list[Change]]:
        """Disable what the source does not have any more; nothing is deleted, what was booked keeps its name.

        An account whose owner has set a password here stays open: only its keys of the source end.
        """
        async with self._unit() as unit:
            told = await store.hold_told(unit.connection, self._source_id, kind, ids)
            changes = list[Change]()
            for id_ in sorted(told):
                is_off = await self._switch_off(unit, kind, id_)
                told[id_] = {**told[id_], WITHDRAWN: is_off}
                changes.append(Change(kind, id_, "", None, None, Outcome.DISABLED if is_off else Outcome.KEPT))
            await store.keep_told(unit.connection, self._source_id, kind, told)
            yield changes

    async def _follow(
        self, unit: UnitOfWork, kind: str, records: Sequence[ImportedAccount | ImportedKey]
    ) -> list[Change]:
        told = await store.hold_told(unit.connection, self._source_id, kind, [each.id for each in records])
        stored = await store.stored(unit.connection, kind, told)
        changes, said = list[Change](), dict[str, Told]()
        for record in sorted((each for each in records if each.id in told), key=lambda each: each.id):
            known, here = told[record.id], stored.get(record.id)
            if known.get(WITHDRAWN):
                await self._switch_on(unit, kind, record.id)
                changes.append(Change(kind, record.id, "", None, None, Outcome.ENABLED))
            found = [] if here is None else await _write(unit.connection, kind, record, known, here)
            changes += found
            said[record.id] = _said(record, known, found)
        await store.keep_told(unit.connection, self._source_id, kind, said)
        return changes

    async def _switch_off(self, unit: UnitOfWork, kind: str, id: str) -> bool:
        if kind == "user":
            if not await store.shut_account(unit.connection, id, unit.at):
                return False
            await unit.revoke(RevokedKind.USER, id)
        else:
            for each in await disable(unit.connection, f"key:{id}", unit.at, because=because(self._source_id, id)):
                await unit.revoke(RevokedKind.CHANGED, each)
        unit.record(_event(unit.at, SWITCHED[kind, False], f"{kind}:{id}"))
        return True

    async def _switch_on(self, unit: UnitOfWork, kind: str, id: str) -> None:
        if kind == "user":
            await store.open_account(unit.connection, id, unit.at)
            await unit.revoke(RevokedKind.USER, id)
        else:
            for each in await enable(unit.connection, because(self._source_id, id)):
                await unit.revoke(RevokedKind.CHANGED, each)
        unit.record(_event(unit.at, SWITCHED[kind, True], f"{kind}:{id}"))

    @asynccontextmanager
    async def _unit(self) -> AsyncIterator[UnitOfWork]:
        with database_errors():
            async with self._pool.acquire() as connection, connection.transaction():
                at = datetime.now(UTC)
                unit = UnitOfWork(connection, at, at + BELIEVED_FOR)
                yield unit
                # The gateways are told by the sweep of auth.
                for event in unit.events:
                    await append_event(connection, event)


def because(source_id: str, key_id: str) -> str:
    """Return why a key is disabled: another switch than an administrator's."""
    return f"import:{source_id}:{key_id}"


async def _write(
    connection: Connection, kind: str, record: ImportedAccount | ImportedKey, told: Told, here: store.Stored
) -> list[Change]:
    theirs = account_fields(record) if isinstance(record, ImportedAccount) else key_fields(record)
    stored = digests(here.fields)
    if here.is_rehashed:
        # The same secret in another notation: never written back, and no reason to keep it from a new one.
        stored["key_hash"] = told.get("key_hash", digests(theirs)["key_hash"])
    found = merge(told, theirs, stored)
    changes = [_change(kind, record.id, name, here, theirs[name], Outcome.KEPT) for name in found.kept]
    for name, value in found.changes.items():
        is_free = await store.write(connection, kind, record.id, name, value)
        changes.append(_change(kind, record.id, name, here, value, Outcome.WRITTEN if is_free else Outcome.TAKEN))
    return changes


def _said(record: ImportedAccount | ImportedKey, known: Told, found: Sequence[Change]) -> Told:
    """Return what is kept of what was said; of a refused field, what is stored: that was said before."""
    said, before = told_of(record), known.get(REFUSED, {})
    taken = {each.field for each in found if each.outcome is Outcome.TAKEN}
    refused = {name: said[name] for name in {*taken, *before} if name in taken or before[name] == said[name]}
    if not refused:
        return said
    return {**said, **{name: known[name] for name in refused if name in known}, REFUSED: refused}


def _change(kind: str, id: str, field: str, here: store.Stored, new: Any, outcome: Outcome) -> Change:
    hidden = field == "key_hash"
    return Change(kind, id, field, None if hidden else here.fields[field], None if hidden else new, outcome)


def _event(at: datetime, action: AuditAction, subject: str) -> AuditEvent:
    return AuditEvent(at, SYSTEM, action, subject, {"reason": "by_the_move_from_1_0"})
